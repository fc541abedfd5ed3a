"""What stands between a draft and the shop's pages: the linter's findings, and what follows from them."""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from django.utils import timezone

from features.catalogue.items import NO_ID
from features.exceptions import StoreUnavailable
from features.models import SegmentThreshold
from features.segments import rfm
from recommendations.items.index import ItemIndex
from recommendations.lint.findings import Finding, Severity
from recommendations.lint.linter import lint, of_rule
from recommendations.models import Placement
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.base import CompiledRule, RuleSpec, compile_rule
from recommendations.reports.items import item_totals
from recommendations.state import placements
from recommendations.state.site import watch_site
from recommendations.what_if.estimate import ItemCounts
from recommendations.what_if.replay import Difference, replay
from recommendations.what_if.request_log import recent_requests
from tracking.models import Site
from tracking.staff.sites import seen

COUNTED_DAYS: Final = 28
"""Of clicks, from which it is estimated what a rule may change."""

MAX_REPLAYED: Final = 1_000
REPLAY_S: Final = 2.0
"""Requests of the last hour, and time, on which a rule is tried before it is published."""

MAX_TRIED: Final = 200
TRIED_S: Final = 0.4
"""The same, while it is typed."""

NEWEST: Final = 2**62
"""The id, among the others, of a rule that is not saved yet: of equal priorities the older one wins."""


_judged: Final[dict[int, tuple[Hashable, list[Finding]]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is wrong with one draft, among all that is published."""

    findings: Sequence[Finding] = ()

    @property
    def refused(self) -> list[Finding]:
        """Why it may not be published."""
        return [each for each in self.findings if each.severity is Severity.REFUSE]

    @property
    def to_confirm(self) -> list[Finding]:
        """What a person must say is intended."""
        return [each for each in self.findings if each.severity is Severity.CONFIRM]

    @property
    def remarks(self) -> list[Finding]:
        """What is shown and stops nothing."""
        return [each for each in self.findings if each.severity < Severity.CONFIRM]

    @property
    def token(self) -> str:
        """What a confirmation confirms: other findings have another token."""
        text = "\n".join(sorted(each.sentence for each in self.to_confirm))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def judge_rule(site: Site, spec: RuleSpec) -> Verdict:
    """Return what is wrong with a rule, were it published now in place of what is served of it.

    Raises
    ------
    InvalidQuery
        One of its conditions is not in the language.
    """
    spec = msgspec.structs.replace(spec, rule_id=spec.rule_id or NEWEST)
    draft = compile_rule(spec)
    published = published_rules(site)
    if any(rule.spec == spec for rule in published):
        return Verdict(findings=of_rule(judge_site(site), spec.rule_id))
    others = [rule for rule in published if rule.spec.rule_id != spec.rule_id]
    return Verdict(findings=of_rule(_lint(site, [*others, draft]), spec.rule_id))


def try_rule(site: Site, spec: RuleSpec, *, is_thorough: bool = True) -> Difference | None:
    """Return what a rule, were it published now, changes of lists of the last hour; ``None`` if Redis is unavailable.

    Parameters
    ----------
    is_thorough : bool
        As before it is published; else as long as one waits while typing.

    Raises
    ------
    InvalidQuery
        One of its conditions is not in the language.
    """
    published = published_rules(site)
    serving = watch_site(site.slug).ensure_loaded()
    most, budget_s = (MAX_REPLAYED, REPLAY_S) if is_thorough else (MAX_TRIED, TRIED_S)
    draft = compile_rule(msgspec.structs.replace(spec, rule_id=spec.rule_id or NEWEST))
    others = [rule for rule in published if rule.spec.rule_id != draft.spec.rule_id]
    rows = [
        row
        for row in Placement.objects.filter(site=site, is_active=True)
        if not spec.placements or row.name in spec.placements or _was_in(published, draft, row.name)
    ]
    try:
        requests = recent_requests(site.slug, {row.name for row in rows}, most=most, now_s=int(time.time()))
    except StoreUnavailable:
        return None
    return replay(
        requests,
        {row.name: placements.placement_spec(row, published) for row in rows},
        {row.name: placements.placement_spec(row, placements.by_priority([*others, draft])) for row in rows},
        serving,
        budget_s=budget_s,
        counts=item_counts(site, serving.item_index),
    )


def item_counts(site: Site, item_index: ItemIndex) -> ItemCounts:
    """Return what lists did with each item in the last ``COUNTED_DAYS`` of the reports' roll-ups."""
    totals = item_totals(site, since=timezone.now().date() - dt.timedelta(days=COUNTED_DAYS))
    rows = item_index.catalogue.rows(totals.item_ids)
    is_known = rows != NO_ID
    found = np.zeros((3, item_index.n_rows))
    found[:, rows[is_known]] = totals.sums[is_known].T
    catalogue = item_index.catalogue
    return ItemCounts(
        impressions=found[0], clicks=found[1], orders=found[2],
        price=catalogue.price.astype(np.float64), margin=catalogue.margin.astype(np.float64),
    )  # fmt: skip


def _was_in(published: Sequence[CompiledRule], draft: CompiledRule, placement: str) -> bool:
    """Return whether what is published of a rule is for a placement that its draft may have left."""
    return any(
        rule.spec.rule_id == draft.spec.rule_id and (not rule.spec.placements or placement in rule.spec.placements)
        for rule in published
    )


def judge_placement(placement: Placement) -> Verdict:
    """Return what is wrong with a placement as its form stands, and with what its rules leave of it."""
    spec = placements.placement_spec(placement, [])
    by_name = {**placements.load_placements(placement.site.slug).by_name, spec.name: spec}
    if not placement.is_active:
        return Verdict()
    found = lint(
        published_rules(placement.site), by_name, watch_site(placement.site.slug).ensure_loaded().item_index,
        now_ms=int(time.time() * 1000),
    )  # fmt: skip
    return Verdict(findings=[each for each in found if each.placement == spec.name])


def judge_site(site: Site) -> list[Finding]:
    """Return everything that is wrong with what is published, the gravest first.

    Kept until a rule, a placement or the catalogue changes, for a minute at most: schedules begin and end.
    """
    served = placements.load_placements(site.slug)
    item_index = watch_site(site.slug).ensure_loaded().item_index
    key = (served.stamp, id(item_index), int(time.time()) // 60)
    known = _judged.get(site.pk)
    if known is None or known[0] != key:
        known = _judged[site.pk] = key, _lint(site, published_rules(site))
    return known[1]


def published_rules(site: Site) -> list[CompiledRule]:
    """Return the rules as they are served: within their campaigns, those of one that is switched off left out."""
    return list(placements.load_published(site.slug).rules)


def known_segments() -> list[str]:
    """Return the names of the segments that users can be in."""
    stored = seen(SegmentThreshold.objects.order_by("order")).values_list("name", flat=True).distinct()
    return list(dict.fromkeys(stored or (rule.name for rule in rfm.DEFAULT_RULES)))


def _lint(site: Site, rules: Sequence[CompiledRule]) -> list[Finding]:
    """Return what is wrong with rules beside what is recalled; recalls themselves are nobody's mistake."""
    served = placements.load_placements(site.slug)
    found = _linted(site, [*served.recalled, *rules], served.by_name)
    return [each for each in found if each.rule_ids[:1] != (placements.RECALL,)]


def _linted(site: Site, rules: Sequence[CompiledRule], by_name: Mapping[str, PlacementSpec]) -> list[Finding]:
    return lint(
        rules,
        by_name,
        watch_site(site.slug).ensure_loaded().item_index,
        now_ms=int(time.time() * 1000),
        segments=known_segments(),
    )
