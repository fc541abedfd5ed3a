"""All models on the same points of every window: means, standard errors, the table and the figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks.quality.ours import Answers, Window, answers
from benchmarks.quality.peers import PEERS, SEARCH_POINTS, Peer, searched
from benchmarks.quality.seen_first import seen_first
from benchmarks.report import print_table
from recommendations.ranking.rrf import IndexArray
from recommendations.training.data.dataset import SessionLog
from recommendations.training.data.split import TestPoints
from recommendations.training.evaluation.metrics import measure, ranks_of_targets
from recommendations.training.fit.fusion import CHOICES, CONSTANTS, ROUNDS
from recommendations.training.learning import FUSED_SOURCES
from recommendations.training.settings import Progress as Report
from recommendations.training.settings import TrainingSettings

OURS: Final = "ours"
KEYS: Final[Mapping[str, str]] = {
    "popularity": "popularity",
    "last viewed": "last_viewed",
    **{peer.name: peer.key for peer in PEERS},
    "VSTAN (our source)": "vstan",
    "seen first, then VMIS-kNN": "seen_vmisknn",
    "seen first, then ours": "seen_ours",
    OURS: "",
}
"""Rows of the table, and the part of their figures' names."""

COMPARED: Final = ("seen first, then ours", "VMIS-kNN")
METRICS: Final[Mapping[str, str]] = {
    "hr@20": "hr20",
    "mrr@20": "mrr20",
    "ndcg@10": "ndcg10",
    "new_hr@20": "new_hr20",
    "coverage@20": "coverage",
    "popularity_share@20": "popularity_bias",
    "repeat_share@20": "repeat_share",
}
ERRORS_OF: Final = ("hr@20", "mrr@20")
COLUMNS: Final = ("", "HR@20", "MRR@20", "NDCG@10", "new HR", "cover", "popular", "repeat", "CPU s")
_VSTAN: Final = "sessions"
_PARTS_LEFT_OUT: Final = {"popularity", "last viewed", _VSTAN, "ranker"}


@dataclass(slots=True)
class Scores:
    """What one model scored in each run, a run being a window and a seed.

    Attributes
    ----------
    values : list of mapping of metric to value
    errors : list of mapping
        The standard error of HR@20 and MRR@20 over the sessions of a run's test points.
    ranks : list of int64, shape (n_points,)
        The rank of each point's target, from 1; 0 where it is not among the twenty.
    cpu_s : list of float
        CPU seconds of fitting and listing, all threads together; 0 for what is part of another row.
    """

    values: list[Mapping[str, float]] = field(default_factory=list)
    errors: list[Mapping[str, float]] = field(default_factory=list)
    ranks: list[NDArray[np.int64]] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Comparison:
    """What was measured: scores by window, seed and model, and what was chosen for the peers.

    Attributes
    ----------
    scores, parts : mapping of model to its scores
        Of the models of the table, and of our sources.
    chosen : mapping of a peer's name to its parameters
    last : Answers
        Ours in the last window.
    """

    scores: dict[str, Scores] = field(default_factory=dict)
    parts: dict[str, Scores] = field(default_factory=dict)
    chosen: dict[str, Mapping[str, float]] = field(default_factory=dict)
    points: int = 0
    windows: int = 0
    is_searched: bool = True
    last: Answers | None = None

    def mean(self, model: str, metric: str) -> float:
        """Return the mean over all runs."""
        return float(np.mean([each[metric] for each in self._of(model).values]))

    def error(self, model: str, metric: str) -> float:
        """Return the standard error of the mean: over windows where there are several, else over sessions."""
        found = self._of(model)
        if self.windows == 1:
            return found.errors[0][metric]
        by_window = np.array([each[metric] for each in found.values]).reshape(self.windows, -1).mean(axis=1)
        return float(by_window.std(ddof=1) / np.sqrt(self.windows))

    def lead(self, model: str, other: str, metric: str) -> tuple[float, float]:
        """Return by how much ``model`` is ahead of ``other`` on the same points, and the error of that."""
        ahead = self.mean(model, metric) - self.mean(other, metric)
        if self.windows == 1:
            assert self.last is not None
            assert self.last.points.sessions is not None
            pairs = zip(self._of(model).ranks, self._of(other).ranks, strict=True)
            apart = np.mean([_gains(ranks, metric) - _gains(others, metric) for ranks, others in pairs], axis=0)
            return ahead, clustered_error(apart, self.last.points.sessions)
        values = [[each[metric] for each in self._of(name).values] for name in (model, other)]
        by_window = (np.array(values[0]) - np.array(values[1])).reshape(self.windows, -1).mean(axis=1)
        return ahead, float(by_window.std(ddof=1) / np.sqrt(self.windows))

    def between_seeds(self, model: str, metric: str) -> float:
        """Return the standard deviation between seeds, the mean over windows; 0 with one seed."""
        by_window = np.array([each[metric] for each in self._of(model).values]).reshape(self.windows, -1)
        return float(by_window.std(axis=1, ddof=1).mean()) if by_window.shape[1] > 1 else 0.0

    def _of(self, model: str) -> Scores:
        return self.scores.get(model) or self.parts[model]


