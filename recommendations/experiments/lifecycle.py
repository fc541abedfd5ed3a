"""How experiments and hold-outs begin and end: start, stop, ship, and what is noted of them each day."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from typing import Any

import redis
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from features.store.arm_sums import ArmTotals, read_arm_sums
from recommendations.exceptions import RecommendationError
from recommendations.experiments.assignment import free_start
from recommendations.experiments.results import Results, results_of
from recommendations.models import Arm, Experiment, ExperimentDay, HoldOut, Metric, Placement, Rule
from recommendations.models.experiments import shares_of_groups
from recommendations.state.placements import withdraw

logger = logging.getLogger(__name__)


class CannotStart(RecommendationError):
    """The experiment is not ready to run; the message says what is missing."""


@transaction.atomic
def start(experiment: Experiment) -> None:
    """Let an experiment run: users see its arms within a few seconds.

    Raises
    ------
    CannotStart
        It has fewer than two arms, no placement, has run before, or there is no room in its exclusion group.
    """
    if experiment.status != Experiment.Status.DRAFT:
        raise CannotStart(
            _("%(experiment)s is %(get_status_display)s: make a new one to run it again")
            % {"experiment": experiment, "get_status_display": experiment.get_status_display()}
        )
    if experiment.arms.count() < 2:
        raise CannotStart(_("it needs at least two arms: a control that changes nothing, and what you want to try"))
    if not experiment.placements.exists():
        raise CannotStart(_("choose the placements whose lists are to differ"))
    if experiment.group:
        taken = shares_of_groups(experiment.site, without=experiment.pk).get(experiment.group, [])
        begin = free_start(taken, experiment.group_share)
        if begin is None:
            used = sum(until - since for since, until in taken)
            raise CannotStart(
                _(
                    "the exclusion group %(group)s has %(used)s %% in use and no %(group_share)s %% in one piece "
                    "left: take a smaller part, or stop another experiment of the group"
                )
                % {"group": f"{experiment.group!r}", "used": used, "group_share": experiment.group_share}
            )
        experiment.group_start = begin
    experiment.status, experiment.started_at = Experiment.Status.RUNNING, timezone.now()
    experiment.save()


@transaction.atomic
def stop(experiment: Experiment, totals: Mapping[int, ArmTotals], *, winner: Arm | None = None) -> None:
    """End an experiment and keep its sums; with a ``winner``, write that arm's settings into the placements.

    Rules that the winner goes without are withdrawn; which model version answers everybody is the model pages' matter.
    """
    experiment.result = {str(arm): as_document(each) for arm, each in totals.items()}
    experiment.ended_at = timezone.now()
    experiment.status = Experiment.Status.STOPPED
    if winner is not None:
        experiment.status, experiment.winner = Experiment.Status.SHIPPED, winner
        for placement in experiment.placements.all():
            _ship(placement, winner)
        for rule in winner.rules_off.filter(published__isnull=False):
            withdraw(rule, author=f"experiment {experiment}")
    experiment.save()


def read_totals(client: redis.Redis, experiment: Experiment, *, partitions: int) -> dict[int, ArmTotals]:
    """Return the sums of an experiment: as they are now, or as they were when it ended.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable, and the experiment still runs.
    """
    if experiment.result is not None:
        return {int(arm): from_document(document) for arm, document in experiment.result.items()}
    return read_arm_sums(client, experiment.site.slug, experiment.key, partitions=partitions)


def results(experiment: Experiment, totals: Mapping[int, ArmTotals]) -> Results:
    """Return what the arms of an experiment say."""
    return results_of(totals, [arm.weight for arm in experiment.arms.all()])


def hold_out_results(held: HoldOut, totals: Mapping[int, ArmTotals]) -> Results:
    """Return what the rest of the users bring against those who are kept without."""
    return results_of(totals, [held.percent, 100 - held.percent])


def note_day(experiment: Experiment, totals: Mapping[int, ArmTotals], day: dt.date) -> None:
    """Keep what the experiment says today, for its chart; the last word of a day stands."""
    found = results(experiment, totals)
    figures: dict[str, Any] = {
        "visitors": list(found.visitors),
        **{metric.value: [readings[metric].as_json() for readings in found.readings] for metric in Metric},
    }
    ExperimentDay.objects.update_or_create(experiment=experiment, day=day, defaults={"figures": figures})


def end_harmful(held: HoldOut, totals: Mapping[int, ArmTotals]) -> bool:
    """Withdraw what a hold-out shows to do harm, where it may; return whether it did."""
    if not held.ends_itself or held.covers_site() or not held.is_active:
        return False
    found = hold_out_results(held, totals)
    if found.has_wrong_split or found.readings[0][Metric(held.metric)].verdict != "worse":
        return False
    rules = [held.rule] if held.rule is not None else list(Rule.objects.filter(campaign=held.campaign))
    with transaction.atomic():
        for rule in rules:
            if rule.published is not None:
                withdraw(rule, author="hold-out: the effect is below zero")
        held.is_active, held.ended_at = False, timezone.now()
        held.save()
    logger.warning("hold_outs.ended site=%s hold_out=%s rules=%s", held.site.slug, held.pk, len(rules))
    return True


def as_document(totals: ArmTotals) -> dict[str, Any]:
    """Return sums as the database keeps them."""
    return {"of": totals.of, "steps": totals.steps}


def from_document(document: Mapping[str, Any]) -> ArmTotals:
    """Return sums as the database kept them."""
    totals = ArmTotals()
    totals.of.update(document["of"])
    for letter, steps in document["steps"].items():
        totals.steps[letter] = {int(step): list(amounts) for step, amounts in steps.items()}
    return totals


def _ship(placement: Placement, winner: Arm) -> None:
    for name, value in winner.placement_fields.items():
        setattr(placement, name, value)
    placement.save()
