"""Memory and time of a training run on made-up logs, to see what a million items and fifty million events need.

Run as ``python -m benchmarks.training_scale [--items N] [--events N]``; one size a process, since the peak of memory is
that of the process. Shoppers stay near an item of Zipf-like popularity, and leave views, carts and purchases.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from recommendations.training.dataset import SessionLog
from recommendations.training.settings import TrainingSettings
from recommendations.training.train import train_model_set

EVENTS_A_SESSION = 5
SETTINGS = TrainingSettings(
    refit=False, factors=64, als_iterations=3, max_queries=10_000, max_points=2_000, tuning_queries=500, trees=30,
    num_threads=2,
)  # fmt: skip


def made_log(n_items: int, n_events: int, *, seed: int = 0) -> SessionLog:
    """Return sessions of five interactions within a hundred neighbours of a popular item."""
    rng = np.random.default_rng(seed)
    n_sessions = n_events // EVENTS_A_SESSION
    first = (n_items - 1) * rng.random(n_sessions, np.float32) ** 3
    steps = rng.integers(0, 100, (n_sessions, EVENTS_A_SESSION), np.int32)
    steps = np.where(rng.random(steps.shape, np.float32) < 0.5, steps // 10, steps)
    items = ((first[:, None].astype(np.int32) + steps) % (n_items - 1) + 1).ravel().astype(np.int32)
    starts = np.sort(rng.integers(0, 60 * 86_400_000, n_sessions))
    times = starts[:, None] + np.arange(EVENTS_A_SESSION) * 30_000
    return SessionLog(
        item_ids=("", *(f"sku{n}" for n in range(1, n_items))),
        items=items,
        kinds=rng.choice(np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 2], np.uint8), n_sessions * EVENTS_A_SESSION),
        occurred_at_ms=times.ravel(),
        offsets=np.arange(n_sessions + 1, dtype=np.int64) * EVENTS_A_SESSION,
        users=rng.integers(0, max(n_sessions // 4, 1), n_sessions).astype(np.int32),
        prices=np.full(len(items), 20, np.float32),
        amounts=np.full(len(items), 2_000, np.int64),
    )


def main() -> None:
    """Train once and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=5_000_000)
    chosen = parser.parse_args()
    log = made_log(chosen.items, chosen.events)
    started = time.perf_counter()
    entered: dict[str, float] = {}

    def told(step: str, done: int, total: int) -> None:
        if step not in entered:
            entered[step] = time.perf_counter() - started
            print(f"{entered[step]:7.0f} s {_peak_gb():6.2f} GB  {step}", flush=True)

    train_model_set(log, settings=SETTINGS, progress=told)
    took_s = time.perf_counter() - started
    print(f"{chosen.items:,} items, {chosen.events:,} events: {took_s:.0f} s, peak {_peak_gb():.2f} GB")


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
