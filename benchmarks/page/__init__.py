"""The page: one user followed everywhere, and what its lists cost the page that shows them.

Sequences of log-in, consent and tokens against the real server (``sequences``); layout shift, requests and bytes of a
page in Chromium, and the widget in each framework (``widgets``); the same page beside other vendors' packages
(``peers``).
"""

from __future__ import annotations

from benchmarks.page import peers, sequences, widgets


def run(*, quick: bool) -> dict[str, float]:
    """Return the figures of all parts; the larger of what two measured."""
    lists = {**widgets.measure(quick), **peers.measure(quick)}
    walked = sequences.measure(quick)
    sockets = max(lists["sockets_per_page"], walked["sockets_per_page"])
    return {**lists, **walked, "sockets_per_page": sockets}
