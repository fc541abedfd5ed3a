"""What runs on a site, in the memory of web processes, and how it changes the lists of a request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from recommendations.core.types import RequestUser
from recommendations.experiments.assignment import (
    WITHOUT,
    Audience,
    Changes,
    Running,
    RunningExperiment,
    RunningHoldOut,
)
from recommendations.models import Arm, Experiment, HoldOut, Rule
from recommendations.models.merchandising import WEIGHT_FIELDS, weights_of
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.pipeline.rules.base import applies
from recommendations.pipeline.rules.registry import ACTIONS
from tracking.snapshots.by_site import SiteSnapshots
from tracking.snapshots.snapshot import Snapshot

REFRESH_S: Final = 5.0
POPULAR_STRATEGY: Final = "trending"
"""What those see who are kept without personal lists."""
NOTHING: Final = Running()


def watch_experiments(site: str) -> Snapshot[Running]:
    """Return the site's snapshot, kept fresh in the background from the first call on."""
    return _running.of(site)


def announce_experiments(site: str) -> None:
    """Tell every process, once the transaction is committed, that something began, changed or ended."""
    _running.announce(site)


def running_on(site: str) -> Running:
    """Return what runs; memory only, and nothing until it was loaded."""
    snapshot = watch_experiments(site)
    return snapshot.current() if snapshot.is_loaded else NOTHING


def arranged(
    site: str, running: Running, queries: Sequence[ListQuery], user: RequestUser, key: str
) -> Sequence[ListQuery]:
    """Return the queries as the arms of this user want them, each with the arms that its reply is to name.

    A user without a key is in no arm: what everybody is shown is measured by nobody.
    """
    now_ms = int(time.time() * 1000)
    return [_arranged(site, running, query, user, key, now_ms=now_ms) for query in queries]


def _arranged(site: str, running: Running, query: ListQuery, user: RequestUser, key: str, *, now_ms: int) -> ListQuery:
    seen = user.features.arms if user.features is not None else None
    spec, model, arms = query.placement, "", []
    whole = running.whole_site
    if whole is not None and query.candidates is None:
        arm = whole.arm_of(site, key, seen=seen)
        arms.append((whole.name, arm))
        if arm == WITHOUT:
            return replace(query, placement=_impersonal(spec), model="none", arms=tuple(arms))
    for held in running.hold_outs:
        if any(
            rule.spec.rule_id in held.rules and applies(rule.spec, user=user, now_ms=now_ms, visit=query.visit)
            for rule in spec.rules
        ):
            arm = held.arm_of(site, key, seen=seen)
            arms.append((held.name, arm))
            if arm == WITHOUT:
                spec = _without_rules(spec, held.rules)
    limit = query.limit
    for experiment in running.by_placement.get(spec.name, ()):
        if not experiment.audience.has(user, query.visit):
            continue
        number = experiment.arm_of(site, key, seen=seen)
        if number is None:
            continue
        arms.append((experiment.name, number))
        changes = experiment.changes[number]
        if query.candidates is not None:  # what is to be put in order is given, and no strategy finds it
            changes = replace(changes, strategy="")
        spec = changed(spec, changes)
        model = changes.model or model
        if changes.size is not None:
            limit = min(limit, changes.size) if query.limit != query.placement.size else changes.size
    if not arms:
        return query
    return replace(query, placement=spec, limit=limit, model=model, arms=tuple(arms))


def changed(spec: PlacementSpec, changes: Changes) -> PlacementSpec:
    """Return a placement as an arm wants it."""
    if changes.rules_off:
        spec = _without_rules(spec, changes.rules_off)
    if changes.heading:
        spec = replace(spec, heading=changes.heading)
    if changes.layout:
        spec = replace(spec, layout=changes.layout)
    if changes.strategy:
        spec = replace(spec, strategy=changes.strategy, segment_strategies={}, sources=())
    if changes.objectives is not None:
        spec = replace(spec, objectives=changes.objectives)
    if changes.diversity is not None:
        spec = replace(spec, variety=replace(spec.variety, difference=changes.diversity))
    return spec


def load_running(site: str) -> Running:
    """Return what runs on a site; four queries."""
    rows = Experiment.objects.filter(site__slug=site, status=Experiment.Status.RUNNING)
    experiments = tuple(_experiment(row) for row in rows.prefetch_related("placements", "arms__rules_off"))
    held = list(HoldOut.objects.filter(site__slug=site, is_active=True))
    campaigns: dict[int, set[int]] = {}
    for rule, campaign in Rule.objects.filter(site__slug=site, campaign__isnull=False).values_list("pk", "campaign"):
        campaigns.setdefault(campaign, set()).add(rule)
    return Running(
        experiments=experiments,
        by_placement={
            name: tuple(one for one in experiments if name in one.placements)
            for name in {name for one in experiments for name in one.placements}
        },
        hold_outs=tuple(
            _hold_out(row, frozenset({row.rule_id} if row.rule_id else campaigns.get(row.campaign_id or 0, ())))
            for row in held
            if not row.covers_site()
        ),
        whole_site=next((_hold_out(row, frozenset()) for row in held if row.covers_site()), None),
    )


_running: Final = SiteSnapshots("experiments", lambda site: partial(load_running, site), refresh_s=REFRESH_S)


def _experiment(row: Experiment) -> RunningExperiment:
    arms = list(row.arms.all())
    return RunningExperiment(
        name=row.key,
        salt=row.salt,
        placements=frozenset(placement.name for placement in row.placements.all()),
        weights=tuple(arm.weight for arm in arms),
        changes=tuple(changes_of(arm) for arm in arms),
        share=float(row.share),
        group=row.group,
        group_start=row.group_start,
        group_share=row.group_share,
        audience=Audience(
            segments=tuple(row.segments),
            visitors=row.audience,
            devices=tuple(row.devices),
            locales=tuple(row.locales),
        ),
    )


def changes_of(arm: Arm) -> Changes:
    """Return what an arm sets otherwise."""
    return Changes(
        heading=arm.heading,
        layout=arm.layout,
        strategy=arm.strategy,
        model=arm.model,
        size=arm.size,
        diversity=None if arm.diversity is None else arm.diversity / 100.0,
        objectives=weights_of(arm) if WEIGHT_FIELDS[0] in arm.placement_fields else None,
        rules_off=frozenset(rule.pk for rule in arm.rules_off.all()),
    )


def _hold_out(row: HoldOut, rules: frozenset[int]) -> RunningHoldOut:
    return RunningHoldOut(name=row.key, salt=row.salt, percent=float(row.percent), rules=rules)


def _without_rules(spec: PlacementSpec, rules: frozenset[int]) -> PlacementSpec:
    return replace(spec, rules=spec.indexed_rules.without(rules))


def _impersonal(spec: PlacementSpec) -> PlacementSpec:
    """Return a placement with popular items and no rules but those that keep items out, which hold for everybody."""
    kept = tuple(rule for rule in spec.rules if ACTIONS[rule.spec.action].is_filter)
    return replace(spec, strategy=POPULAR_STRATEGY, segment_strategies={}, sources=(), rules=kept, exploration=0.0)
