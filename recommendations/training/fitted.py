"""What training hands over to the graph builder: plain arrays, one small dataclass a source.

Conventions that every array here keeps:

- items are indexed by descending popularity, ties by item id, because TopK over scores that fall with the index
  is many times faster than over scores that rise;
- item index 0 is the padding row: no item, never recommended, its scores are zero;
- session row 0 of a ``SessionIndex`` is padding too;
- floats are float32 and indices int32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from recommendations.ranking.batch import RankingTables
from recommendations.ranking.rrf import FloatArray, FusionWeights, IndexArray

__all__ = [
    "PADDING_INDEX",
    "AlsFactors",
    "DataRange",
    "FittedModelSet",
    "FloatArray",
    "FusionWeights",
    "IndexArray",
    "LearntObjective",
    "Neighbours",
    "Popularity",
    "Ranker",
    "RankingTables",
    "ReliabilityBin",
    "SessionIndex",
]

PADDING_INDEX = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlsFactors:
    """Item factors of implicit-feedback ALS; the factor of a user is solved per request (fold-in).

    Attributes
    ----------
    item_factors : float32, shape (n_items, n_factors)
        Row 0 is zero.
    regularization : float
        λ of the normal equations ``(YᵀCY + λI) x = Yᵀ C p``.
    alpha : float
        Confidence of one interaction of weight 1: ``c = 1 + alpha · weight · decay**age``.
    decay, last_n : float, int
        Weight of an interaction is ``decay**age`` with age 0 for the newest; beyond ``last_n`` it is 0.
    """

    item_factors: FloatArray
    regularization: float
    alpha: float
    decay: float = 0.7
    last_n: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """An item-item table; the score of a candidate is Σ over the newest items of ``decay**age · weight``.

    Attributes
    ----------
    name : str
        The candidate source: ``tfidf``, ``covisitation``, ``next``, ``baskets``, ``content`` …
    indices : int32, shape (n_items, k)
        Neighbours by descending weight, ties by index; 0 pads.
    weights : float32, shape (n_items, k)
        Never negative; 0 where padded.
    decay, last_n : float, int
        As in ``AlsFactors``. ``last_n=1`` looks at the newest item only.
    """

    name: str
    indices: IndexArray
    weights: FloatArray
    decay: float
    last_n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionIndex:
    """Everything VSTAN needs: past sessions, and for each item the newest sessions that hold it.

    For a history of n positions (1 … n, the last ``max_history`` kept), with each item at its last position p:

    1. similarity(s) = session_weights[s] · Σ of ``exp((p_i - n) / position_decay)`` over items i of the history in
       s, over ``postings[i]`` only; the ``neighbours`` best sessions are kept, ties by newer session;
    2. in each, ``star`` = last column whose item is in the history, ``latest`` = greatest p of its items;
    3. score(j) += similarity · ``exp((latest - n) / overlap_decay)``
       · ``exp(-|column_j - star| / distance_decay)`` · ``item_weights[j]`` for each non-padding column j.

    Attributes
    ----------
    postings : int32, shape (n_items, m)
        Session rows, newest first; 0 pads.
    session_items : int32, shape (n_sessions + 1, max_length)
        The last ``max_length`` items of each session, oldest first, each at its last position only; 0
        elsewhere. Row 0 is padding; rows are in the order of the sessions' ends, so a greater row is newer.
    session_weights : float32, shape (n_sessions + 1,)
        Recency decay / √(distinct items); 0 for row 0.
    item_weights : float32, shape (n_items,)
        1 + idf_weight · idf; 0 for the padding item.

    References
    ----------
    Ludewig, Mauro, Latifi & Jannach, "Empirical analysis of session-based recommendation
    algorithms", UMUAI 2020.
    """

    postings: IndexArray
    session_items: IndexArray
    session_weights: FloatArray
    item_weights: FloatArray
    neighbours: int
    max_history: int
    position_decay: float
    overlap_decay: float
    distance_decay: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Popularity:
    """Interactions of each item, of late and ever; float32, shape (n_items,), entry 0 is 0."""

    recent: FloatArray
    all_time: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Candidates to which about the same chance was given, and how often it came so; see ``core.manifest``."""

    candidates: int
    expected: float
    observed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LearntObjective:
    """One objective beside the ranker's order; see ``core.objectives``.

    Attributes
    ----------
    booster_text : str, optional
        Its own trees, whose raw score is calibrated; None for the ranker's own score, as a share of its query.
    positives : int
        Candidates of which it came true, among those that were learnt from.
    scores, chances : tuple of float
        Knots of its ``Calibration``; empty where there were too few positives.
    reliability : tuple of ReliabilityBin
        On the held-out time.
    error, rate : float, optional
        The expected calibration error there, and the share of candidates of which it came true.
    """

    booster_text: str | None
    positives: int
    scores: tuple[float, ...] = ()
    chances: tuple[float, ...] = ()
    reliability: tuple[ReliabilityBin, ...] = ()
    error: float | None = None
    rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranker:
    """A LightGBM lambdarank ranker, before it becomes a graph.

    Attributes
    ----------
    booster_text : str
        What ``lightgbm.Booster.model_to_string`` gave.
    columns : tuple of str
        ``recommendations.ranking.columns.COLUMNS`` as they were then; a serving process refuses others.
    tables : RankingTables
        What the features need at request time; stored with the version, memory-mapped when served.
    decimals : int
        Of the currency in which it learnt what users had spent.
    objectives : mapping of name to LearntObjective
    """

    booster_text: str
    columns: tuple[str, ...]
    tables: RankingTables
    decimals: int = 2
    objectives: Mapping[str, LearntObjective] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRange:
    """Which interactions a model set was fitted on; times are event times in epoch milliseconds."""

    first_ms: int
    last_ms: int
    interactions: int
    sessions: int
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedModelSet:
    """One trained model set: every source, how they are fused, and what was measured.

    Attributes
    ----------
    item_ids : tuple of str, length n_items
        ``item_ids[item_index]``; entry 0 is the empty string, the padding row.
    metrics : mapping of predictor name to metric name to value
        On the held-out time, beside the baselines.
    seeds : mapping of part to seed
    parameters : mapping of part to its parameters, as chosen on validation
    """

    item_ids: tuple[str, ...]
    als: AlsFactors
    neighbours: tuple[Neighbours, ...]
    sessions: SessionIndex
    popularity: Popularity
    fusion: FusionWeights
    ranker: Ranker | None
    metrics: Mapping[str, Mapping[str, float]]
    data_range: DataRange
    seeds: Mapping[str, int] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
