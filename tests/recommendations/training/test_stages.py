"""A run that was killed goes on from its last finished stage, and ends with the very version it would have made."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recommendations.ranking.rrf import FusionWeights
from recommendations.training.fit.sources import FIT_CLASSES
from recommendations.training.settings import RankerParameters, TrainingSettings
from recommendations.training.stages import BEGUN_NAME, MAX_AGE_S, WorkFolder, run_key
from recommendations.training.stored import Unreadable, load

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = TrainingSettings(factors=8, als_iterations=2, trees=8, min_queries=50, tuning_queries=60, num_threads=1)
TRAINER = """
import json, os, signal, sys
from pathlib import Path
from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.training.data.building import log_from_sessions
from recommendations.training.stages import WorkFolder
from recommendations.training.train import train_model_set
from tests.recommendations.training.conftest import aisle_sessions
from tests.recommendations.training.test_stages import SETTINGS

root, folder, die_at = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
steps = []

def told(step, done, total):
    if step not in steps:
        steps.append(step)
    if step == die_at:
        os.kill(os.getpid(), signal.SIGKILL)

work = WorkFolder(root, "key")
fitted = train_model_set(
    log_from_sessions(aisle_sessions(400, seed=2)), settings=SETTINGS, catalogue=["unsold"], progress=told, stages=work
)
manifest = export_model_set(fitted, folder, targets=frozenset({Target.CPU}))
files = {name: entry.sha256 for name, entry in manifest.files.items() if name != "golden.npz"}
print(json.dumps({"ready": work.ready, "steps": steps, "files": files, "metrics": fitted.metrics}))
"""


def trained(root: Path, folder: Path, *, die_at: str = "") -> dict[str, Any] | None:
    """Train in a process of its own; None when it was killed, as it shall be at the beginning of ``die_at``."""
    done = subprocess.run(
        [sys.executable, "-c", TRAINER, str(root), str(folder), die_at],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if die_at:
        assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
        return None
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_with_the_same_version(tmp_path: Path) -> None:
    whole = trained(tmp_path / "other", tmp_path / "whole")
    assert whole is not None
    for die_at in ("list for validation", "train ranker", "fit", "list held-out", "fit on all"):
        assert die_at in whole["steps"]
        trained(tmp_path / "work", tmp_path / "never", die_at=die_at)

    found = trained(tmp_path / "work", tmp_path / "version")

    assert found is not None
    assert found["ready"] == ["fit", "learnt", "measured"]
    assert found["steps"] == ["fit on all"], "nothing else was done again"
    assert found["files"] == whole["files"]
    assert found["metrics"] == whole["metrics"]
    assert not (tmp_path / "never").exists()


def test_a_stage_that_cannot_be_read_is_made_again(tmp_path: Path) -> None:
    weights = FusionWeights(weights={"a": 1.0}, k=3.0)
    WorkFolder(tmp_path, "key").run("fusion", lambda: weights, (FusionWeights,))
    (tmp_path / "key" / "fusion" / "value.json").write_text('{"class": "Strange", "fields": {}}')

    with pytest.raises(Unreadable):
        load(tmp_path / "key" / "fusion", FIT_CLASSES)
    assert WorkFolder(tmp_path, "key").run("fusion", lambda: weights, (FusionWeights,)) == weights


def test_a_full_disk_costs_the_run_nothing_but_resuming_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recommendations.training.stages.store", full)
    work = WorkFolder(tmp_path, "key")

    assert work.run("stage", lambda: 3, ()) == 3
    assert [path.name for path in (tmp_path / "key").iterdir()] == [BEGUN_NAME]


def test_runs_of_yesterday_are_started_again_and_those_that_ended_are_deleted(tmp_path: Path) -> None:
    for key in ("mine", "other"):
        WorkFolder(tmp_path, key).run("stage", lambda: 1, ())
        begun = tmp_path / key / BEGUN_NAME
        os.utime(begun, (time.time() - MAX_AGE_S - 1,) * 2)

    work = WorkFolder(tmp_path, "mine")

    assert work.ready == ()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    work.close()
    assert not list(tmp_path.iterdir())


def test_other_data_settings_or_parameters_are_another_run() -> None:
    keys = {
        run_key("archive", settings=SETTINGS),
        run_key("a file", settings=SETTINGS),
        run_key("archive", settings=replace(SETTINGS, seed=1)),
        run_key("archive", settings=replace(SETTINGS, ranker=RankerParameters(num_leaves=7))),
    }

    assert len(keys) == 4
    assert run_key("archive", settings=SETTINGS) in keys
