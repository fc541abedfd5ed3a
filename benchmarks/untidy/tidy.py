"""What tidy events cost: ``benchmarks collect`` of version 0.1 and of this checkout, by turns on the same machine."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.tracking.web_process import ROOT

BEFORE: Final = "2686372"
"""The last commit of version 0.1, before untidy events were read."""
FIGURES: Final = ("redis_1", "redis_20", "kafka_1", "kafka_20")


def ratio_to_before(folder: Path, *, pairs: int) -> float | None:
    """Return CPU seconds an event now, divided by those before, the median over logs and sizes of batches.

    None where the history of version 0.1 is not there, as in a shallow clone.
    """
    before = folder / "before"
    added = subprocess.run(["git", "worktree", "add", "--detach", str(before), BEFORE], cwd=ROOT, check=False)
    if added.returncode:
        return None
    try:
        ratios: dict[str, list[float]] = {name: [] for name in FIGURES}
        for _ in range(pairs):
            then, now = _collected(before, folder), _collected(ROOT, folder)
            for name in FIGURES:
                ratios[name].append(then[f"events_per_cpu_s_{name}"] / now[f"events_per_cpu_s_{name}"])
        return statistics.median(statistics.median(each) for each in ratios.values())
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(before)], cwd=ROOT, check=True)


def _collected(checkout: Path, folder: Path) -> dict[str, float]:
    """Return the figures of a checkout's own benchmark."""
    written = folder / "collect.json"
    written.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks", "collect", "--quick", "--json", str(written)]
    subprocess.run(command, cwd=checkout, check=True, stdout=subprocess.DEVNULL)
    figures: dict[str, float] = json.loads(written.read_text().splitlines()[-1])["figures"]
    return figures
