"""The merchandiser's console: what the linter finds, how long pages take at size, and whether they are accessible."""

from __future__ import annotations

import os
import tempfile
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
os.environ.setdefault("RECSITE_SECRET_KEY", "only-for-benchmarks-" + "x" * 50)
os.environ.setdefault("RECSITE_DATA_DIR", tempfile.mkdtemp(prefix="recsite-bench-"))
django.setup()  # what-if stands on models

from benchmarks.console_pages import pages  # noqa: E402
from benchmarks.console_rules import FAULTS, FURTHER_FAULTS, GOOD, false_alarms, is_found, shop  # noqa: E402
from benchmarks.console_what_if import N_REQUESTS, held_of_rules, replayed  # noqa: E402
from benchmarks.report import print_table  # noqa: E402


def run(*, quick: bool = False) -> dict[str, float]:
    """Return the figures of each part."""
    return {**_linter(), **_what_if(quick=quick), **pages.measure(quick=quick)}


def _what_if(*, quick: bool) -> dict[str, float]:
    n = N_REQUESTS // 10 if quick else N_REQUESTS
    difference, per_s = replayed(n)
    rules = held_of_rules(shop())
    print_table(
        f"What-if: {n:,} requests answered twice",
        ("requests a second", "lists changed", "items displaced"),
        [(f"{per_s:,.0f}", f"{difference.n_changed:,}", f"{difference.n_displaced:,}")],
        caption=difference.sentence,
    )
    print_table("5,000 rules: CPU ms a list, bytes a rule", tuple(rules), [tuple(rules.values())])
    return {"whatif_requests_per_s": per_s, **rules}


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
        "linter_further_found": float(sum(map(is_found, FURTHER_FAULTS))),
        "linter_further_planted": float(len(FURTHER_FAULTS)),
        "linter_false_alarms": float(len(alarms)),
        "linter_ms": clean_ms,
    }
