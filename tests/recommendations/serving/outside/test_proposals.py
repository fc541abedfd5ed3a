"""Lists with the items of a shop's service, without them when it has a bad day, and never later than their time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from recommendations.core.deadline import Deadline
from recommendations.core.types import NOBODY, FallbackReason, RequestUser
from recommendations.models import HttpSource, Placement
from recommendations.pipeline.query import ListQuery
from recommendations.retrieval.outside.breaker import FAILURES, Circuit
from recommendations.serving import service as lists
from recommendations.serving.outside import proposals
from recommendations.state import site as serving_site
from recommendations.state.own_sources import watch_own_sources
from tests.recommendations.conftest import Shop
from tests.recommendations.outside_service import BAD_DAYS, Service

pytestmark = pytest.mark.redis


def queries(state: serving_site.SiteState, *names: str) -> list[ListQuery]:
    return [ListQuery(placement=state.placements.by_name[name], limit=4) for name in names]


def made(
    state: serving_site.SiteState, *names: str, user: RequestUser = NOBODY, within_ms: float = 60_000.0
) -> list[tuple[list[str], FallbackReason | None]]:
    async def run() -> list[Any]:
        try:
            return list(await lists.make_lists(state, queries(state, *names), user, deadline=Deadline.after(within_ms)))
        finally:
            proposals.close_outside()

    item_id = state.serving.item_index.item_id
    return [([item_id(row) for row in each.rows], each.fallback_reason) for each in asyncio.run(run())]


def test_a_page_asks_once_for_all_of_its_lists_and_keeps_what_it_got(
    shop: Shop, service: Service, stylist: HttpSource
) -> None:
    service.proposes = lambda body: {"lists": [["sku6", "sku5", "sku4", "sku0"], ["sku6", "sku7"]]}
    state = shop.load()

    with CaptureQueriesContext(connection) as captured:
        trending, new = made(state, "home_trending", "home_new")
        again = made(state, "home_trending", "home_new")

    assert trending[0] == ["sku6", "sku5", "sku4", "sku0"]
    assert new[0][0] == "sku7"  # what stands in the list before it is not shown twice
    assert again == [trending, new]
    assert [each["placement"] for each in service.bodies[0]["lists"]] == ["home_trending", "home_new"]
    assert len(service.bodies) == 1
    assert not captured


@pytest.mark.parametrize("day", sorted(BAD_DAYS))
def test_a_bad_day_of_the_service_is_a_list_without_it_and_is_not_kept(
    shop: Shop, service: Service, stylist: HttpSource, day: str
) -> None:
    service.mode = day
    if BAD_DAYS[day] == "slow":
        HttpSource.objects.update(budget_ms=60)
        watch_own_sources(shop.site.slug).reload()
    state = shop.load()

    ((items, reason),) = made(state, "home_trending")
    assert not lists._cache._entries
    service.mode = "answer"
    service.may_go_on.set()
    HttpSource.objects.update(budget_ms=30_000)
    watch_own_sources(shop.site.slug).reload()
    ((better, _),) = made(shop.load(), "home_trending", within_ms=60_000.0)

    assert len(items) == 4  # popular ones
    assert reason is FallbackReason.NO_CANDIDATES
    assert better[:2] == ["sku1", "sku2"]


def test_a_list_does_not_wait_for_a_service_beyond_its_own_time(
    shop: Shop, service: Service, stylist: HttpSource
) -> None:
    service.mode = "hold"
    HttpSource.objects.update(budget_ms=60_000)
    watch_own_sources(shop.site.slug).reload()
    state = shop.load()

    ((items, _),) = made(state, "home_trending", within_ms=80.0)  # the service answers nothing before this returns

    assert len(items) == 4
    assert not service.may_go_on.is_set()


def test_a_service_that_fails_again_and_again_is_let_alone_and_lists_are_kept_meanwhile(
    shop: Shop, service: Service, stylist: HttpSource
) -> None:
    service.mode = "error"
    state = shop.load()
    for _ in range(FAILURES):
        made(state, "home_trending")
    assert proposals.states_of(shop.site.slug)["stylist"].state is Circuit.OPEN

    made(state, "home_trending")
    asked = len(service.bodies)
    made(state, "home_trending")

    assert asked == len(service.bodies) == FAILURES
    assert len(lists._cache._entries) == 1


def test_an_edit_is_asked_at_once_and_what_is_off_is_not_asked(
    shop: Shop, service: Service, stylist: HttpSource
) -> None:
    state = shop.load()
    made(state, "home_trending")

    HttpSource.objects.update(url=f"{service.url}&new=1", secret="s")
    watch_own_sources(shop.site.slug).reload()
    state = shop.load()
    ((items, _),) = made(state, "home_trending")
    assert "Recsite-Signature" in service.headers[-1]
    assert items[:2] == ["sku1", "sku2"]

    HttpSource.objects.update(is_active=False)
    watch_own_sources(shop.site.slug).reload()
    made(shop.load(), "home_trending")
    assert len(service.bodies) == 2


def test_whom_a_service_is_told_of_gets_a_list_of_their_own(shop: Shop, service: Service, stylist: HttpSource) -> None:
    HttpSource.objects.update(sends_ids=True)
    watch_own_sources(shop.site.slug).reload()
    picks = {"u:ada": "sku5", "u:bob": "sku6"}
    service.proposes = lambda body: {"lists": [[picks[body["users"][0]["key"]]]]}
    state = shop.load()

    found = [made(state, "home_trending", user=RequestUser(key=key))[0][0][0] for key in picks]

    assert found == ["sku5", "sku6"]


def test_other_lists_of_the_site_ask_nobody(shop: Shop, service: Service, stylist: HttpSource) -> None:
    made(shop.load(), "home_buy_again", "product_similar")

    assert not service.bodies


def test_health_says_how_a_service_does(shop: Shop, service: Service, stylist: HttpSource, client: Any) -> None:
    service.mode = "error"
    made(shop.load(), "home_trending")

    answer = json.loads(client.get("/v1/health", headers={"X-Api-Key": shop.secret}).content)

    assert answer["sources"] == {"stylist": {"state": "failing", "requests": {"failed": 1}}}


def test_a_page_of_the_admin_asks_without_an_event_loop(shop: Shop, service: Service, stylist: HttpSource) -> None:
    state = shop.load()
    (query,) = queries(state, "home_trending")

    proposed = proposals.proposed_now(state.serving, query, NOBODY, Deadline.after(5_000.0))
    found = proposed["stylist"].retrieve(None, NOBODY, None, window="24h")  # type: ignore[arg-type]  # it has its answer

    assert [state.serving.item_index.item_id(row) for row in found.rows] == ["sku1", "sku2"]
    assert Placement.objects.count()
