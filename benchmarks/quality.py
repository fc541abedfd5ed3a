"""HR, MRR, NDCG and coverage of the default model set on real sessions, beside its parts and simple baselines.

The open split: of the RetailRocket sessions in order, the first nine tenths train and the last tenth tests, at every
position, over the full catalogue, with repeats; items unknown in training are left out. Weights and trees are chosen
on the last tenth of the training part alone. Coverage needs the full run: a few points cannot list a whole catalogue.

Beside what serves stand its parts, popularity, what was viewed last, plain ALS (a dot product with the folded-in
session, as it is used most), and the bound: the share of points whose target is among the ranker's candidates, which no
ranker can exceed. ``RECSITE_BENCHMARK_DATA`` names the folder of the data; without it
the benchmark makes shoppers of its own and says so: those figures carry other keys and compare with nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks.report import print_table
from recommendations.ranking.columns import CANDIDATES_PER_SOURCE
from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import SessionLog
from recommendations.training.data.readers import read_online_retail, read_retailrocket_events, read_sessions_jsonl
from recommendations.training.data.split import TestPoints, points_at_every_position, split_by_time
from recommendations.training.evaluation.metrics import measure
from recommendations.training.fit.batch import score_als
from recommendations.training.fit.fusion import CHOICES, CONSTANTS, ROUNDS
from recommendations.training.fit.sources import FittedSources, list_sources
from recommendations.training.fitted import FittedModelSet
from recommendations.training.learning import FUSED_SOURCES, RANKER_SOURCES
from recommendations.training.settings import TrainingSettings
from recommendations.training.train import train_model_set

DATA = Path(os.environ.get("RECSITE_BENCHMARK_DATA", Path(__file__).parents[2] / "shared" / "data"))
SHOWN = {
    "HR@20": "hr@20",
    "MRR@20": "mrr@20",
    "NDCG@10": "ndcg@10",
    "new HR": "new_hr@20",
    "cover": "coverage@20",
    "repeat": "repeat_share@20",
}
QUICK_SESSIONS = 20_000
FULL = TrainingSettings(refit=False)
BASKETS = TrainingSettings(refit=False, max_queries=8_000, max_points=8_000, tuning_queries=1_500)  # long invoices


def run(*, quick: bool) -> dict[str, float]:
    """Train and measure; ``quick`` takes the newest 20,000 sessions and small models, so its figures are rougher."""
    sessions = DATA / "retailrocket" / "sessions.jsonl.gz"
    if not sessions.is_file():
        print(f"{sessions} is not here: shoppers are made up instead, and the figures compare with nothing")
        return _figures("made", _trained("sessions made up here", _made_up_sessions(), quick=True))
    title = "RetailRocket, the newest sessions only" if quick else "RetailRocket sessions, open split"
    figures = _figures("rr", _trained(title, read_sessions_jsonl(sessions), quick=quick))
    events = DATA / "retailrocket" / "events.csv"
    if not quick and events.is_file():
        log = read_retailrocket_events(events)
        figures |= _figures("rr_events", _trained("RetailRocket events, by time", log, quick=False))
    invoices = DATA / "online_retail" / "online_retail.parquet"
    if not quick and invoices.is_file():
        log = read_online_retail(invoices)
        figures |= _figures(
            "retail", _trained("Online Retail, the rest of the basket", log, quick=False, settings=BASKETS)
        )
    return figures


def _trained(title: str, log: SessionLog, *, quick: bool, settings: TrainingSettings = FULL) -> FittedModelSet:
    if quick:
        log = log.between(max(len(log) - QUICK_SESSIONS, 0), len(log))
        settings = TrainingSettings(refit=False, factors=32, als_iterations=5, trees=60, tuning_queries=1500)
    started = time.perf_counter()
    columns = (TextColumn("{task.description:22}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done, total=total)

        fitted = train_model_set(log, settings=settings, progress=report)
    took_s = time.perf_counter() - started
    _, held_out = split_by_time(log, held_out=settings.held_out)
    test = points_at_every_position(held_out.reindexed(fitted.item_ids), most=settings.max_points)
    measured = {"plain ALS": _plain_als(fitted, test), **fitted.metrics}
    measured.pop("als", None)  # the same under its source's name, where fusion gave it weight
    rows = [[name, *(values[key] for key in SHOWN.values())] for name, values in measured.items()]
    points = next(iter(fitted.metrics.values()))["points"]
    weights = ", ".join(f"{name} {weight:g}" for name, weight in fitted.fusion.weights.items() if weight)
    trials = ROUNDS * (len(FUSED_SOURCES) * len(CHOICES) + len(CONSTANTS))
    trees = fitted.ranker.booster_text.count("Tree=") if fitted.ranker is not None else 0
    caption = (
        f"{points:,.0f} test points, {took_s:.0f} s in all; fusion: {weights}, k={fitted.fusion.k:g}\n"
        f"searched on validation: {trials} weightings on {settings.tuning_queries:,} points, the number of trees"
        f" ({trees}); seed {settings.seed}"
    )
    if fitted.ranker is not None:
        caption += f"\nat most possible: HR@20 {_bound(fitted, test):.3f} (the target is among the candidates)"
    print_table(f"{title}: {len(log):,} sessions", ["", *SHOWN], rows, caption=caption)
    return fitted


def _plain_als(fitted: FittedModelSet, points: TestPoints) -> Mapping[str, float]:
    listed = score_als(fitted.als, points.histories, k=20).items
    return measure(listed, points, item_counts=fitted.popularity.all_time.astype(np.int64)).values


def _bound(fitted: FittedModelSet, points: TestPoints) -> float:
    """Return the share of the points whose target a source proposes or the session holds."""
    assert fitted.ranker is not None
    sources = FittedSources(
        als=fitted.als,
        neighbours=fitted.neighbours,
        sessions=fitted.sessions,
        popularity=fitted.popularity,
        tables=fitted.ranker.tables,
    )
    lists = list_sources(sources, points.histories, names=RANKER_SOURCES)
    found = ~points.is_new()
    for name, depth in CANDIDATES_PER_SOURCE.items():
        found |= (lists[name].items[:, :depth] == points.targets[:, None]).any(axis=1)
    return float(np.mean(found & (points.targets > 0)))


def _figures(history: str, fitted: FittedModelSet) -> dict[str, float]:
    """Return the figures of what would serve: the ranker where it beats fusion, else fusion."""
    served: Mapping[str, float] = fitted.metrics["ranker" if fitted.ranker is not None else "fusion"]
    fused = fitted.metrics["fusion"]
    return {
        f"{history}_hr20": served["hr@20"],
        f"{history}_mrr20": served["mrr@20"],
        f"{history}_ndcg10": served["ndcg@10"],
        f"{history}_new_hr20": served["new_hr@20"],
        f"{history}_coverage": served["coverage@20"],
        f"{history}_fusion_hr20": fused["hr@20"],
        f"{history}_fusion_mrr20": fused["mrr@20"],
        f"{history}_fusion_new_hr20": fused["new_hr@20"],
        f"{history}_test_points": served["points"],
    }


def _made_up_sessions() -> SessionLog:
    """Return shoppers who mostly walk on within one of 200 aisles of 20 items."""
    rng = np.random.default_rng(5)
    sessions = []
    for _ in range(QUICK_SESSIONS):
        aisle, index = min(int(rng.exponential(40)), 199), int(rng.integers(20))
        session = []
        for _ in range(int(rng.integers(2, 9))):
            session.append(f"{aisle}-{index}")
            index = (index + int(rng.choice([0, 1, 1, 2, 5]))) % 20
        sessions.append(session)
    return log_from_sessions(sessions)
