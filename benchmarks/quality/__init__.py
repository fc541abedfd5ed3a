"""HR, MRR, NDCG, coverage and popularity bias of our model set beside the field's models on real sessions.

Without ``--data``: the open split. Of the RetailRocket sessions in order, the first nine tenths train and the last
tenth tests, at every position, over the full catalogue, with repeats; items unknown in training are left out. Then
RetailRocket's events and Online Retail, by time. Coverage needs the full run: a few points cannot list a whole
catalogue. ``RECSITE_BENCHMARK_DATA`` names the folder of the data; without it the benchmark makes shoppers of its own
and says so: those figures carry other keys and compare with nothing.

With ``--data NAME=PATH``: the user's own copy of a data set in the windows in which the field cuts it
(``windows.PROTOCOLS``).

Whatever is chosen (weights and trees of ours, parameters of the others) is chosen on the newest tenth of the training
part alone. Beside ours stand its parts, and the bound: the share of points whose target is among the ranker's
candidates, which no ranker can exceed. docs/quality.md says what each model is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality.comparison import compared, figures, show
from benchmarks.quality.ours import Window, bound
from benchmarks.quality.reading import data_sets, read_data_set
from benchmarks.quality.windows import MIN_LENGTH, MIN_SUPPORT, PROTOCOLS, filtered, shortened, windows_of
from benchmarks.report import NotHere
from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import SessionLog
from recommendations.training.data.readers import read_online_retail, read_retailrocket_events, read_sessions_jsonl
from recommendations.training.data.split import split_by_time
from recommendations.training.settings import TrainingSettings

DATA = Path(os.environ.get("RECSITE_BENCHMARK_DATA", Path(__file__).parents[3] / "shared" / "data"))
QUICK_SESSIONS = 20_000
FULL = TrainingSettings(refit=False)
QUICK = TrainingSettings(refit=False, factors=32, als_iterations=5, trees=60, tuning_queries=1500)
BASKETS = TrainingSettings(refit=False, max_queries=8_000, max_points=8_000, tuning_queries=1_500)  # long invoices


def run(*, quick: bool, seeds: int = 1, data: Sequence[str] = (), windows: int | None = None) -> dict[str, float]:
    """Train and measure; ``quick`` takes the newest 20,000 sessions, small models and unsearched peers.

    Parameters
    ----------
    seeds : int
        Trainings of what depends on chance.
    data : sequence of ``NAME=PATH``
        Data sets to measure in their windows, in place of the open split.
    windows : int, optional
        Only the newest so many of them; one with ``quick``.

    Raises
    ------
    NotHere
        A data set has another name, is not at its path, or has no sessions in any window.
    """
    if seeds < 1 or (windows is not None and windows < 1):
        raise NotHere(f"--seeds {seeds} --windows {windows}: give whole numbers above 0")
    if data:
        found = {}
        for name, path in data_sets(data).items():
            found |= _in_windows(name, path, quick=quick, seeds=seeds, most=1 if quick else windows)
        return found
    return _open_split(quick=quick, seeds=seeds)


def _in_windows(name: str, path: Path, *, quick: bool, seeds: int, most: int | None) -> dict[str, float]:
    protocol = PROTOCOLS[name]
    log = read_data_set(path, protocol)
    kept = filtered(log)
    found = windows_of(kept, protocol)
    if not found:
        raise NotHere(
            f"{path}: its {len(log):,} sessions hold no window of {protocol.train_days} days and the"
            f" {protocol.test_days} after them; is this the whole data set?"
        )
    chosen = found if most is None else found[-most:]
    if quick:
        chosen = [shortened(window, QUICK_SESSIONS) for window in chosen]
    started = time.perf_counter()
    result = compared(chosen, settings=QUICK if quick else FULL, seeds=seeds, is_searched=not quick)
    notes = [
        f"{len(log):,} sessions read, {len(kept):,} of {kept.n_items - 1:,} items kept (items with {MIN_SUPPORT},"
        f" sessions with {MIN_LENGTH} interactions at least)",
        f"{len(chosen)} of {len(found)} windows of {protocol.train_days} + {protocol.test_days} days"
        f" ({protocol.source}); {sum(len(each.known) for each in chosen):,} sessions train,"
        f" {sum(len(each.held_out) for each in chosen):,} test",
    ]
    show(f"{name}, {protocol.kind.name.lower()}s", result, took_s=time.perf_counter() - started, notes=notes)
    return figures(name, result)


def _open_split(*, quick: bool, seeds: int) -> dict[str, float]:
    sessions = DATA / "retailrocket" / "sessions.jsonl.gz"
    if not sessions.is_file():
        print(f"{sessions} is not here: shoppers are made up instead, and the figures compare with nothing")
        return _last_tenth("made", "sessions made up here", _made_up_sessions(), quick=True, seeds=seeds)
    title = "RetailRocket, the newest sessions only" if quick else "RetailRocket sessions, open split"
    found = _last_tenth("rr", title, read_sessions_jsonl(sessions), quick=quick, seeds=seeds)
    events = DATA / "retailrocket" / "events.csv"
    if not quick and events.is_file():
        log = read_retailrocket_events(events)
        found |= _last_tenth("rr_events", "RetailRocket events, by time", log, quick=False, seeds=seeds)
    invoices = DATA / "online_retail" / "online_retail.parquet"
    if not quick and invoices.is_file():
        log = read_online_retail(invoices)
        title = "Online Retail, the rest of the basket"
        found |= _last_tenth("retail", title, log, quick=False, seeds=seeds, settings=BASKETS)
    return found


def _last_tenth(  # what is measured, and how long that may take
    data: str, title: str, log: SessionLog, *, quick: bool, seeds: int, settings: TrainingSettings = FULL
) -> dict[str, float]:
    if quick:
        log, settings = log.between(max(len(log) - QUICK_SESSIONS, 0), len(log)), QUICK
    known, held_out = split_by_time(log, held_out=settings.held_out)
    started = time.perf_counter()
    window = Window(name="the last tenth", known=known, held_out=held_out, whole=log)
    result = compared([window], settings=settings, seeds=seeds, is_searched=not quick)
    assert result.last is not None
    notes = [f"at most possible: HR@20 {bound(result.last):.3f} (the target is among the candidates)"]
    took_s = time.perf_counter() - started
    show(f"{title}: {len(log):,} sessions", result, took_s=took_s, notes=notes, with_parts=True)
    return figures(data, result)


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