def compared(
    windows: Sequence[Window], *, settings: TrainingSettings, seeds: int = 1, is_searched: bool = True
) -> Comparison:
    """Train and measure every model in every window.

    Parameters
    ----------
    seeds : int
        Models that depend on chance are trained so many times a window, with seeds 0, 1 …
    is_searched : bool
        Choose the peers' parameters on the newest tenth of the first window's known sessions; else their first ones.
    """
    result = Comparison(windows=len(windows), is_searched=is_searched)
    with _progress() as bar:
        for window in windows:
            report = _reporter(bar, window.name)
            found: dict[int, Answers] = {}
            for seed in range(seeds):
                report(f"{window.name}: ours, seed {seed}", 0, 1)
                started = time.process_time()
                found[seed] = answers(window, settings=replace(settings, seed=seed), progress=report)
                _add_ours(result, found[seed], cpu_s=time.process_time() - started)
            _add_peers(result, window, found, is_searched=is_searched, report=report)
            result.points += len(found[0].points)
            result.last = found[0]
    return result


def _add_ours(result: Comparison, found: Answers, *, cpu_s: float) -> None:
    counts = found.fitted.popularity.all_time.astype(np.int64)
    lists = found.lists
    for name in ("popularity", "last viewed"):
        _add(result.scores, name, lists[name], found.points, counts=counts)
    _add(result.scores, "VSTAN (our source)", lists[_VSTAN], found.points, counts=counts)
    _add(
        result.scores, "seen first, then ours", seen_first(found.points.histories, found.served), found.points,
        counts=counts,
    )  # fmt: skip
    _add(result.scores, OURS, found.served, found.points, counts=counts, cpu_s=cpu_s)
    for name in lists.keys() - _PARTS_LEFT_OUT:
        _add(result.parts, name, lists[name], found.points, counts=counts)


def _add_peers(
    result: Comparison, window: Window, found: Mapping[int, Answers], *, is_searched: bool, report: Report
) -> None:
    log = window.known.reindexed(found[0].fitted.item_ids)
    points, counts = found[0].points, log.counts()
    for peer in PEERS:
        report(f"{window.name}: {peer.name}", 0, 1)
        if peer.name not in result.chosen:
            result.chosen[peer.name] = searched(peer, window.known) if is_searched else peer.settings[0]
        for seed in found:
            if seed and not peer.has_seed:  # the same again
                _repeat(result.scores[peer.name])
                continue
            started = time.process_time()
            listed = _listed(peer, log, points, result.chosen[peer.name], seed=seed)
            cpu_s = time.process_time() - started
            _add(result.scores, peer.name, listed, points, counts=counts, cpu_s=cpu_s)
            if peer.key == "vmisknn":
                both = seen_first(points.histories, listed)
                _add(result.scores, "seen first, then VMIS-kNN", both, points, counts=counts)
        if peer.key == "vmisknn":
            for _ in range(len(found) - 1):
                _repeat(result.scores["seen first, then VMIS-kNN"])


def _listed(peer: Peer, log: SessionLog, points: TestPoints, chosen: Mapping[str, float], *, seed: int) -> IndexArray:
    options = {"seed": seed} if peer.has_seed else {}
    return peer.list_for(log, points.histories, **chosen, **options)


def _repeat(scores: Scores) -> None:
    scores.values.append(scores.values[-1])
    scores.errors.append(scores.errors[-1])
    scores.ranks.append(scores.ranks[-1])
    scores.cpu_s.append(scores.cpu_s[-1])


def _add(
    scores: dict[str, Scores],
    name: str,
    listed: IndexArray,
    points: TestPoints,
    *,
    counts: NDArray[np.int64],
    cpu_s: float = 0.0,
) -> None:
    into = scores.setdefault(name, Scores())
    into.values.append(measure(listed, points, item_counts=counts).values)
    ranks = ranks_of_targets(listed[:, :20], points.targets)
    assert points.sessions is not None
    into.errors.append({each: clustered_error(_gains(ranks, each), points.sessions) for each in ERRORS_OF})
    into.ranks.append(ranks)
    into.cpu_s.append(cpu_s)


def _gains(ranks: NDArray[np.int64], metric: str) -> NDArray[np.float64]:
    """Return what each point adds to the metric: 1 for a hit, or 1 / rank."""
    return np.where(ranks > 0, 1.0 if metric == "hr@20" else 1 / np.maximum(ranks, 1), 0.0)


