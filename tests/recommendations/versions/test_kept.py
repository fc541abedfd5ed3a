"""A version that an earlier release has trained still answers, its columns found by name."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from recommendations.core.manifest import MANIFEST_NAME
from recommendations.exceptions import RefusalReason, VersionRefused
from recommendations.inference import ModelSet
from recommendations.items.index import ItemIndex
from recommendations.models import ModelVersion, TrainingPolicy, TrainingRun
from recommendations.monitoring.drift import Verdict, columns_check
from recommendations.ranking.columns import COLUMNS
from recommendations.release.baseline import PipelinePredictor
from recommendations.release.runs import due_sites
from recommendations.retrieval.model import RANKED_SOURCES, ModelLink
from recommendations.state.models import ModelLoader
from recommendations.versions import lifecycle
from recommendations.versions.folder import check_integrity, load_version
from tests.recommendations.versions import kept
from tests.recommendations.worlds import catalogue
from tracking.models import Site

RENAMED = ("day_demand", "times_seen")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {release: kept.unpacked(release, tmp_path_factory.mktemp("kept")) for release in kept.RELEASES}


def of_another_release(folder: Path, renamed: tuple[str, ...] = RENAMED) -> None:
    """Make a version one whose ranker knows some columns under names that this release does not have."""
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    names = manifest["ranker"]["columns"]
    manifest["ranker"]["columns"] = [f"former_{name}" if name in renamed else name for name in names]
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest))


def test_this_release_is_kept_too() -> None:
    assert set(kept.RELEASES) >= {"0.1.0", kept.this_release()}


@pytest.mark.slow
@pytest.mark.parametrize("release", kept.RELEASES)
def test_a_version_of_each_release_passes_the_gate_and_lists_what_its_users_want(
    folders: dict[str, Path], release: str
) -> None:
    loaded = load_version(folders[release], providers="cpu", ranker_columns=COLUMNS)
    predict = PipelinePredictor(loaded.model_set)
    sessions = [walk for walk in kept.walks(60, seed=77) if len(walk) > 3]
    found = [walk[-1] in predict(walk[:-1])[:10] for walk in sessions]

    assert loaded.verdict is not None
    assert min(loaded.verdict.agreement.values()) == 1.0
    assert "ranker" in loaded.verdict.agreement
    assert loaded.model_set.missing_columns == ()
    assert np.mean(found) > 0.8  # 10 of 60 items by chance would be a sixth


@pytest.mark.slow
@hypothesis_settings(max_examples=15, deadline=None)
@given(order=st.permutations(COLUMNS), gone=st.sets(st.sampled_from(COLUMNS), max_size=20), seed=st.integers(0, 9))
def test_a_ranker_finds_its_columns_by_name_and_takes_0_for_those_that_are_gone(
    folders: dict[str, Path], order: list[str], gone: set[str], seed: int
) -> None:
    as_trained = model_of(folders, COLUMNS)
    given_columns = (*(name for name in order if name not in gone), "newer")
    matrix = np.random.default_rng(seed).normal(size=(30, len(given_columns))).astype(np.float32)
    by_name = {name: matrix[:, index] for index, name in enumerate(given_columns)}
    nothing = np.zeros(30, np.float32)
    trained = as_trained.manifest.ranker.columns if as_trained.manifest.ranker else ()
    expected = as_trained.rank(np.column_stack([by_name.get(name, nothing) for name in trained]))

    asked = model_of(folders, given_columns)

    assert np.array_equal(asked.rank(matrix), expected)
    assert asked.missing_columns == tuple(name for name in trained if name in gone)


def model_of(folders: dict[str, Path], columns: tuple[str, ...]) -> ModelSet:
    return ModelSet.load(folders["0.1.0"], providers="cpu", ranker_columns=columns)


@pytest.mark.parametrize("renamed", [(), RENAMED])
def test_lists_are_ordered_by_the_ranker_of_another_release(tmp_path: Path, renamed: tuple[str, ...]) -> None:
    folder = kept.unpacked("0.1.0", tmp_path)
    of_another_release(folder, renamed)
    model = ModelSet.load(folder, providers="cpu", ranker_columns=COLUMNS)
    index = ItemIndex(catalogue(*({"item_id": item_id} for item_id in model.item_ids[1:])))
    link = ModelLink(model, index, version="0.1.0")
    given: list[int] = []

    answer = link.retrieve(index.sequence([model.item_ids[1]]), sources=RANKED_SOURCES, k=50)
    with pytest.MonkeyPatch.context() as patched:
        rank = model.rank
        patched.setattr(model, "rank", lambda matrix: given.append(matrix.shape[1]) or rank(matrix))
        ordered = link.rank(answer, k=50)
        weighed = link.rank(answer, k=50, objectives=(("click", 50.0), ("revenue", 50.0)))

    assert set(model.missing_columns) == {f"former_{name}" for name in renamed}
    assert link.ranked_sources == RANKED_SOURCES
    assert given == [len(COLUMNS)] * 2
    assert len(ordered) > 10
    assert weighed.tolist() == ordered.tolist(), "it has learnt no chance of anything"


def test_a_ranker_without_most_of_its_columns_is_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(VersionRefused, match=r"60 of them are not made any more .* train again") as caught:
        load_version(folders["0.1.0"], providers="cpu", ranker_columns=COLUMNS[60:], check_answers=False)
    assert caught.value.reason is RefusalReason.SCHEMA


def test_missing_columns_are_a_check_of_health() -> None:
    assert columns_check((), 74).verdict is Verdict.FINE
    few = columns_check(("day_demand",), 74)
    assert few.verdict is Verdict.WATCH
    assert "misses day_demand" in few.advice
    assert columns_check(tuple(COLUMNS[:20]), 74).verdict is Verdict.ACT
    assert columns_check((), 0).value == 0.0  # a version without a ranker misses nothing


@pytest.fixture
def upgraded(db: None, settings: Any, tmp_path: Path) -> dict[str, ModelVersion]:
    """Return the versions of a shop that was upgraded twice; the first one's columns have other names by now."""
    settings.MODEL_DIR, settings.INFERENCE_PROVIDER = tmp_path, "cpu"
    site = Site.objects.create(slug="upgraded", name="Upgraded")
    rows = {}
    for release in kept.RELEASES:
        folder = kept.unpacked(release, lifecycle.version_path(site.slug, release).parent)
        if release == "0.1.0":
            of_another_release(folder)
        ranker = json.loads((folder / MANIFEST_NAME).read_text())["ranker"]
        manifest = {"sha256": check_integrity(folder), "ranker": ranker}
        rows[release] = ModelVersion.objects.create(site=site, version=release, manifest=manifest)
    return rows


