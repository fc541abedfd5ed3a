"""What a training run may be told, each with its unit and default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recommendations.training.dataset import InvalidDataset

Progress = Callable[[str, int, int], None]
"""Called with the name of a step, what is done of it and how much there is."""


def no_progress(step: str, done: int, total: int) -> None:
    """Report to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Settings of one training run.

    Attributes
    ----------
    held_out : float
        Share of the newest sessions that metrics are measured on; 0 measures nothing and is for evaluation by others.
    held_out_after_ms : int or None
        Hold out the sessions that ended after this event time in place of a share: with the live version's last
        event, neither it nor the candidate has seen what both are measured on.
    max_points : int
        Held-out points that are measured at most, spread evenly; rivals are asked for each of them, one by one.
    validation : float
        Share of the newest of the remaining sessions that weights are tuned and the ranker is trained on.
    refit : bool
        Fit the sources once more on all sessions before they are handed over; what is measured is measured before.
    max_queries : int
        Prefixes that the ranker is trained on at most, the newest; bounds its matrix at some 200 rows a query.
    tuning_queries : int
        Prefixes that the fusion weights are tuned on at most, spread evenly.
    min_queries : int
        Below this many validation prefixes that have a hit, no ranker is trained.
    factors, als_iterations, trees : int
        Size of the ALS factors, its sweeps, and the greatest number of trees.
    num_threads : int
    seed : int
    """

    held_out: float = 0.1
    held_out_after_ms: int | None = None
    max_points: int = 60_000
    validation: float = 0.1
    refit: bool = True
    max_queries: int = 60_000
    tuning_queries: int = 4_000
    min_queries: int = 200
    factors: int = 128
    als_iterations: int = 10
    trees: int = 200
    num_threads: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.held_out < 0.9:
            raise InvalidDataset(f"held_out={self.held_out} is not a share from 0 to 0.9; 0.1 is usual.")
        if not 0 < self.validation < 0.9:
            raise InvalidDataset(f"validation={self.validation} is not a share between 0 and 0.9; 0.1 is usual.")
        for name in (
            "max_points",
            "max_queries",
            "tuning_queries",
            "min_queries",
            "factors",
            "als_iterations",
            "trees",
            "num_threads",
        ):
            if getattr(self, name) < 1:
                raise InvalidDataset(f"{name}={getattr(self, name)} is not a whole number above 0.")
