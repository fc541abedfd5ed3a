"""The peak memory of a process, which no look from outside can miss."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from recommendations.models import TrainingRun
from recommendations.release.memory import MemoryExceeded, peak_memory_mb
from recommendations.release.worker import RunProgress


def test_memory_that_was_given_back_still_counts() -> None:
    code = "held = b'x' * 120_000_000; del held; print('done', flush=True); import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        found = peak_memory_mb(process.pid)
        process.stdin.close()

    assert 120 <= found < 400
    assert peak_memory_mb(process.pid) == 0  # it has ended
    assert peak_memory_mb() == pytest.approx(peak_memory_mb(os.getpid()), abs=50)


def test_a_trainer_beyond_its_memory_ends_itself_at_its_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    run = TrainingRun()
    saved: list[Any] = []
    monkeypatch.setattr(run, "save", lambda **fields: saved.append(fields))
    enough = RunProgress(run, memory_mb=1_000_000)
    enough("fit", 1, 2)

    with pytest.raises(MemoryExceeded, match=r"more than 10 MB; raise the limit in the training policy"):
        RunProgress(run, memory_mb=10)("fit", 2, 2)

    assert [run.step_done, len(saved)] == [2, 2]
