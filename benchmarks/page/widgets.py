"""What lists cost a page in Chromium: layout shift, requests, bytes; and the widget in each framework.

``sdk/frameworks/run.mjs`` does it against a collector of its own, with the lines of docs/sdk.md that keep a widget's
place.
"""

from __future__ import annotations

import json
from typing import Any, Final

from benchmarks.report import print_table
from benchmarks.sdk import SDK, install, node

FOLDER: Final = SDK / "frameworks"
MOUNTS: Final = 100
TIMEOUT_S: Final = 600
WIDTHS: Final = (390, 1280)


def measure(quick: bool) -> dict[str, float]:
    """Measure, print the tables and return the figures; a carousel is measured, too, unless ``quick``.

    Returns
    -------
    dict of str to float
        ``cls_max_390`` and ``cls_max_1280``, the largest layout shift of any state of the lists at that width;
        ``requests_per_page`` for lists, ``sockets_per_page``, ``bytes_per_page`` of scripts (gzip -9), ``hole_max_px``
        left by a blocked script once the page was scrolled through; ``nodes_after_100_mounts``, the largest growth of
        nodes in any framework after a collection; ``frameworks_passed`` of ``frameworks``.
    """
    for folder in (SDK, FOLDER):
        install(folder)
    layouts = ("grid",) if quick else ("grid", "carousel")
    measured = json.loads(node("run.mjs", str(MOUNTS), *layouts, cwd=FOLDER, timeout_s=TIMEOUT_S))
    frameworks: list[dict[str, Any]] = measured["frameworks"]
    shifts: list[dict[str, Any]] = measured["shifts"]
    print_table(
        f"The widget in frameworks: what {MOUNTS} mounts leave behind",
        ("framework", "does not hold", "nodes", "listeners", "heap kB"),
        [
            (each["name"], "; ".join(each["failures"]), each["nodes"], each["listeners"], each["heap"] / 1000)
            for each in frameworks
        ],
    )
    print_table(
        "A page with three lists, scrolled through",
        ("lists", "layout", "width", "CLS", "requests", "sockets", "gzip bytes", "hole px"),
        [
            tuple(each[name] for name in ("state", "layout", "width", "cls", "requests", "sockets", "bytes", "hole"))
            for each in shifts
        ],
    )
    shown = [each for each in shifts if not each["state"].startswith("blocked")]
    return {
        **{f"cls_max_{width}": max(each["cls"] for each in shifts if each["width"] == width) for width in WIDTHS},
        "requests_per_page": max(each["requests"] for each in shown),
        "sockets_per_page": max(each["sockets"] for each in shown),
        "bytes_per_page": max(each["bytes"] for each in shown),
        "hole_max_px": max(each["hole"] for each in shifts),
        "nodes_after_100_mounts": max(0, *(each["nodes"] for each in frameworks)),
        "frameworks_passed": sum(not each["failures"] for each in frameworks),
        "frameworks": len(frameworks),
    }
