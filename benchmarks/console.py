"""The merchandiser's console: whether the linter finds what is wrong with rules, and leaves in peace what is not."""

from __future__ import annotations

import time

from benchmarks.console_rules import FAULTS, GOOD, false_alarms, is_found
from benchmarks.report import print_table


def run(*, quick: bool = False) -> dict[str, float]:
    """Return the figures of each part."""
    return {**_linter()}


def _linter() -> dict[str, float]:
    started = time.process_time()
    alarms = false_alarms()
    clean_ms = (time.process_time() - started) * 1000
    found = [(fault, is_found(fault)) for fault in FAULTS]
    kinds = sorted({fault.problem for fault in FAULTS})
    print_table(
        f"Linter: faults planted one by one among {len(GOOD)} good rules",
        ("kind", "planted", "found"),
        [
            (
                kind.label,
                sum(fault.problem is kind for fault in FAULTS),
                sum(is_there for fault, is_there in found if fault.problem is kind),
            )
            for kind in kinds
        ],
        caption=f"{len(alarms)} false alarms on the good rules; {clean_ms:.0f} ms of CPU time for all of them",
    )
    return {
        "linter_found": float(sum(is_there for _, is_there in found)),
        "linter_planted": float(len(FAULTS)),
        "linter_false_alarms": float(len(alarms)),
        "linter_ms": clean_ms,
    }
