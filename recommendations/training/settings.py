"""What a training run may be told, each with its unit and default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recommendations.training.data.dataset import InvalidDataset

Progress = Callable[[str, int, int], None]
"""Called with the name of a step, what is done of it and how much there is."""


def no_progress(step: str, done: int, total: int) -> None:
    """Report to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerParameters:
    """How LightGBM grows the ranker's trees; the defaults were chosen on RetailRocket's validation part.

    Attributes
    ----------
    min_data_in_leaf : int
        0 chooses 100, or 10 where there are fewer than 100,000 rows.
    truncation : int
        Ranks whose exchange lambdarank learns from.
    """

    learning_rate: float = 0.07
    num_leaves: int = 31
    min_data_in_leaf: int = 0
    feature_fraction: float = 0.7
    bagging_fraction: float = 0.7
    lambda_l2: float = 0.0
    truncation: int = 20


BASE_MB = 2_000.0
ITEM_MB = 0.004
INTERACTION_MB = 0.00019


def interactions_within(memory_mb: float, *, n_items: int) -> int:
    """Return how many interactions a training within so much memory may read; a million at least.

    Above what ``python -m benchmarks.training_scale`` measures (docs/training.md); 50 million and a million items need
    15.5 GB by this formula.
    """
    return max(int((memory_mb - BASE_MB - ITEM_MB * n_items) / INTERACTION_MB), 1_000_000)


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
    max_interactions : int
        The newest interactions that are trained on at most; bounds memory (benchmarks/training_scale.py).
    max_sessions : int
        The newest sessions that ALS and session kNN are fitted on at most; the other sources look at all.
    max_points : int
        Held-out points that are measured at most, spread evenly; further baselines answer each of them, one by one.
    validation : float
        Share of the newest of the remaining sessions that weights are tuned and the ranker is trained on.
    refit : bool
        Fit the sources once more on all sessions before they are handed over; what is measured is measured before.
    max_queries : int
        Histories that the ranker is trained on at most, the newest; bounds its matrix at some 200 rows a query.
    tuning_queries : int
        Histories that the fusion weights are tuned on at most, spread evenly.
    min_queries : int
        Below this many validation histories that have a hit, no ranker is trained.
    counts_products : bool
        Items of one group are one item of the model, under the group's id.
    margin_weight : float
        From 0, which does not look at it, to 1: how much the ranker's labels count by the margin of their item,
        relative to the mean. Items without a cost count as the mean.
    position_clip : float
        Above 1, labels that were clicked in a list count by 1 / the chance that their position was looked at, at
        most so much; 10 is usual. 0 corrects nothing. Sources and counts stay as they were logged.
    tune_minutes : float
        How long parameters of the ranker are searched for; 0 takes ``ranker`` as it is.
    ranker : RankerParameters
    factors, als_iterations, trees : int
        Size of the ALS factors, its sweeps, and the greatest number of trees.
    num_threads : int
    seed : int
    """

    held_out: float = 0.1
    held_out_after_ms: int | None = None
    max_interactions: int = 50_000_000
    max_sessions: int = 2_000_000
    max_points: int = 60_000
    validation: float = 0.1
    refit: bool = True
    max_queries: int = 60_000
    tuning_queries: int = 4_000
    min_queries: int = 200
    counts_products: bool = False
    margin_weight: float = 0.0
    position_clip: float = 0.0
    tune_minutes: float = 0.0
    ranker: RankerParameters = RankerParameters()
    factors: int = 128
    als_iterations: int = 10
    trees: int = 100
    num_threads: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.held_out < 0.9:
            raise InvalidDataset(f"held_out={self.held_out} is not a share from 0 to 0.9; 0.1 is usual.")
        if not 0 < self.validation < 0.9:
            raise InvalidDataset(f"validation={self.validation} is not a share between 0 and 0.9; 0.1 is usual.")
        if not 0 <= self.margin_weight <= 1:
            raise InvalidDataset(f"margin_weight={self.margin_weight} is not from 0 (no effect) to 1.")
        if self.position_clip and not 1 < self.position_clip <= 100:
            raise InvalidDataset(f"position_clip={self.position_clip} is neither 0 nor above 1 and up to 100.")
        if not 0 <= self.tune_minutes <= 24 * 60:
            raise InvalidDataset(f"tune_minutes={self.tune_minutes} is not from 0 to 1440.")
        for name in (
            "max_interactions",
            "max_sessions",
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
