"""What shoppers get when a part is unavailable, frozen or broken: always 200, with the reason, in time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper

from features import keys
from features.catalogue.site import watch_catalogue
from features.state import states
from features.store import connections
from recommendations.exceptions import ModelUnavailable
from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.http.recommend import recommend_application
from recommendations.metrics import PIPELINE_ERRORS
from recommendations.models import ModelVersion
from recommendations.pipeline.pipeline import STEPS
from recommendations.pipeline.state import PipelineState, Step
from recommendations.retrieval.model import ModelLink
from recommendations.serving.user import close_reader
from recommendations.state.models import watch_models
from recommendations.state.placements import watch_placements
from recommendations.versions.folder import check_integrity
from recommendations.versions.lifecycle import version_path
from tests.recommendations.conftest import ANONYMOUS, Shop, forget_lists
from tests.recommendations.model_worlds import fitted_model_set
from tests.services.process import Server
from tests.services.redis_server import RedisServer
from tests.services.waiting import outlast
from tests.tracking.asgi_client import Answered, call
from tracking.access import sites
from tracking.contract.user_key import key_of_anonymous
from tracking.redis_client import connect

pytestmark = pytest.mark.redis


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    for number in range(12):
        shop.add(f"sku{number}", category="Shoes" if number % 2 else "Hats")
    shop.load()
    return shop


async def request_lists(shop: Shop, **changes: Any) -> Answered:
    body = {"key": shop.publishable, "anonymous_id": ANONYMOUS, "placement": "home_for_you", "limit": 4, **changes}
    return await call(recommend_application, json.dumps(body).encode())


async def test_a_redis_that_is_killed_frozen_and_back_never_costs_an_answer(
    stocked: Shop, settings: Any, own_server: Callable[[Callable[[], Server]], Server]
) -> None:
    server = own_server(RedisServer)
    settings.REDIS_URL, settings.REDIS_TIMEOUT_MS = server.url, 25
    await close_reader()
    reasons, took_ms = [], []
    for step in (lambda: None, server.freeze, server.thaw, server.kill):
        step()
        for _ in range(5):
            started = time.perf_counter()
            answer = await request_lists(stocked)
            took_ms.append((time.perf_counter() - started) * 1000)
            assert answer.status == 200
            assert len(answer.json["results"][0]["items"]) == 4
        reasons.append(answer.json["results"][0]["fallback_reason"])
        outlast(0.6, "the breaker's pause")
    await close_reader()

    assert reasons == ["no_model", "store_unavailable", "no_model", "store_unavailable"]
    assert max(took_ms) < 5_000  # on a busy machine; the store's time-out is 25 ms


async def test_eleven_minutes_without_the_database_cost_no_answer(
    stocked: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*arguments: Any, **named: Any) -> Any:
        raise OperationalError("the server closed the connection unexpectedly")

    before = await request_lists(stocked)
    now, monotonic = time.time, time.monotonic
    monkeypatch.setattr(time, "time", lambda: now() + 660)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + 660)
    with monkeypatch.context() as patched:
        patched.setattr(CursorWrapper, "execute", away)
        slug = stocked.site.slug
        snapshots: list[Any] = [sites.keys, watch_placements(slug), watch_models(slug), watch_catalogue(slug)]
        refreshed = [await asyncio.to_thread(snapshot.refresh) for snapshot in snapshots]
        during = await request_lists(stocked)

    assert refreshed == [False] * 4
    assert [during.status, len(during.json["results"][0]["items"])] == [200, 4]
    assert during.json["results"][0]["stage"] == before.json["results"][0]["stage"]


async def test_a_session_that_runs_out_leaves_the_long_term_profile(stocked: Shop) -> None:
    def act(*, forget: bool) -> None:
        if not forget:
            stocked.remember("sku1", "sku3", now_ms=int(time.time() * 1000))
            return
        client = connect(stocked.redis_url, timeout_s=2)
        partition = keys.partition_of(stocked.site.slug, key_of_anonymous(ANONYMOUS), connections.partitions())
        profile = states.ProfileState(newest_ms=1, recents={"vsku1": 1, "vsku3": 2}, sessions=[[1, 2, 2]])
        client.set(keys.profile(partition, stocked.site.slug, f"a:{ANONYMOUS}"), states.encode(profile), ex=600)
        assert client.delete(keys.session(partition, stocked.site.slug, f"a:{ANONYMOUS}")) == 1
        client.close()

    await asyncio.to_thread(act, forget=False)
    during = (await request_lists(stocked)).json["results"][0]
    await asyncio.to_thread(act, forget=True)
    after = (await request_lists(stocked)).json["results"][0]

    assert [during["stage"], after["stage"]] == ["personalised", "personalised"]
    assert after["items"]


@pytest.mark.expects_errors(r"lists\.failed")
async def test_a_pipeline_that_breaks_still_answers_popular_items(
    stocked: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(state: PipelineState) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setitem(STEPS, Step.DIVERSITY, fail)
    failed = PIPELINE_ERRORS.labels(stocked.site.slug, "diversity")
    before = failed._value.get()

    answer = await request_lists(stocked)

    result = answer.json["results"][0]
    assert [answer.status, result["stage"], result["fallback_reason"]] == [200, "popular", "pipeline_error"]
    assert len(result["items"]) == 4
    assert failed._value.get() == before + 1
    assert "step=diversity" in caplog.text


async def test_a_model_that_fails_while_running_leaves_content_and_says_so(
    stocked: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install() -> None:
        fitted = fitted_model_set(n_items=12, with_ranker=False)
        for number in range(1, 12):
            stocked.add(f"item-{number}", category="Shoes")
        export_model_set(fitted, version_path(stocked.site.slug, "v1"), targets=frozenset({Target.CPU}))
        sha256 = check_integrity(version_path(stocked.site.slug, "v1"))
        ModelVersion.objects.create(site=stocked.site, version="v1", status="live", manifest={"sha256": sha256})
        stocked.load()
        stocked.remember("item-3", now_ms=int(time.time() * 1000))

    def fail(*arguments: Any, **named: Any) -> Any:
        raise ModelUnavailable("gone")

    await asyncio.to_thread(install)
    good = (await request_lists(stocked)).json["results"][0]
    forget_lists()
    monkeypatch.setattr(ModelLink, "retrieve", fail)
    bad = (await request_lists(stocked)).json["results"][0]

    assert [good["stage"], good["fallback_reason"], good["model_version"]] == ["personalised", None, "v1"]
    assert [bad["stage"], bad["fallback_reason"]] == ["personalised", "model_failed"]
    assert bad["items"]


async def test_without_time_the_model_is_not_asked(stocked: Shop) -> None:
    answer = await request_lists(stocked, budget_ms=1)

    assert answer.status == 200
    assert len(answer.json["results"][0]["items"]) == 4


async def test_malformed_bodies_are_400_and_never_a_traceback(stocked: Shop) -> None:
    bodies = [b"", b"null", b"[]", b'"x"', b"{" * 5000, b'{"key": NaN}', b'{"key": "\\u0000"}', bytes(range(256))]
    for body in bodies * 20:
        answer = await call(recommend_application, body)
        assert 400 <= answer.status < 500
        assert answer.json.keys() >= {"error", "message", "field"}
