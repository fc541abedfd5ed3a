"""The statistics of experiments: against gbstats where the method is the same, and by simulated shops.

Runs without any effect are looked at daily, as merchandisers do: so many of them may raise a false alarm. Runs with an
effect find it as often as the calculator said before.
"""

from __future__ import annotations

from benchmarks.experiments import peer
from benchmarks.experiments.simulation import alarms, power


def run(*, quick: bool) -> dict[str, float]:
    """Return the figures of all parts."""
    return {**peer.measure(), **alarms.measure(quick=quick), **power.measure(quick=quick)}
