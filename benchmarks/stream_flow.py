"""Faults while events flow at a steady rate: workers that come and go, one user with half of the traffic."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Iterator

from benchmarks.report import print_table
from benchmarks.stream_judge import Judge
from benchmarks.stream_load import SITE, Bench, Records, make_records, running
from tracking.log import partition_for

RATE = 1_000
PERIOD_S = 10.0


def coming_and_going(url: str, redis_url: str, *, seconds: int, judge: Judge) -> dict[str, float]:
    """Let a second worker join and leave every ten seconds; return the longest that a record waited.

    Every other time it is the worker that was there first who leaves (SIGTERM), so that all partitions wander.
    """
    records = make_records(RATE * seconds, users=RATE * seconds // 20, per_record=1, resent=0.05)
    with running(url, redis_url, batch_records=200) as bench:
        bench.client.flushdb()
        bench.start()
        bench.start()
        found = asyncio.run(_wander(bench, records))
        bench.wait_for(len(records))
        judge.judge(bench, records, RATE * seconds)
        bench.client.flushdb()
    return found


async def _wander(bench: Bench, records: Records) -> dict[str, float]:
    sent_at: list[list[float]] = [[] for _ in range(bench.log.partitions)]
    longest_s, changes = 0.0, 0
    sending = asyncio.create_task(_send(bench, records, sent_at))
    next_change = time.perf_counter() + PERIOD_S
    while not sending.done() or any(_waiting(bench, sent_at)):
        longest_s = max([longest_s, *_waiting(bench, sent_at)])
        if time.perf_counter() >= next_change:
            next_change += PERIOD_S
            changes += 1
            if changes % 2:
                leaving = bench.workers.pop(0)
                leaving.send_signal(signal.SIGTERM)
                if await asyncio.to_thread(leaving.wait, 30) != 0:
                    raise RuntimeError(f"the worker left with status {leaving.returncode}")
            else:
                bench.start()
        await asyncio.sleep(0.1)
    await sending
    return {"longest_lag_s": longest_s, "changes": changes}


def _waiting(bench: Bench, sent_at: list[list[float]]) -> Iterator[float]:
    """Yield for how long the oldest record that is not applied waits, by partition."""
    now = time.perf_counter()
    for partition, applied in enumerate(bench.records_by_partition()):
        if applied < len(sent_at[partition]):
            yield now - sent_at[partition][applied]


async def _send(bench: Bench, records: Records, sent_at: list[list[float]]) -> None:
    writer = bench.log.writer()
    await writer.start()
    started = time.perf_counter()
    for start in range(0, len(records), 10):
        await asyncio.sleep(max(0.0, started + start / RATE - time.perf_counter()))
        batch = records[start : start + 10]
        errors = await writer.append_many(batch, timeout_s=10.0)
        if any(errors):
            raise RuntimeError(f"the log took not everything: {next(error for error in errors if error)}")
        now = time.perf_counter()
        for key, _ in batch:
            sent_at[partition_for(key, bench.log.partitions)].append(now)
    await writer.close()


def hot_user(url: str, redis_url: str, *, seconds: int) -> dict[str, float]:
    """Give half of 1,000 events a second to one user; return how much later the others' features are there."""
    found = {}
    for name, share in (("even", 0.0), ("hot", 0.5)):
        with running(url, redis_url) as bench:
            bench.client.flushdb()
            bench.start()
            found[name] = asyncio.run(_latencies(bench, redis_url, share=share, seconds=seconds))
            bench.client.flushdb()
    rows = [(name, len(times), _share(times, 0.5), _share(times, 0.99)) for name, times in found.items()]
    ratio = _share(found["hot"], 0.99) / _share(found["even"], 0.99)
    print_table(
        f"1,000 events a second for {seconds} s; hot: half of them by one user",
        ("traffic", "events of others", "median ms", "p99 ms"),
        rows,
        caption=f"From the append to the announcement, of the other users. p99 ratio {ratio:.2f}.",
    )
    return {"hot_user_p99_ratio": ratio, "others_p99_ms": _share(found["hot"], 0.99)}


async def _latencies(bench: Bench, redis_url: str, *, share: float, seconds: int) -> list[float]:
    from features.stream.notify import listen_changed

    sent: dict[str, float] = {}
    taken: list[float] = []

    def heard(changed: dict[str, list[str]]) -> None:
        now = time.perf_counter()
        for user in changed.get(SITE, ()):
            if (at := sent.pop(user, None)) is not None:
                taken.append((now - at) * 1_000)

    listening = asyncio.create_task(listen_changed(heard, url=redis_url))
    writer = bench.log.writer()
    await writer.start()
    rnd = random.Random(3)
    made = make_records(1_000 * (seconds + 2), users=10**9, per_record=1)
    hot_key = made[0][0].partition(b"/a:")[2]
    first_at: float | None = None
    for start in range(0, len(made), 10):
        now = time.perf_counter()
        first_at = first_at or now
        await asyncio.sleep(max(0.0, first_at + start / 1_000 - now))
        # The first two seconds are for the worker to join and warm up.
        counts = start >= 2_000
        batch: Records = []
        for key, value in made[start : start + 10]:
            own = key.partition(b"/a:")[2]
            if rnd.random() < share:
                key, value = key.replace(own, hot_key), value.replace(own, hot_key)
            elif counts:
                sent[f"a:{own.decode()}"] = time.perf_counter()
            batch.append((key, value))
        errors = await writer.append_many(batch, timeout_s=10.0)
        if any(errors):
            raise RuntimeError(f"the log took not everything: {next(error for error in errors if error)}")
    await asyncio.to_thread(bench.wait_for, len(made))
    await asyncio.sleep(0.5)
    listening.cancel()
    await writer.close()
    return taken


def _share(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]
