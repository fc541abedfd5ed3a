"""The same archive, trained by Spark: the same log, the same tables, a version that passes the gate and answers."""

from __future__ import annotations

import importlib.util
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from recommendations.models import ModelVersion
from recommendations.ranking.histories import SessionHistories
from recommendations.training.data.archive import read_archive
from recommendations.training.data.dataset import SessionLog, popularity_vocabulary
from recommendations.training.fit import als as fit_als
from recommendations.training.fit import neighbours
from recommendations.training.fit.batch import score_als
from recommendations.training.fitted import Neighbours
from recommendations.training.settings import TrainingSettings
from recommendations.training.spark.session import SparkUnavailable, spark_session
from recommendations.versions.folder import load_version
from tests.recommendations.archives import DAY_MS, HOUR_MS, aisle_items, aisle_walks, write_sessions
from tests.recommendations.conftest import Shop
from tests.services.fixtures import leave_out
from tests.services.process import Missing

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from recommendations.training.spark.log import SparkLog

START_MS = 1_772_000_000_000
SITE = "world"
FACTORS = 16


def need_spark(config: pytest.Config) -> None:
    """Leave the test out where pyspark or Java is missing."""
    if importlib.util.find_spec("pyspark") is None:
        leave_out(config, Missing("pyspark", "pip install -r requirements-spark.txt"))
    if shutil.which("java") is None:
        leave_out(config, Missing("Java", "install Java 17 (Debian: openjdk-17-jre-headless)"))


