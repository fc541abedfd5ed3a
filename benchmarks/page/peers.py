"""Three lists on a throttled phone: ours beside Algolia's ``recommend-js`` and Recombee's client for browsers.

``sdk/bench/lists.mjs`` opens the pages in Chromium. The vendors' services cannot run here: a server of the benchmark's
own answers in the shape of each vendor's API, so the figures are about packages on a page, not about services. Recombee
has no widget package in the registry; its client draws nothing, so the page draws the cards, as its README shows.
"""

from __future__ import annotations

import json
from typing import Any, Final

from benchmarks.report import print_table
from benchmarks.sdk import SDK, install, node

ROUNDS: Final = 9
QUICK_ROUNDS: Final = 3
TIMEOUT_S: Final = 900
PEERS: Final = ("algolia", "recombee")


def measure(quick: bool) -> dict[str, float]:
    """Measure, print the table and return the figures.

    Returns
    -------
    dict of str to float
        ``cls_phone`` and ``cls_phone_NAME``, the largest layout shift of any state; ``script_bytes`` and
        ``script_bytes_NAME`` (gzip -9); ``list_ms_to_NAME``, our median time from navigation to the last list as a
        ratio to the peer's in the same rounds, lists answered after 50 ms.
    """
    for folder in (SDK, SDK / "bench"):
        install(folder)
    rounds = QUICK_ROUNDS if quick else ROUNDS
    rows: list[dict[str, Any]] = json.loads(node("lists.mjs", str(rounds), cwd=SDK / "bench", timeout_s=TIMEOUT_S))[
        "rows"
    ]
    print_table(
        "Three lists on a phone (150 ms, 1.6 Mbit/s, a quarter of the processor)",
        ("package", "lists", "gzip bytes", "requests of lists", "CLS", "ms to the last list"),
        [tuple(row[name] for name in ("name", "state", "bytes", "requests", "cls", "ms")) for row in rows],
        caption=f"medians of {rounds} new visitors in turn; the largest CLS",
    )
    of = {name: [row for row in rows if row["name"] == name] for name in ("recsite", *PEERS)}
    figures: dict[str, float] = {
        "cls_phone": max(row["cls"] for row in of["recsite"]),
        "script_bytes": max(row["bytes"] for row in of["recsite"]),
    }
    for peer in PEERS:
        figures[f"cls_phone_{peer}"] = max(row["cls"] for row in of[peer])
        figures[f"script_bytes_{peer}"] = max(row["bytes"] for row in of[peer])
        figures[f"list_ms_to_{peer}"] = of["recsite"][0]["ms"] / of[peer][0]["ms"]
    return figures