@pytest.mark.slow
def test_rolled_forward_and_back_each_version_answers_and_says_what_it_misses(
    upgraded: dict[str, ModelVersion], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="recommendations")
    first, newest = upgraded["0.1.0"], upgraded[kept.RELEASES[-1]]
    load = ModelLoader(first.site.slug).load
    walk = kept.walks(1, seed=3)[0]
    answered = []
    for step in (
        lambda: lifecycle.promote(first),
        lambda: lifecycle.promote(newest),
        lambda: lifecycle.roll_back(first.site_id),
    ):
        step()
        live = load().live
        assert live is not None
        answered.append((live.version, len(PipelinePredictor(live.model_set)(walk)), live.model_set.missing_columns))

    former = tuple(f"former_{name}" for name in sorted(RENAMED, key=COLUMNS.index))
    assert answered == [("0.1.0", 20, former), (newest.version, 20, ()), ("0.1.0", 20, former)]
    said = [record.getMessage() for record in caplog.records if "columns_missing" in record.getMessage()]
    assert f"columns={','.join(former)}" in said[0]


def test_a_site_whose_ranker_is_of_another_release_is_trained_again_by_itself(
    upgraded: dict[str, ModelVersion],
) -> None:
    first, newest = upgraded["0.1.0"], upgraded[kept.RELEASES[-1]]
    site, now = first.site, datetime.now(UTC)
    policy = TrainingPolicy.objects.create(site=site, hour=(now - timedelta(hours=1)).hour)

    def is_due_with(live: ModelVersion) -> bool:
        ModelVersion.objects.update(status=ModelVersion.Status.CANDIDATE)
        ModelVersion.objects.filter(pk=live.pk).update(status=ModelVersion.Status.LIVE)
        return site in due_sites(now)

    TrainingRun.objects.create(site=site, started_at=now, status=TrainingRun.Status.DONE)
    assert not is_due_with(newest)
    assert is_due_with(first)
    policy.auto_train = False
    policy.save()
    assert not is_due_with(first)
    policy.auto_train = True
    policy.save()
    for _ in range(2):  # trainings that did not mend it: the next one is tonight's
        TrainingRun.objects.create(site=site, started_at=now, status=TrainingRun.Status.FAILED)
    assert not is_due_with(first)
