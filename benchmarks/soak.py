"""An installation under steady load: what its processes hold must not grow.

    make soak MINUTES=60        # or: python -m benchmarks soak [--quick] [--minutes N] [--json FILE]

Memory and handles are those of all processes with their children, disk is everything that the installation writes but
for the archive, which keeps every event for its retention and is shown by the event. The first third warms up. A slope
is the median of the slopes between all pairs of samples (Theil-Sen), so that one garbage collection or one rewrite of a
file does not make it. Flat is what rises by no more than ``PER_HOUR`` times the hours, and a slack that a short run
needs: pools of connections and buffers are filled once.
"""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import psutil

from benchmarks.report import print_table

if TYPE_CHECKING:
    from benchmarks.faults.lab import Shop

MB: Final = 1024 * 1024
PER_HOUR: Final = {"memory_mb": 16.0, "handles": 4.0, "lag_records": 60.0, "disk_mb": 16.0, "redis_mb": 16.0}
SLACK: Final = {"memory_mb": 24.0, "handles": 16.0, "lag_records": 100.0, "disk_mb": 6.0, "redis_mb": 6.0}
SAMPLES: Final = 120
WARM_UP_SHARE: Final = 1 / 3
POSTS_A_SECOND: Final = 20.0
LISTS_A_SECOND: Final = 15.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What was held at one moment."""

    at_s: float
    values: dict[str, float]


def run(*, quick: bool, minutes: float | None = None) -> dict[str, float]:
    """Soak for so many minutes (60; with ``quick`` 2) and return slopes per hour, and whether all is flat."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    minutes = minutes or (2.0 if quick else 60.0)
    return asyncio.run(_soak(minutes))


async def _soak(minutes: float) -> dict[str, float]:
    from benchmarks.faults.lab import FIRST, SHOPPERS, installation, until_ready
    from benchmarks.faults.traffic import Traffic, percentile
    from benchmarks.faults.verdict import archive_verdict, settled_verdict

    with installation("redis") as shop:
        try:
            shop.start()
            await until_ready(shop, within_s=90.0)
            shop.watch()
            traffic = Traffic(
                key=shop.key, ports=list(shop.web_ports), shoppers=SHOPPERS, first=FIRST,
                posts_per_s=POSTS_A_SECOND, lists_per_s=LISTS_A_SECOND,
            )  # fmt: skip
            traffic.start()
            samples = await _samples(shop, for_s=minutes * 60.0)
            await traffic.stop()
            verdict = await settled_verdict(shop, traffic.ledger, within_s=60.0)
            archived = await archive_verdict(shop, traffic.ledger, within_s=60.0)
            archive_bytes = _bytes_below(shop.lab.folder / "archive")
        finally:
            await shop.close()
    slopes = {name: slope_per_hour(samples, name) for name in PER_HOUR}
    kept = [name for name in PER_HOUR if is_flat(name, slopes[name], minutes=minutes)]
    lists = [one for one in traffic.answers if one.kind == "recommend"]
    print_table(
        f"{minutes:g} minutes of {POSTS_A_SECOND:g} requests with events and {LISTS_A_SECOND:g} lists a second",
        ("of all processes", "first", "last", "an hour", "bound an hour", "flat"),
        [
            (
                name, settled(samples)[0].values[name], samples[-1].values[name], slopes[name], PER_HOUR[name],
                "yes" if name in kept else "NO",
            )
            for name in PER_HOUR
        ],
        caption=f"{len(traffic.ledger.ids):,} events, {verdict.lost + archived.lost} lost, "
        f"{verdict.doubled + archived.doubled} doubled; archive {archive_bytes / len(traffic.ledger.ids):.0f} bytes an "
        f"event; lists p99 {percentile(lists, 0.99):.0f} ms. first: after the warm-up of a third.",
    )  # fmt: skip
    return {
        "minutes": minutes,
        **{f"{name}_per_h": slopes[name] for name in PER_HOUR},
        "is_flat": float(len(kept) == len(PER_HOUR)),
        "events": float(len(traffic.ledger.ids)),
        "lost": float(verdict.lost + archived.lost + len(traffic.ledger.refused)),
        "doubled": float(verdict.doubled + archived.doubled),
        "archive_bytes_per_event": archive_bytes / len(traffic.ledger.ids),
        "lists_p99_ms": percentile(lists, 0.99),
    }


async def _samples(shop: Shop, *, for_s: float) -> list[Sample]:
    began = time.monotonic()
    samples: list[Sample] = []
    while (elapsed_s := time.monotonic() - began) < for_s:
        samples.append(Sample(elapsed_s, await asyncio.to_thread(_held, shop)))
        await asyncio.sleep(for_s / SAMPLES)
    return samples


def _held(shop: Shop) -> dict[str, float]:
    import redis

    from features.keys import position
    from features.store.connections import name_of
    from tracking.log import open_log

    memory = handles = 0.0
    for process in shop.processes.values():
        if process.pid is None:
            continue
        parent = psutil.Process(process.pid)
        for one in (parent, *parent.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                memory += one.memory_full_info().uss
                handles += one.num_fds()
    log = open_log(shop.log_url)
    client = redis.Redis.from_url(shop.states.url)
    stored = {one: (client.get(position(one, name_of(log))) or b"").decode() for one in range(log.partitions)}
    used = float(client.info("memory")["used_memory"])
    client.close()
    return {
        "memory_mb": memory / MB,
        "handles": handles,
        "lag_records": float(sum(log.behind(stored).values())),
        "disk_mb": (_bytes_below(shop.lab.folder) - _bytes_below(shop.lab.folder / "archive")) / MB,
        "redis_mb": used / MB,
    }


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def settled(samples: list[Sample]) -> list[Sample]:
    """Return the samples after the warm-up."""
    return samples[int(len(samples) * WARM_UP_SHARE) :]


def slope_per_hour(samples: list[Sample], name: str) -> float:
    """Return the Theil-Sen slope of the settled samples, an hour; 0 for fewer than two."""
    slopes = [
        (later.values[name] - earlier.values[name]) / (later.at_s - earlier.at_s)
        for earlier, later in combinations(settled(samples), 2)
        if later.at_s > earlier.at_s
    ]
    return 3_600 * median(slopes) if slopes else 0.0


def is_flat(name: str, slope: float, *, minutes: float) -> bool:
    """Return whether something that rises by ``slope`` an hour is as good as flat over so many minutes."""
    hours = minutes / 60
    return slope * hours <= PER_HOUR[name] * hours + SLACK[name]
