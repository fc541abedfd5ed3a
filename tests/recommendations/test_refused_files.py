"""Every folder of ``refused.CASES`` is refused for its reason, and docs/models.md says so in these words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from recommendations.graphs.export import export_model_set
from tests.recommendations import model_worlds
from tests.recommendations.refused import CASES, refusal_of, row

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "models.md"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refused") / "v1"
    export_model_set(model_worlds.fitted_model_set(), folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("what", CASES)
def test_the_folder_is_refused_and_the_refusal_is_documented(what: str, written: Path, tmp_path: Path) -> None:
    reason, damage = CASES[what]
    folder = Path(shutil.copytree(written, tmp_path / "v1"))

    refusal = refusal_of(folder, damage)

    assert refusal is not None, "it loads"
    assert refusal.reason == reason
    line = row(what, refusal, folder)
    assert line in DOCUMENT.read_text(), f"python -m tests.recommendations.refused prints the table; it lacks {line}"
