"""Explanations: kept by a thread, bounded, counted where they are not, and none lost at the end of the process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from features.exceptions import StoreUnavailable
from recommendations import keys, lifecycle
from recommendations.serving import explanation_log
from recommendations.serving.explanation_log import BURST, ExplanationKeeper, Receipt, find_explanation
from recommendations.serving.rec_ids import RecId, signer
from tracking.redis_client import connect


@pytest.fixture
def keeper() -> Iterator[ExplanationKeeper]:
    made = ExplanationKeeper()
    yield made
    made.stop()


def a_receipt(*, made_at_s: int) -> Receipt:
    return Receipt(
        placement="home", made_at_s=made_at_s, items=[("sku1", "popular")], stage="popular", fallback_reason=None,
        model_version=None, variant="live", rule_ids=(), feature_age_ms=None,
    )  # fmt: skip


def an_id(site: str, *, made_at_s: int) -> tuple[str, RecId]:
    rec_id = signer().make(site=site, placement="home", model_version="", variant="live", now_s=made_at_s)
    return rec_id, signer().read(rec_id, site=site)


def dropped() -> float:
    return REGISTRY.get_sample_value("recsite_explanations_dropped_total") or 0.0


@pytest.mark.redis
def test_what_a_process_holds_when_it_stops_can_still_be_explained(
    keeper: ExplanationKeeper, redis_url: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = redis_url
    monkeypatch.setattr(explanation_log, "FLUSH_EVERY_S", 3_600.0)  # nothing but the stop writes it
    keeper = ExplanationKeeper()
    now_s = int(time.time())
    ids = [an_id(f"shop{time.monotonic_ns()}", made_at_s=now_s) for _ in range(20)]
    for rec_id, said in ids:
        keeper.put(said.site, rec_id, a_receipt(made_at_s=now_s))
    keeper.stop()

    assert [find_explanation(rec_id, said) for rec_id, said in ids] == [a_receipt(made_at_s=now_s)] * 20


@pytest.mark.redis
async def test_a_web_process_writes_its_explanations_when_it_ends(
    redis_url: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = redis_url
    monkeypatch.setattr(explanation_log, "FLUSH_EVERY_S", 3_600.0)
    keeper = ExplanationKeeper()
    monkeypatch.setattr(lifecycle, "explanations", keeper)
    now_s = int(time.time())
    rec_id, said = an_id(f"shop{time.monotonic_ns()}", made_at_s=now_s)
    keeper.put(said.site, rec_id, a_receipt(made_at_s=now_s))
    await lifecycle.shutdown()

    assert find_explanation(rec_id, said) is not None


@pytest.mark.redis
def test_a_site_keeps_so_many_an_hour_and_the_rest_is_counted(
    keeper: ExplanationKeeper, redis_url: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = redis_url
    monkeypatch.setattr(explanation_log, "MAX_AN_HOUR", 3)
    site, now_s, before = f"shop{time.monotonic_ns()}", int(time.time()), dropped()
    for number in range(5):
        keeper.put(site, f"id{number}", a_receipt(made_at_s=now_s))
    keeper.flush()

    with connect(redis_url, timeout_s=2) as client:
        assert client.hlen(keys.explanations(site, now_s // 3600)) == 3
    assert dropped() - before == 2


def test_what_an_unavailable_store_does_not_take_is_counted(keeper: ExplanationKeeper, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    before = dropped()
    keeper.put("shop", "id", a_receipt(made_at_s=0))
    keeper.stop()

    assert dropped() - before == 1


def test_an_outage_keeps_the_newest_and_counts_the_others(keeper: ExplanationKeeper, monkeypatch: Any) -> None:
    monkeypatch.setattr(keeper._flusher, "start", lambda: None)  # as if the thread did not get to it
    written: list[str] = []
    monkeypatch.setattr(keeper._flusher, "_write", lambda batch: written.extend(kept.rec_id for kept in batch))
    before, most = dropped(), int(BURST) * 2
    for number in range(most + 7):
        keeper.put("shop", f"id{number}", a_receipt(made_at_s=0))
    keeper.flush()

    assert dropped() - before == 7
    assert (len(written), written[0]) == (most, "id7")


@pytest.mark.redis
def test_an_erasure_drops_what_the_user_was_shown(settings: Any, redis_url: str) -> None:
    settings.REDIS_URL = redis_url
    site = f"shop{time.monotonic_ns()}"
    hour = int(time.time()) // 3_600
    client = connect(redis_url, timeout_s=5)
    for name in ("mine", "theirs"):
        client.hset(keys.explanations(site, hour), name, b"x")
        client.hset(keys.explanations(site, hour - 20), name, b"x")
    assert explanation_log.forget_explanations(site, ["mine", "unknown"]) == 2
    assert explanation_log.forget_explanations(site, []) == 0
    assert client.hkeys(keys.explanations(site, hour)) == [b"theirs"]
    client.close()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(StoreUnavailable, match="explanations"):
        explanation_log.forget_explanations(site, ["mine"])
