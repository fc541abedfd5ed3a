"""The page: one user followed everywhere, and what its lists cost the page that shows them.

Sequences of log-in, consent and tokens against the real server (``sequences``); layout shift, requests and bytes of a
page in Chromium, and the widget in each framework (``widgets``).
"""

from __future__ import annotations

from benchmarks.page import sequences, widgets


def run(*, quick: bool) -> dict[str, float]:
    """Return the figures of both parts; the larger of what both measured."""
    lists = widgets.measure(quick)
    walked = sequences.measure(quick)
    sockets = max(lists["sockets_per_page"], walked["sockets_per_page"])
    return {**lists, **walked, "sockets_per_page": sockets}
