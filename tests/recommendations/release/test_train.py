"""From sessions to a version that answers, through the gate; and swaps while requests run."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

from recommendations.exceptions import VersionRefused
from recommendations.http.recommend import recommend_application
from recommendations.models import ModelVersion, TrainingPolicy
from recommendations.release import train
from recommendations.state.models import watch_models
from recommendations.training.data.building import log_from_sessions
from recommendations.training.settings import TrainingSettings
from recommendations.versions.folder import load_version
from recommendations.versions.lifecycle import promote, version_path
from tests.recommendations.conftest import ANONYMOUS, Shop, load_site
from tests.tracking.asgi_client import call

pytestmark = [pytest.mark.redis, pytest.mark.slow]
QUICK = TrainingSettings(factors=16, als_iterations=3, max_queries=400, tuning_queries=100, trees=10, num_threads=1)


def pairs(n: int = 400, seed: int = 0) -> list[list[str]]:
    """Return sessions in which item 2k is always followed by 2k + 1."""
    starts = 2 * np.random.default_rng(seed).integers(0, 15, n)
    return [[f"sku{start}", f"sku{start + 1}"] for start in starts]


@pytest.fixture
def trained(shop: Shop) -> tuple[Shop, ModelVersion]:
    for number in range(30):
        shop.add(f"sku{number}")
    return shop, train.train_site(shop.site, log=log_from_sessions(pairs()), settings=QUICK)


async def next_after(shop: Shop, item_id: str) -> Any:
    body = {"key": shop.publishable, "placement": "product_also_viewed", "context_items": [item_id], "limit": 1}
    return (await call(recommend_application, json.dumps(body).encode())).json["results"][0]


async def test_a_trained_version_answers_what_it_learnt(trained: tuple[Shop, ModelVersion]) -> None:
    shop, version = trained
    await asyncio.to_thread(shop.load)

    result = await next_after(shop, "sku8")

    assert result["items"][0]["item_id"] == "sku9"
    assert [result["model_version"], result["stage"], result["fallback_reason"]] == [version.version, "session", None]


async def test_a_version_that_learnt_about_products_answers_with_variants_that_can_be_had(shop: Shop) -> None:
    def learn() -> Sequence[str]:
        for number in range(90):
            shop.add(f"sku{number // 3}-{number % 3}", group_id=f"sku{number // 3}", stock=int(number % 3 != 1))
        sizes = np.random.default_rng(1)
        sessions = [[f"{product}-{sizes.integers(3)}" for product in session] for session in pairs()]
        settings = replace(QUICK, counts_products=True)
        version = train.train_site(shop.site, log=log_from_sessions(sessions), settings=settings)
        shop.load()
        return load_version(version_path(shop.site.slug, version.version), providers="cpu").model_set.item_ids

    known = await asyncio.to_thread(learn)

    assert set(known) == {"", *(f"sku{number}" for number in range(30))}
    for page in ("sku8-0", "sku8-1", "sku8"):
        result = await next_after(shop, page)
        assert result["items"][0]["item_id"] in ("sku9-0", "sku9-2")
        assert result["stage"] == "session"


def test_the_gate_report_says_what_was_checked(trained: tuple[Shop, ModelVersion]) -> None:
    _, version = trained

    assert version.status == "live"
    assert [(check["name"], check["passed"]) for check in version.gate_report] == [
        ("integrity and golden answers", True),
        ("quality", True),
        ("calibration", True),
        ("latency", True),
    ]
    assert len(version.manifest["sha256"]) == 64
    assert version.metrics["fusion"]["hr@20"] > 0.9


def test_a_version_worse_than_the_live_one_is_refused_and_answers_nobody(trained: tuple[Shop, ModelVersion]) -> None:
    shop, good = trained
    metrics = {"fusion": {"mrr@20": 0.2}, "popularity": {"mrr@20": 0.1}, "live": {"mrr@20": 0.4, "points": 5000.0}}
    shutil.copytree(version_path(shop.site.slug, good.version), version_path(shop.site.slug, "worse"))

    worse = train.register(shop.site, "worse", metrics, promotes=True)

    good.refresh_from_db()
    assert [worse.status, good.status] == ["refused", "live"]
    assert "0.2000" in worse.gate_report[1]["reason"]


def test_a_version_too_slow_for_the_policy_is_refused_with_both_figures(trained: tuple[Shop, ModelVersion]) -> None:
    shop, good = trained
    TrainingPolicy.objects.filter(site=shop.site).update(latency_ms=0.01)
    shutil.copytree(version_path(shop.site.slug, good.version), version_path(shop.site.slug, "slow"))

    slow = train.register(shop.site, "slow", good.metrics, promotes=True)

    good.refresh_from_db()
    assert [slow.status, good.status] == ["refused", "live"]
    said = next(check["reason"] for check in slow.gate_report if check["name"] == "latency")
    assert re.search(r"[\d.]+ ms a request to all sources .*of 0.01 ms: too slow; train with fewer factors", said)


@pytest.mark.expects_errors(r"live_models\.refused")
async def test_a_folder_exchanged_behind_the_registrys_back_is_refused_and_the_old_one_answers(
    trained: tuple[Shop, ModelVersion],
) -> None:
    shop, good = trained
    await asyncio.to_thread(shop.load)
    other = await asyncio.to_thread(
        lambda: train.train_site(shop.site, log=log_from_sessions(pairs(seed=1)), settings=QUICK, promotes=False)
    )

    def exchange() -> None:
        """Put the live version's folder, whole and right in itself, into the other one's place."""
        shutil.rmtree(version_path(shop.site.slug, other.version))
        shutil.copytree(version_path(shop.site.slug, good.version), version_path(shop.site.slug, other.version))
        with pytest.raises(VersionRefused, match=r"has the manifest \w+…, registered was"):
            promote(other)
        ModelVersion.objects.filter(pk=good.pk).update(status="retired")
        ModelVersion.objects.filter(pk=other.pk).update(status="live")
        shop.load()

    await asyncio.to_thread(exchange)

    assert (await next_after(shop, "sku8"))["model_version"] == good.version
    assert "registered was" in watch_models(shop.site.slug).current().refused[other.version]


async def test_versions_swap_without_a_failed_request(trained: tuple[Shop, ModelVersion]) -> None:
    shop, first = trained
    await asyncio.to_thread(shop.load)
    second = await asyncio.to_thread(
        lambda: train.train_site(shop.site, log=log_from_sessions(pairs(seed=1)), settings=QUICK, promotes=False)
    )
    seen: set[str] = set()
    failed = 0

    def swap() -> None:
        promote(second)
        watch_models(shop.site.slug).reload()
        load_site(shop.site.slug)

    swapping = asyncio.create_task(asyncio.to_thread(swap))
    while not swapping.done() or second.version not in seen:
        result = await next_after(shop, "sku8")
        seen.add(result["model_version"])
        failed += result["items"][0]["item_id"] != "sku9"
    await swapping

    assert [seen, failed] == [{first.version, second.version}, 0]


@pytest.mark.expects_errors(r"live_models\.refused")
async def test_a_live_version_whose_folder_is_gone_leaves_the_old_one_answering(
    trained: tuple[Shop, ModelVersion],
) -> None:
    shop, good = trained
    await asyncio.to_thread(shop.load)

    def break_it() -> None:
        ModelVersion.objects.filter(pk=good.pk).update(status="retired")
        ModelVersion.objects.create(site=shop.site, version="nowhere", status="live")
        shop.load()

    await asyncio.to_thread(break_it)

    assert (await next_after(shop, "sku8"))["model_version"] == good.version


async def test_personal_lists_follow_the_shopper(trained: tuple[Shop, ModelVersion]) -> None:
    shop, _ = trained
    await asyncio.to_thread(shop.load)
    await asyncio.to_thread(shop.remember, "sku4", now_ms=int(time.time() * 1000))
    body = {"key": shop.publishable, "anonymous_id": ANONYMOUS, "placement": "home_for_you", "limit": 2}

    result = (await call(recommend_application, json.dumps(body).encode())).json["results"][0]

    assert "sku5" in [item["item_id"] for item in result["items"]]
    assert [result["stage"], result["fallback_reason"]] == ["personalised", None]


def test_evaluate_prints_the_metrics_of_the_served_lists(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sessions, points = tmp_path / "sessions.jsonl", tmp_path / "test.jsonl"
    sessions.write_text("\n".join(map(json.dumps, pairs())))
    points.write_text("\n".join(json.dumps({"prefix": [f"sku{n}"], "target": f"sku{n + 1}"}) for n in range(0, 30, 2)))

    call_command("evaluate", sessions=sessions, test=points)

    said = capsys.readouterr().out
    assert float(said.split("HR@20")[1].split()[0]) == 1.0
    assert float(said.split("MRR@20")[1].split()[0]) > 0.5
    assert "0.00% of the targets are unknown" in said
