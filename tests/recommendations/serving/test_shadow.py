"""A version in the shadow is asked and never shown; a canary answers its share; swaps and roll-backs fail nobody."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from recommendations.core.types import NOBODY
from recommendations.exceptions import VersionRefused
from recommendations.http.recommend import recommend_application
from recommendations.models import ModelVersion
from recommendations.release import train
from recommendations.serving import shadow
from recommendations.serving.requests import queries_of
from recommendations.serving.schemas import PlacementRequest
from recommendations.serving.shadow import MAX_WAITING, ShadowRunner, compare
from recommendations.state import models
from recommendations.state.site import SiteState
from recommendations.training.data.building import log_from_sessions
from recommendations.versions.lifecycle import promote, roll_back, start_canary, start_shadow, stop
from tests.recommendations.conftest import Shop
from tests.recommendations.release.test_train import QUICK
from tests.services.waiting import wait_until_async
from tests.tracking.asgi_client import Answered, call

pytestmark = [pytest.mark.redis, pytest.mark.slow]


def steps(step: int, n: int = 400) -> list[list[str]]:
    """Return sessions in which item n is always followed by item n + ``step`` of 30."""
    starts = np.random.default_rng(0).integers(0, 30, n)
    return [[f"sku{start}", f"sku{(start + step) % 30}"] for start in starts]


@pytest.fixture
def two(shop: Shop) -> Iterator[tuple[Shop, ModelVersion, ModelVersion]]:
    """Give a live version that learnt steps of 1, and a candidate that learnt steps of 11."""
    for number in range(30):
        shop.add(f"sku{number}")
    live = train.train_site(shop.site, log=log_from_sessions(steps(1)), settings=QUICK)
    other = train.train_site(
        shop.site, log=log_from_sessions(steps(11)), settings=replace(QUICK, seed=3), promotes=False
    )
    assert [live.status, other.status] == ["live", "candidate"], (live.gate_report, other.gate_report)
    yield shop, live, other
    shadow.runner.stop()


async def request_lists(shop: Shop, item_id: str = "sku8", *, limit: int = 3, **who: str) -> Answered:
    body = {"key": shop.publishable, "placement": "product_also_viewed", "context_items": [item_id], "limit": limit}
    return await call(recommend_application, json.dumps({**body, **who}).encode())


def result(answer: Answered) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json["results"][0]
    return found


def test_lists_are_compared_by_items_and_places() -> None:
    assert compare([1, 2], [1, 2]) == shadow.Comparison(overlap=1.0, same_first=True, moved=0.0)
    assert compare([1, 2], [3, 4]) == shadow.Comparison(overlap=0.0, same_first=False, moved=0.0)
    assert compare([], []).overlap == 1.0
    assert compare([1, 2, 3], [3, 2, 1]).moved == pytest.approx(4 / 3)


async def test_a_shadow_is_asked_and_counted_and_answers_nobody(two: tuple[Shop, ModelVersion, ModelVersion]) -> None:
    shop, live, other = two
    await asyncio.to_thread(start_shadow, other)
    await asyncio.to_thread(shop.load)

    answers = [result(await request_lists(shop, f"sku{number}")) for number in range(5)]

    assert {answer["model_version"] for answer in answers} == {live.version}
    assert [answer["items"][0]["item_id"] for answer in answers] == [f"sku{number + 1}" for number in range(5)]
    await asyncio.to_thread(shadow.runner.stop)
    report = await asyncio.to_thread(shadow.read_report, shop.site.slug, other.version)
    assert report is not None
    assert [report.lists, report.failed] == [5, 0]
    assert report.overlap < 1
    assert report.same_first == 0, "they learnt different steps"
    assert report.same_stage == 1
    assert 0 < report.shadow_ms[0] <= report.shadow_ms[1]


async def test_a_version_that_is_compared_with_itself_agrees(two: tuple[Shop, ModelVersion, ModelVersion]) -> None:
    shop, live, other = two
    await asyncio.to_thread(start_shadow, other)
    state = await asyncio.to_thread(shop.load)
    link = state.serving.links[live.version]
    twin = replace(state.serving, links={live.version: link, other.version: link})
    runner = ShadowRunner()
    answered = await an_answered_request(shop, replace(state, serving=twin))

    runner.offer(*answered)
    await asyncio.to_thread(runner.stop)

    report = await asyncio.to_thread(shadow.read_report, shop.site.slug, other.version)
    assert report is not None
    assert [report.overlap, report.same_first, report.moved] == [1.0, 1.0, 0.0]


async def an_answered_request(shop: Shop, state: SiteState) -> shadow.Answered:
    wanted = PlacementRequest(placement="product_also_viewed", context_items=("sku8",))
    return state, queries_of([wanted], state), NOBODY


async def test_what_is_too_much_is_left_out_and_costs_the_request_nothing(
    two: tuple[Shop, ModelVersion, ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, _, other = two
    await asyncio.to_thread(start_shadow, other)
    answered = await an_answered_request(shop, await asyncio.to_thread(shop.load))
    monkeypatch.setattr(shadow, "PAGES_A_SECOND", 1e9)
    runner = ShadowRunner()
    monkeypatch.setattr(runner._pages, "start", lambda: None)  # as if the thread did not get to it

    started = time.perf_counter()
    for _ in range(20 * MAX_WAITING):
        runner.offer(*answered)
    took_us = (time.perf_counter() - started) / (20 * MAX_WAITING) * 1e6

    assert len(runner._pages) == MAX_WAITING
    assert took_us < 2_000, "an offer that waited for a page would take milliseconds"


@pytest.mark.expects_errors(r"shadow\.failed")
async def test_a_shadow_that_fails_is_counted_and_fails_no_request(
    two: tuple[Shop, ModelVersion, ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, _, other = two
    await asyncio.to_thread(start_shadow, other)
    await asyncio.to_thread(shop.load)

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no such graph")

    monkeypatch.setattr(shadow, "recommend", broken)
    assert result(await request_lists(shop))["items"]
    await asyncio.to_thread(shadow.runner.stop)

    report = await asyncio.to_thread(shadow.read_report, shop.site.slug, other.version)
    assert report is not None
    assert [report.lists, report.failed] == [0, 1]


def test_the_admin_puts_a_version_into_the_shadow_shows_it_and_ends_it(
    two: tuple[Shop, ModelVersion, ModelVersion], admin_client: Client
) -> None:
    shop, live, other = two
    page = reverse("admin:recommendations_modelversion_change", args=[other.pk])

    admin_client.post(page, {"recommendations_modelversion_shadow_version": "1", "shadow_version": "1"})
    other.refresh_from_db()
    assert other.status == "shadow"
    shop.load()
    asyncio.run(_asked_once(shop))
    shown = admin_client.get(page).content.decode()
    assert "Items in both lists" in shown
    assert "Lists compared" in shown
    stop(other)
    other.refresh_from_db()
    assert other.status == "candidate"
    with pytest.raises(VersionRefused, match="answers everybody"):
        start_shadow(live)


async def _asked_once(shop: Shop) -> None:
    from recommendations.serving.user import close_reader

    await request_lists(shop)
    await asyncio.to_thread(shadow.runner.stop)
    await close_reader()


async def test_a_canary_answers_its_share_of_shoppers_and_each_of_them_always(
    two: tuple[Shop, ModelVersion, ModelVersion],
) -> None:
    shop, live, other = two
    await asyncio.to_thread(lambda: start_canary(other, percent=30))
    await asyncio.to_thread(shop.load)
    visitors = [f"{number:032x}" for number in range(300)]

    first = [result(await request_lists(shop, anonymous_id=visitor)) for visitor in visitors]
    again = [result(await request_lists(shop, anonymous_id=visitor)) for visitor in visitors]

    variants = [answer["variant"] for answer in first]
    assert variants == [answer["variant"] for answer in again]
    assert 0.2 < variants.count("canary") / len(variants) < 0.4
    versions = {answer["variant"]: answer["model_version"] for answer in first}
    assert versions == {"live": live.version, "canary": other.version}
    assert {answer["items"][0]["item_id"] for answer in first if answer["variant"] == "canary"} == {"sku19"}


async def test_swaps_and_roll_backs_under_load_fail_no_request(two: tuple[Shop, ModelVersion, ModelVersion]) -> None:
    shop, live, other = two
    await asyncio.to_thread(shop.load)
    outcomes: Counter[tuple[int, str]] = Counter()
    worst_ms = 0.0
    is_done = False

    async def visitor(number: int) -> None:
        nonlocal worst_ms
        while not is_done:
            started = time.perf_counter()
            answer = await request_lists(shop, f"sku{number}", limit=4)
            worst_ms = max(worst_ms, (time.perf_counter() - started) * 1000)
            found = result(answer)
            step = (int(found["items"][0]["item_id"][3:]) - number) % 30
            outcomes[step, found["model_version"]] += 1
            number = (number + 7) % 30
            await asyncio.sleep(0)

    def swap(change: Any) -> None:
        change()
        models.watch_models(shop.site.slug).reload()
        shop.load()

    load = [asyncio.create_task(visitor(number)) for number in range(4)]

    async def fifty_more() -> None:
        goal = sum(outcomes.values()) + 50
        await wait_until_async(lambda: sum(outcomes.values()) >= goal, "fifty more answers")

    for _ in range(3):
        await asyncio.to_thread(swap, lambda: promote(other))
        await fifty_more()
        await asyncio.to_thread(swap, lambda: roll_back(shop.site.pk))
        await fifty_more()
    is_done = True
    await asyncio.gather(*load)

    print(f"{sum(outcomes.values())} requests over 6 swaps, worst {worst_ms:.0f} ms: {dict(outcomes)}")
    assert set(outcomes) == {(1, live.version), (11, other.version)}, "every answer is of one version"
    assert min(outcomes.values()) > 50
