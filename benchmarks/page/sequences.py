"""Random sequences of log-in, log-out, consent, tokens and tabs, in Chromium against the real server.

A window of two tabs walks at random; ``sequences/walk.js`` holds what is drawn, stored and sent against a model of ten
lines. The server is all of Recsite with a shop beside it (``sequences_app.py``).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.serving_lab import PROJECT, Lab, lab

SEQUENCES: Final = 10_000
QUICK_SEQUENCES: Final = 500
LENGTH: Final = 6
"""Actions in one sequence, before its end is looked at."""
WINDOWS: Final = 4
"""Browser contexts that walk at the same time; they share nothing."""
DRIVER: Final = Path(__file__).parent / "sequences" / "drive.mjs"
TIMEOUT_S: Final = 3_600


@dataclass(frozen=True, kw_only=True)
class Walked:
    """What was found."""

    sequences: int
    violations: tuple[str, ...]
    """Each with its seed (``python -m benchmarks.page.sequences SEED`` walks it again), its actions, what failed."""
    sockets: int
    """The most that one tab had open at the same time."""


def measure(quick: bool) -> dict[str, float]:
    """Return ``sequences`` tried, ``violations`` of the model, and ``sockets_per_page``, the most at once."""
    with lab() as made:
        walked = walk(made, seeds=range(1, 1 + (QUICK_SEQUENCES if quick else SEQUENCES)))
    for violation in walked.violations[:10]:
        print(violation, file=sys.stderr)
    return {
        "sequences": walked.sequences,
        "violations": len(walked.violations),
        "sockets_per_page": walked.sockets,
    }


def walk(made: Lab, *, seeds: Sequence[int], length: int = LENGTH, windows: int = WINDOWS) -> Walked:
    """Start the server in ``made`` and walk; raises ``RuntimeError`` where Node or Chromium cannot do it."""
    node, chromium = shutil.which("node"), os.environ.get("CHROMIUM") or shutil.which("chromium")
    if node is None or chromium is None:
        raise RuntimeError("sequences need Node with `npm ci` done in sdk/, and Chromium on PATH or in CHROMIUM")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.page.sequences_app"],
        cwd=PROJECT, env=made.environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    made.environment["SEQUENCES_SITE"], made.environment["SEQUENCES_KEY"] = done.stdout.split()[-2:]
    port, web = made.start_web("benchmarks.page.sequences_app:application", workers=1)
    try:
        driven = subprocess.run(
            [node, str(DRIVER), chromium, f"http://127.0.0.1:{port}",
             *map(str, (length, min(windows, len(seeds))))],
            input=json.dumps(list(seeds)), capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
        )  # fmt: skip
    finally:
        made.stop(web)
    if driven.returncode:
        raise RuntimeError(driven.stderr[-2_000:] + (made.folder / "processes.out").read_text()[-2_000:])
    found = json.loads(driven.stdout.splitlines()[-1])
    return Walked(sequences=found["sequences"], violations=tuple(found["violations"]), sockets=found["sockets"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Walk some sequences and print what does not hold.")
    parser.add_argument("first_seed", type=int, help="as a violation names it")
    parser.add_argument("count", type=int, nargs="?", default=1, help="sequences: this seed and those after it")
    parser.add_argument("--windows", type=int, default=WINDOWS, help="that walk at the same time")
    asked = parser.parse_args()
    with lab() as replayed:
        again = walk(replayed, seeds=range(asked.first_seed, asked.first_seed + asked.count), windows=asked.windows)
    print(*again.violations, f"{again.sequences} sequences, {len(again.violations)} violations", sep="\n")
    sys.exit(bool(again.violations))
