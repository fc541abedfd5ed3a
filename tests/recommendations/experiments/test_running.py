"""What runs changes the lists of those in it, and the reply says so; end to end, from the list to the sums."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from dataclasses import replace

import pytest
from django.utils import timezone

from recommendations.core.deadline import Deadline
from recommendations.core.types import RequestUser
from recommendations.experiments.assignment import WITH, WITHOUT
from recommendations.experiments.running import load_running, watch_experiments
from recommendations.models import Arm, Experiment, HoldOut, Placement, Rule
from recommendations.pipeline.query import ListQuery
from recommendations.serving.origins import read_origin
from recommendations.serving.response import reply_of
from recommendations.serving.schemas import ListReply
from recommendations.serving.service import make_lists
from recommendations.state.placements import publish
from recommendations.state.site import SiteState
from tests.recommendations.conftest import Shop

pytestmark = pytest.mark.redis

USERS = [f"u:user-{number}" for number in range(60)]


def _started(shop: Shop, **changes: object) -> Experiment:
    experiment = Experiment.objects.create(site=shop.site, name="Try", status=Experiment.Status.RUNNING)
    experiment.placements.set(Placement.objects.filter(site=shop.site, name="home_for_you"))
    Arm.objects.create(experiment=experiment, name="Control")
    Arm.objects.create(experiment=experiment, name="New", **changes)
    return experiment


def _reply(state: SiteState, user: str, *, placement: str = "home_for_you") -> ListReply:
    spec = state.placements.by_name[placement]
    query = ListQuery(placement=spec, limit=spec.size)
    who = RequestUser(key=user)
    (result,) = asyncio.run(make_lists(state, [query], who, deadline=Deadline.after(5_000.0)))
    return reply_of(result, query, state, who, now_s=int(time.time()))


def _arms(shop: Shop, reply: ListReply) -> dict[str, int]:
    origin = read_origin(shop.site.slug, reply.rec_id)
    assert origin is not None
    return dict(origin.arms)


def _stock(shop: Shop) -> None:
    """Add twelve items, of which nobody knows any: the newest are listed first, and ``thing7`` is the oldest."""
    for number in range(12):
        days = 365 if number == 7 else 1
        shop.add(f"thing{number}", first_seen_at=timezone.now() - dt.timedelta(days=days))


def _loaded(shop: Shop) -> SiteState:
    state = shop.load()
    watch_experiments(shop.site.slug).reload()
    return state


def test_arms_have_their_own_heading_layout_and_size_and_the_reply_names_them(shop: Shop) -> None:
    for number in range(12):
        shop.add(f"thing{number}")
    experiment = _started(shop, heading="Just for you", layout="carousel", size=3)
    state = _loaded(shop)

    replies = [_reply(state, user) for user in USERS]
    arms = [_arms(shop, reply)[experiment.key] for reply in replies]

    assert set(arms) == {0, 1}
    control = state.placements.by_name["home_for_you"]
    for reply, arm in zip(replies, arms, strict=True):
        assert reply.heading == ("Just for you" if arm else control.heading)
        assert reply.layout == ("carousel" if arm else None)
        assert bytes(reply.items).count(b'"item_id"') == (3 if arm else control.size)
    assert arms == [_arms(shop, _reply(state, user))[experiment.key] for user in USERS]


@pytest.mark.parametrize(
    ("weights", "objectives"),
    [
        ({}, (("click", 50.0),)),
        ({"weight_click": 70, "weight_margin": 30}, (("click", 70.0), ("margin", 30.0))),
        ({"weight_margin": 30}, (("margin", 30.0),)),
        ({"weight_click": 0}, ()),
    ],
    ids=["as-the-placement-says", "two", "one-for-another", "the-order-as-it-was-learnt"],
)
def test_an_arm_orders_its_lists_for_what_it_weighs(
    shop: Shop, weights: dict[str, int], objectives: tuple[tuple[str, float], ...]
) -> None:
    shop.add("thing")
    Placement.objects.filter(site=shop.site, name="home_for_you").update(weight_click=50)
    experiment = _started(shop, **weights)
    state = _loaded(shop)
    spec = state.placements.by_name["home_for_you"]

    found = {}
    for user in USERS:
        query = ListQuery(placement=spec, limit=spec.size)
        (result,) = asyncio.run(make_lists(state, [query], RequestUser(key=user), deadline=Deadline.after(5_000.0)))
        found[dict(result.query.arms)[experiment.key]] = result.query.placement.objectives

    assert found == {0: (("click", 50.0),), 1: objectives}


def test_other_placements_and_nobody_are_in_no_arm(shop: Shop) -> None:
    shop.add("thing")
    _started(shop)
    state = _loaded(shop)

    assert _arms(shop, _reply(state, USERS[0], placement="home_new")) == {}
    spec = state.placements.by_name["home_for_you"]
    (result,) = asyncio.run(
        make_lists(state, [ListQuery(placement=spec, limit=3)], RequestUser(), deadline=Deadline.after(5_000.0))
    )
    assert result.query.arms == ()


def test_a_draft_and_a_stopped_one_change_nothing(shop: Shop) -> None:
    shop.add("thing")
    experiment = _started(shop, heading="Other")
    for status in (Experiment.Status.DRAFT, Experiment.Status.STOPPED):
        experiment.status = status
        experiment.save()
        assert load_running(shop.site.slug).is_empty


def test_a_rule_is_kept_from_those_who_are_held_out(shop: Shop) -> None:
    _stock(shop)
    rule = Rule.objects.create(site=shop.site, name="Pin", action="pin", items=["thing7"], position=1)
    publish(rule)
    held = HoldOut.objects.create(site=shop.site, rule=rule, percent=50)
    state = _loaded(shop)

    found = set()
    for user in USERS:
        reply = _reply(state, user)
        arm = _arms(shop, reply)[held.key]
        assert bytes(reply.items).startswith(b'[{"item_id":"thing7"') is (arm == WITH)
        found.add(arm)
    assert found == {WITH, WITHOUT}


def test_a_hold_out_of_everything_shows_popular_items_and_still_hides_what_must_be_hidden(shop: Shop) -> None:
    _stock(shop)
    for name, values in (
        ("Pin", {"action": "pin", "items": ["thing7"], "position": 1}),
        ("Never", {"action": "exclude", "items": ["thing3"]}),
    ):
        publish(Rule.objects.create(site=shop.site, name=name, **values))
    held = HoldOut.objects.create(site=shop.site, percent=50)
    state = _loaded(shop)

    for user in USERS:
        reply = _reply(state, user)
        items = bytes(reply.items)
        assert b'"thing3"' not in items
        if _arms(shop, reply)[held.key] == WITHOUT:
            assert not reply.model_version
            assert not items.startswith(b'[{"item_id":"thing7"')


def test_lists_of_different_arms_are_cached_apart(shop: Shop) -> None:
    spec = shop.load().placements.by_name["home_for_you"]
    query = ListQuery(placement=spec, limit=3)
    assert query.cache_key != replace(query, arms=(("e1", 0),)).cache_key
    assert replace(query, arms=(("e1", 1),)).cache_key != replace(query, arms=(("e1", 0),)).cache_key
