"""Start, stop, ship, and what ends by itself."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from features.store.arm_sums import ArmTotals
from recommendations.experiments import lifecycle
from recommendations.models import Arm, Experiment, ExperimentDay, HoldOut, Metric, Placement, Rule
from recommendations.state.placements import publish
from tests.recommendations.conftest import Shop
from tests.recommendations.experiments.test_results import made_arm

pytestmark = pytest.mark.redis


def _draft(shop: Shop, **values: object) -> Experiment:
    made = Experiment.objects.create(site=shop.site, name="Try", **values)
    made.placements.set(Placement.objects.filter(site=shop.site, name="home_for_you"))
    for name in ("Control", "New"):
        Arm.objects.create(experiment=made, name=name)
    return made


def test_an_experiment_that_lacks_something_does_not_start_and_says_why(shop: Shop) -> None:
    bare = Experiment.objects.create(site=shop.site, name="Bare")
    with pytest.raises(lifecycle.CannotStart, match="at least two arms"):
        lifecycle.start(bare)
    for name in ("Control", "New"):
        Arm.objects.create(experiment=bare, name=name)
    with pytest.raises(lifecycle.CannotStart, match="choose the placements"):
        lifecycle.start(bare)
    whole = _draft(shop)
    lifecycle.start(whole)
    with pytest.raises(lifecycle.CannotStart, match="make a new one"):
        lifecycle.start(whole)


def test_a_group_gives_each_experiment_a_part_of_its_own_until_it_is_full(shop: Shop) -> None:
    experiments = [_draft(shop, group="home", group_share=40) for _ in range(3)]
    for experiment in experiments[:2]:
        lifecycle.start(experiment)
    assert [one.group_start for one in experiments[:2]] == [0, 40]
    with pytest.raises(lifecycle.CannotStart, match="80 % in use"):
        lifecycle.start(experiments[2])
    lifecycle.stop(experiments[0], {})
    lifecycle.start(experiments[2])
    assert experiments[2].group_start == 0


def test_shipping_writes_the_arm_into_the_placement_and_withdraws_what_it_goes_without(shop: Shop) -> None:
    rule = Rule.objects.create(site=shop.site, name="Old", action="boost", brands=["Acme"])
    publish(rule)
    Placement.objects.filter(site=shop.site, name="home_for_you").update(weight_click=50)
    experiment = _draft(shop)
    winner = experiment.arms.last()
    assert winner is not None
    winner.heading, winner.strategy, winner.size, winner.diversity = "New heading", "trending", 5, 30
    winner.layout, winner.weight_margin = "carousel", 30
    winner.save()
    winner.rules_off.add(rule)
    lifecycle.start(experiment)

    totals = {0: made_arm(np.random.default_rng(1), 0, users=50, conversion=0.5)}
    lifecycle.stop(experiment, totals, winner=winner)

    placement = Placement.objects.get(site=shop.site, name="home_for_you")
    assert [placement.heading, placement.strategy, placement.size, placement.diversity, placement.layout] == [
        "New heading", "trending", 5, 30, "carousel",
    ]  # fmt: skip
    assert placement.objectives == (("margin", 30.0),)
    rule.refresh_from_db()
    assert rule.published is None
    experiment.refresh_from_db()
    assert experiment.status == Experiment.Status.SHIPPED
    kept = lifecycle.read_totals(None, experiment, partitions=1)  # type: ignore[arg-type]
    assert kept == totals


def test_a_day_is_noted_once_and_its_last_word_stands(shop: Shop) -> None:
    experiment = _draft(shop)
    chance, day = np.random.default_rng(2), dt.date(2027, 1, 15)
    for users in (300, 900):
        totals = {number: made_arm(chance, number, users=users, conversion=0.3) for number in (0, 1)}
        lifecycle.note_day(experiment, totals, day)
    (row,) = ExperimentDay.objects.filter(experiment=experiment)
    assert row.figures["visitors"] == [900, 900]
    assert row.figures["conversion"][0]["lower"] < row.figures["conversion"][0]["upper"]


@pytest.fixture(scope="module")
def harm() -> dict[int, ArmTotals]:
    chance = np.random.default_rng(3)
    return {0: made_arm(chance, 0, users=1_500, conversion=0.4), 1: made_arm(chance, 1, users=4_500, conversion=0.2)}


@pytest.mark.parametrize(("may_end", "percent", "ends"), [(True, 25, True), (False, 25, False), (True, 50, False)])
def test_what_does_harm_is_withdrawn_where_it_may_and_the_split_is_right(
    shop: Shop, harm: dict[int, ArmTotals], may_end: bool, percent: int, ends: bool
) -> None:
    rule = Rule.objects.create(site=shop.site, name="Bad", action="boost", brands=["Acme"])
    publish(rule)
    held = HoldOut.objects.create(
        site=shop.site, rule=rule, percent=percent, metric=Metric.CONVERSION, ends_itself=may_end
    )
    assert lifecycle.end_harmful(held, harm) is ends
    rule.refresh_from_db()
    assert (rule.published is None) is ends
    assert held.is_active is not ends