def clustered_error(values: NDArray[np.float64], clusters: IndexArray) -> float:
    """Return the standard error of the mean of ``values`` whose clusters are independent of each other.

    √(G / (G - 1) · Σ over the G clusters of (Σ of their values' distances from the mean)²) / n; 0 for fewer than two.

    References
    ----------
    Cameron & Miller, "A Practitioner's Guide to Cluster-Robust Inference", Journal of Human Resources 2015.
    """
    groups, group_of = np.unique(clusters, return_inverse=True)
    if len(groups) < 2:
        return 0.0
    sums = np.bincount(group_of, weights=values - values.mean())
    return float(np.sqrt(len(groups) / (len(groups) - 1) * np.sum(sums**2)) / len(values))


def show(title: str, result: Comparison, *, took_s: float, notes: Sequence[str] = (), with_parts: bool = False) -> None:
    """Print the table of models, and that of our parts."""
    rows = [_row(name, result) for name in KEYS if name in result.scores]
    errors = "over test sessions" if result.windows == 1 else f"over {result.windows} windows"
    last = result.last
    assert last is not None
    weights = ", ".join(f"{name} {weight:g}" for name, weight in last.fitted.fusion.weights.items() if weight)
    trees = 0 if last.fitted.ranker is None else last.fitted.ranker.booster_text.count("Tree=")
    seeds = len(result.scores[OURS].values) // result.windows
    caption = [
        f"{result.points:,} test points, {took_s:.0f} s in all; ± is the standard error {errors}",
        *notes,
        *(_lead_of(result, other) for other in COMPARED),
        _search_of(result),
        "GRU4Rec is not measured: docs/quality.md says why",
        f"ours: {ROUNDS * (len(FUSED_SOURCES) * len(CHOICES) + len(CONSTANTS))} weightings of sources and the number of"
        f" trees ({trees}) on validation; fusion: {weights}, k={last.fitted.fusion.k:g}",
    ]
    if seeds > 1:
        between = ", ".join(f"{each} {result.between_seeds(OURS, each):.4f}" for each in ERRORS_OF)
        caption.append(f"{seeds} seeds; ours varies between them by (standard deviation): {between}")
    print_table(title, COLUMNS, rows, caption="\n".join(caption))
    if with_parts and result.parts:
        print_table(f"{title}: our parts", COLUMNS, [_row(name, result) for name in sorted(result.parts)])


def _lead_of(result: Comparison, other: str) -> str:
    parts = []
    for metric in ERRORS_OF:
        ahead, error = result.lead(OURS, other, metric)
        parts.append(f"{metric.upper()} {ahead:+.4f} ± {error:.4f}")
    return f"ours to {other}, on the same points: {', '.join(parts)}"


def _search_of(result: Comparison) -> str:
    if not result.is_searched:
        return "parameters of the others are not searched"
    settings = {peer.name: len(peer.settings) for peer in PEERS}
    found = "; ".join(
        f"{name} {settings[name]} settings: " + ", ".join(f"{key} {value:g}" for key, value in chosen.items())
        for name, chosen in result.chosen.items()
    )
    return f"searched by MRR@20 on {SEARCH_POINTS:,} points of the first window's validation part: {found}"


def _row(name: str, result: Comparison) -> list[object]:
    scores = result.scores.get(name) or result.parts[name]
    shown: list[object] = [name]
    for metric in ERRORS_OF:
        shown.append(f"{result.mean(name, metric):.3f} ± {result.error(name, metric):.3f}")
    shown += [result.mean(name, metric) for metric in METRICS if metric not in ERRORS_OF]
    cpu_s = float(np.mean(scores.cpu_s))
    return [*shown, round(cpu_s) if cpu_s else None]


def figures(data: str, result: Comparison) -> dict[str, float]:
    """Return the figures of a data set: ``rr_hr20`` of ours, ``rr_vmisknn_hr20`` of a peer, and their errors."""
    found = {f"{data}_test_points": float(result.points), f"{data}_windows": float(result.windows)}
    for name, key in KEYS.items():
        start = f"{data}_{key}_" if key else f"{data}_"
        for metric, short in METRICS.items():
            found[f"{start}{short}"] = result.mean(name, metric)
        for metric in ERRORS_OF:
            found[f"{start}{METRICS[metric]}_se"] = result.error(name, metric)
    for metric in ("hr@20", "mrr@20", "new_hr@20"):
        found[f"{data}_fusion_{METRICS[metric]}"] = result.mean("fusion", metric)
    for other in COMPARED:
        for metric in ERRORS_OF:
            ahead, error = result.lead(OURS, other, metric)
            start = f"{data}_lead_over_{KEYS[other]}_{METRICS[metric]}"
            found |= {start: ahead, f"{start}_se": error}
    return found


def _progress() -> Progress:
    return Progress(TextColumn("{task.description:40}"), BarColumn(), TimeElapsedColumn(), transient=True)


def _reporter(bar: Progress, window: str) -> Callable[[str, int, int], None]:
    tasks: dict[str, TaskID] = {}

    def report(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = bar.add_task(step, total=total)
        bar.update(tasks[step], completed=done, total=total)

    return report
