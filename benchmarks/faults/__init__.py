"""An installation under load while one part after the other fails: what is lost, what counts twice, what comes back.

    make faults                                        # or: python -m benchmarks faults [--quick] [--json FILE]
    python -m benchmarks faults --quick --only redis   # only faults whose names contain the text
    python -m benchmarks faults --quick --log kafka    # over a real Kafka broker alone

Every acknowledged event stands in a ledger and is looked for, shopper by shopper, in the features after each fault and
in the archive at the end. Prometheus runs beside it with the rules that are deployed, only with shorter times.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

BACKENDS = ("redis", "kafka")


def run(*, quick: bool, only: Sequence[str] = (), log: str = "") -> dict[str, float]:
    """Make every fault over each event log, or over ``log`` alone (``quick``: Redis); return the figures of all."""
    from benchmarks.faults.story import Story, figures_of

    # A run that is ended from outside ends its processes, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    backends = (log,) if log else BACKENDS[: 1 if quick else 2]
    stories = [Story(backend=backend, quick=quick, only=tuple(only)) for backend in backends]
    for story in stories:
        asyncio.run(story.run())
    return figures_of(stories)
