"""A version is asked its golden questions: right answers pass, those of another fit do not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from recommendations.core.manifest import GOLDEN_NAME
from recommendations.exceptions import RefusalReason, VersionRefused
from recommendations.graphs.export import export_model_set
from recommendations.inference.golden_check import check_answers
from tests.recommendations import model_worlds


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versions") / "v1"
    export_model_set(model_worlds.fitted_model_set(), folder)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """Return a copy, to be damaged."""
    return Path(shutil.copytree(written, tmp_path / "v1"))


def with_golden(folder: Path, **changes: np.ndarray) -> None:
    with np.load(folder / GOLDEN_NAME) as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(folder / GOLDEN_NAME, **{**arrays, **changes})


def test_a_version_agrees_with_its_own_answers_in_every_source_and_the_ranker(written: Path) -> None:
    verdict = check_answers(written)
    assert set(verdict.agreement) == {"sessions", "als", "tfidf", "covisitation", "ranker"}
    assert min(verdict.agreement.values()) > 0.99
    assert 0 < verdict.p50_ms <= verdict.p99_ms


@pytest.mark.parametrize("graph", ["als.onnx", "sessions.onnx", "neighbours_0.onnx"])
def test_the_graph_of_another_fit_gives_wrong_answers(folder: Path, tmp_path: Path, graph: str) -> None:
    export_model_set(model_worlds.fitted_model_set(seed=5), tmp_path / "other")
    shutil.copy(tmp_path / "other" / graph, folder / graph)
    with pytest.raises(VersionRefused, match=r"agrees with .*% of its golden scores") as caught:
        check_answers(folder)
    assert caught.value.reason is RefusalReason.WRONG_ANSWERS


def test_a_ranker_that_scores_rows_differently_is_wrong(folder: Path) -> None:
    with np.load(folder / GOLDEN_NAME) as archive:
        scores = archive["ranker.score"]
    with_golden(folder, **{"ranker.score": scores + 0.01})
    with pytest.raises(VersionRefused, match=r"ranker agrees with 0\.0%"):
        check_answers(folder)


def test_questions_about_items_that_there_are_none_of_are_corrupt(folder: Path) -> None:
    with_golden(folder, items=np.full((12, 3), 10_000))
    with pytest.raises(VersionRefused, match="cannot answer") as caught:
        check_answers(folder)
    assert caught.value.reason is RefusalReason.CORRUPT
