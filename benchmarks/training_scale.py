"""Memory and time of a training run, from a made-up archive to fitted sources, step by step.

``python -m benchmarks.training_scale [--items N] [--events N] [--until STEP]``. The archive is written by a process of
its own; the peak of each step is that of resident memory, which Linux lets a process set back. What costs time and no
memory is cut short (sweeps of ALS, trees, points that are measured), so times say little about a real run.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.archive.rows import DAY_MS, schema
from features.archive.writer import ArchiveFolder, date_of
from recommendations.training.data.archive import read_archive
from recommendations.training.fit import neighbours
from recommendations.training.settings import TrainingSettings
from recommendations.training.train import train_model_set

SITE = "scale"
DAYS = 60
FIRST_DAY = 20_000
EVENTS_A_SESSION = 5
KINDS = np.array(["view_item"] * 8 + ["add_to_cart", "purchase"])
VECTOR_PAIRS = 2e9  # a tenth of the cosines: time alone


def write_archive(folder: Path, *, n_items: int, n_events: int, seed: int = 0) -> None:
    """Write sessions of five interactions within a hundred neighbours of an item of Zipf-like popularity.

    A fourth as many shoppers as sessions, a tenth of them identified; a list was shown for every interaction.
    """
    rng = np.random.default_rng(seed)
    archive = ArchiveFolder(str(folder))
    per_day = n_events // EVENTS_A_SESSION // DAYS
    shoppers = max(n_events // EVENTS_A_SESSION // 4, 1)
    for day in range(FIRST_DAY, FIRST_DAY + DAYS):
        n = per_day * EVENTS_A_SESSION
        first = (n_items - 1) * rng.random(per_day, np.float32) ** 3
        steps = rng.integers(0, 100, (per_day, EVENTS_A_SESSION))
        steps = np.where(rng.random(steps.shape) < 0.5, steps // 10, steps)
        items = [f"sku{item}" for item in ((first[:, None].astype(int) + steps) % (n_items - 1) + 1).ravel().tolist()]
        starts = rng.integers(0, DAY_MS - EVENTS_A_SESSION * 30_000, per_day)
        times = day * DAY_MS + (starts[:, None] + np.arange(EVENTS_A_SESSION) * 30_000).ravel()
        who = np.repeat(rng.integers(0, shoppers, per_day), EVENTS_A_SESSION).tolist()
        nobody = pa.nulls(2 * n, pa.string())
        ids = [f"{day:05d}{number:08d}-7000-8000-{number:012d}" for number in range(n)]
        named = {
            "site": pa.array([SITE] * 2 * n),
            "user_key": pa.array([f"u:{one}" if one % 10 == 0 else f"a:{one:032x}" for one in who] * 2),
            "anonymous_id": pa.array([f"{one:032x}" for one in who] * 2),
            "user_id": pa.array([str(one) if one % 10 == 0 else None for one in who] * 2, pa.string()),
            "session_id": pa.array([f"{day}-{number // EVENTS_A_SESSION:028d}" for number in range(n)] * 2),
            "event_id": pa.array(ids + [f"l{one}" for one in ids]),
            "event": pa.array(rng.choice(KINDS, n).tolist() + ["view_item_list"] * n),
            "row": pa.array(np.zeros(2 * n, np.int16)),
            "item_id": pa.array(items * 2),
            "quantity": pa.array(np.ones(2 * n, np.int32)),
            "price": pa.array(np.full(2 * n, 20.0)),
            "occurred_at_ms": pa.array(np.tile(times, 2)),
            "received_at_ms": pa.array(np.tile(times, 2)),
            "bot": pa.array(np.zeros(2 * n, bool)),
        }
        columns = [named.get(field.name, nobody.cast(field.type)) for field in schema()]
        path = f"{archive.root}/site={SITE}/date={date_of(day)}/p0-{day}.parquet"
        archive.write_table(path, pa.Table.from_arrays(columns, schema=schema()))


class Enough(Exception):
    """What was asked for has been measured."""


class Watch:
    """Prints each step when it ends: seconds, and the peak of resident memory while it ran."""

    def __init__(self, until: str) -> None:
        self._until = until
        self._step, self._started = "start", time.perf_counter()
        self.peak_gb = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take a report of progress."""
        step = f"{step} {done}/{total}" if step.startswith("fit") and done < total else step
        if step == self._step:
            return
        peak_gb = _peak_gb()
        self.peak_gb = max(self.peak_gb, peak_gb)
        print(f"{time.perf_counter() - self._started:7.1f} s {peak_gb:6.2f} GB  {self._step}", flush=True)
        if self._until and self._step.startswith(self._until):
            raise Enough
        self._step, self._started = step, time.perf_counter()
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here


def measured(folder: Path, *, queries: int, factors: int, until: str) -> float:
    """Read and train; return the peak in GB."""
    neighbours.VECTOR_PAIRS = VECTOR_PAIRS
    settings = TrainingSettings(
        factors=factors, als_iterations=1, max_queries=queries, max_points=500, tuning_queries=200, trees=5,
        num_threads=1, max_interactions=10**9,
    )  # fmt: skip
    watch = Watch(until)
    log = read_archive(str(folder), site=SITE, progress=watch)
    watch("the log", 0, 1)
    print(f"{len(log.items):,} interactions, {len(log):,} sessions, {log.n_items:,} items", flush=True)
    with contextlib.suppress(Enough):
        train_model_set(log, settings=settings, progress=watch)
        watch("end", 1, 1)
    return watch.peak_gb


def main() -> None:
    """Measure one size and print what it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--queries", type=int, default=10_000, help="Of the ranker; 60,000 in a real run.")
    parser.add_argument("--factors", type=int, default=128)
    parser.add_argument("--until", default="", help="Stop after this step, such as 'ranker features'.")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.write:
        write_archive(chosen.write, n_items=chosen.items, n_events=chosen.events)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.training_scale", "--write", folder]
        subprocess.run([*command, "--items", str(chosen.items), "--events", str(chosen.events)], check=True)
        started = time.perf_counter()
        peak_gb = measured(Path(folder), queries=chosen.queries, factors=chosen.factors, until=chosen.until)
        took_s = time.perf_counter() - started
    print(f"{chosen.items:,} items, {chosen.events:,} events: {took_s:.0f} s, peak {peak_gb:.2f} GB")


def _peak_gb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