@dataclass(frozen=True)
class World:
    """One archive, read by both."""

    spark: SparkSession
    url: str
    log: SparkLog
    plain: SessionLog


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return an archive with re-sends, a bot, and a shopper who was anonymous at first."""
    need_spark(request.config)
    monkeypatch = pytest.MonkeyPatch()
    from recommendations.training.spark.log import read_log

    url = str(tmp_path_factory.mktemp("archive"))
    walks = aisle_walks(300, from_ms=START_MS, until_ms=START_MS + 5 * DAY_MS, seed=4)
    # Items outside of the aisles, so that counts differ and few weights tie.
    rng = np.random.default_rng(5)
    walks = [(at, [*items, *(f"x{rng.zipf(1.6) % 40}" for _ in range(rng.integers(0, 4)))]) for at, items in walks]
    write_sessions(url, SITE, walks)
    for path in Path(url).rglob("*.parquet"):
        shutil.copy(path, path.with_name("resent.parquet"))
    write_sessions(url, SITE, [(START_MS + HOUR_MS, ["bot-only"] * 3)], bot=True)
    once_anonymous = f"anonymous-{walks[0][0]}-0"
    write_sessions(url, SITE, [(START_MS + DAY_MS, ["x1", "x2"])], anonymous_id=once_anonymous, user_id="jo")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")  # a short life, on few cores
    interrupted = signal.getsignal(signal.SIGINT)
    with spark_session("local[2]", memory_mb=1024, partitions=2) as spark:
        log = read_log(spark, url, site=SITE)
        plain = read_archive(url, site=SITE)
        yield World(spark=spark, url=url, log=log, plain=plain)
    assert signal.getsignal(signal.SIGINT) is interrupted, "Spark's handler of Ctrl-C outlived it"
    monkeypatch.undo()


@pytest.fixture(scope="module")
def both(world: World) -> tuple[Any, SessionLog]:
    """Return (session, position, item, kind) in Spark, and the same log under the same vocabulary."""
    from recommendations.training.spark.sources import _indexed

    item_ids = world.log.vocabulary()
    return _indexed(world.log, item_ids).persist(), world.plain.reindexed(item_ids)


@pytest.mark.spark
@pytest.mark.slow
class TestParity:
    def test_spark_reads_the_log_that_the_reader_reads(self, world: World) -> None:
        item_ids = world.log.vocabulary()
        collected, plain = world.log.collected(item_ids), world.plain.reindexed(item_ids)

        assert item_ids == popularity_vocabulary(world.plain)
        assert "bot-only" not in item_ids
        for name in ("items", "kinds", "occurred_at_ms", "offsets"):
            np.testing.assert_array_equal(getattr(collected, name), getattr(plain, name), err_msg=name)
        assert world.log.data_range() == world.plain.data_range()

    def test_parts_of_the_log_are_those_of_the_reader(self, world: World) -> None:
        item_ids = world.log.vocabulary()
        part, plain = world.log.between(60, 260), world.plain.between(60, 260).reindexed(item_ids)
        middle = int(world.plain.ended_at_ms[249])

        np.testing.assert_array_equal(part.collected(item_ids).items, plain.items)
        np.testing.assert_array_equal(part.newest(50).collected(item_ids).items, plain.between(150, 200).items)
        assert world.log.ended_by(middle) == np.searchsorted(world.plain.ended_at_ms, middle, side="right")

    @pytest.mark.parametrize("name", ["tfidf", "covisitation", "next", "baskets"])
    def test_neighbours_equal_those_of_one_machine(self, both: tuple[Any, SessionLog], name: str) -> None:
        from recommendations.training.spark import item_item

        flat, log = both
        n_items = log.n_items
        if name in ("covisitation", "next"):
            found = dict(
                zip(
                    ("covisitation", "next"),
                    item_item.fit_following(flat, n_items=n_items, k=20, next_k=20),
                    strict=True,
                )
            )[name]
        else:
            found = getattr(item_item, f"fit_{name}")(flat, n_items=n_items, k=20)
        expected = getattr(neighbours, f"fit_{name}")(log, k=20)

        assert_same_neighbours(found, expected)

    def test_als_lists_what_als_on_one_machine_lists(self, both: tuple[Any, SessionLog]) -> None:
        from recommendations.training.spark.sources import fit_als as fit_als_on_spark

        flat, log = both
        settings = TrainingSettings(factors=FACTORS, als_iterations=8)
        ours = fit_als_on_spark(flat, n_items=log.n_items, settings=settings)
        theirs = fit_als.fit_als(log, factors=FACTORS, iterations=8)
        aisle = [index for index, item_id in enumerate(log.item_ids) if item_id.startswith("a")]
        histories = SessionHistories(items=np.array(aisle, np.int32), offsets=np.arange(len(aisle) + 1, dtype=np.int64))

        lists = [score_als(als, histories, k=5).items for als in (ours, theirs)]

        overlap = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(*(part.tolist() for part in lists), strict=True)])
        assert overlap > 0.7
        assert not ours.item_factors[0].any()


def assert_same_neighbours(found: Neighbours, expected: Neighbours) -> None:
    """Compare weights in order; and items, but for those whose weights tie within rounding."""
    assert [found.name, found.decay, found.last_n] == [expected.name, expected.decay, expected.last_n]
    np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-4, atol=1e-6)
    differs = found.indices != expected.indices
    for row, position in np.argwhere(differs):
        ties = np.isclose(expected.weights[row], expected.weights[row, position], rtol=1e-4, atol=1e-6)
        assert ties.sum() > 1 or ties[-1], f"row {row}, place {position}"
    assert differs.mean() < 0.05


@pytest.mark.spark
@pytest.mark.redis
@pytest.mark.slow
def test_the_command_makes_a_version_that_passes_the_gate_and_answers(
    world: World, shop: Shop, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.ARCHIVE_URL = world.url
    shop.site.slug = SITE
    shop.site.save()
    for item_id in [*aisle_items(), "never-seen"]:
        shop.add(item_id)

    call_command("train_spark", site=SITE, master="local[2]", partitions=4, factors=FACTORS, memory_mb=1024)

    version = ModelVersion.objects.get()
    said = capsys.readouterr().out
    assert [version.status, [check["passed"] for check in version.gate_report]] == ["live", [True] * 4]
    assert version.metrics["fusion"]["mrr@20"] > version.metrics["popularity"]["mrr@20"]
    assert "fusion" in said
    loaded = load_version(Path(settings.MODEL_DIR) / SITE / version.version, providers="cpu")
    assert loaded.verdict is not None
    assert min(loaded.verdict.agreement.values()) == 1.0
    assert set(loaded.manifest.sources) == {
        *("sessions", "als", "tfidf", "covisitation", "next", "factors", "walk", "around", "baskets")
    }
    assert "never-seen" in loaded.model_set.item_ids
    assert loaded.manifest.ranker is None


def test_without_java_the_message_says_what_to_install(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("pyspark") is None:
        leave_out(request.config, Missing("pyspark", "pip install -r requirements-spark.txt"))
    monkeypatch.setenv("PATH", "")

    with pytest.raises(SparkUnavailable, match="install a Java 17 runtime"), spark_session("local[1]"):
        pass


@pytest.mark.redis
def test_an_unknown_site_is_refused_before_spark_starts(shop: Shop) -> None:
    with pytest.raises(CommandError, match="--site='nowhere' is unknown"):
        call_command("train_spark", site="nowhere")
