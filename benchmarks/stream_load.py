"""What the stream benchmark needs besides its story: records, a log full of them, a worker that is watched."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from features.store.connections import name_of
from features.store.scan import StateHash, read_progress, state_hash
from tracking.log import EventLog, open_log
from tracking.redis_client import connect

ROOT = Path(__file__).resolve().parent.parent
ITEMS = 20_000
SITE = "bench"
PARTITIONS = 4
Records = list[tuple[bytes, bytes]]
LATENESS_MS = 900_000
_ENCODE = msgspec.json.Encoder().encode


def log_url(backend: str, redis_url: str, bootstrap: str) -> str:
    """Return the URL of a new log."""
    topic = f"bench-{uuid.uuid4().hex}"
    if backend == "kafka":
        return f"kafka://{bootstrap}/{topic}?partitions={PARTITIONS}"
    return f"{redis_url}?stream={topic}&partitions={PARTITIONS}&max_records=10000000"


def make_records(
    events: int, *, users: int, per_record: int, resent: float = 0.0, salt: int = 0
) -> list[tuple[bytes, bytes]]:
    """Return records of ``per_record`` events (about 300 bytes an event) by users chosen at random; seeded."""
    rnd = random.Random(f"{events} {per_record} {salt}")
    now_ms = time.time_ns() // 1_000_000
    start_ms = now_ms - 600_000
    records: list[tuple[bytes, bytes]] = []
    for number in range(events // per_record):
        anonymous_id = f"anonymous-{rnd.randrange(users):016d}"
        at_ms = start_ms + number * 600_000 * per_record // events
        made = [_event(rnd, f"{salt:04d}-{number:012d}-{n:06d}", at_ms + n, anonymous_id) for n in range(per_record)]
        value = {
            "v": "1.0", "site": SITE, "received_at_ms": at_ms + 1_000, "anonymous_id": anonymous_id,
            "ctx": {"lang": "en", "vw": 1280, "lib": "rec.js/1.0"}, "events": made,
        }  # fmt: skip
        records.append((f"{SITE}/a:{anonymous_id}".encode(), _ENCODE(value)))
        if rnd.random() < resent:
            records.append(records[-1])
    return records


def _event(rnd: random.Random, event_id: str, at_ms: int, session: str) -> dict[str, object]:
    kind = rnd.choices(["view_item", "page_view", "add_to_cart", "purchase", "select_item"], [70, 10, 8, 2, 10])[0]
    params: dict[str, object] = {}
    if kind == "page_view":
        params["page_title"] = "A page of a shop that sells many things"
    else:
        # Demand is skewed, as in shops: a tenth of the items gets most of it.
        item = int(ITEMS * rnd.random() ** 3)
        params["items"] = [{"item_id": f"item{item}", "price": 9.5 + item % 90, "item_category": f"c{item % 40}"}]
    if kind == "purchase":
        params["transaction_id"] = f"t{event_id}"
    return {"event": kind, "event_id": event_id, "ts": at_ms, "session_id": session[-12:], "params": params}


def fill(log: EventLog, records: Sequence[tuple[bytes, bytes]]) -> None:
    """Append records and wait until they are durable."""

    async def append() -> None:
        writer = log.writer()
        await writer.start()
        if not await writer.wait_ready(timeout_s=30.0):
            raise RuntimeError("the log cannot be reached")
        for start in range(0, len(records), 500):
            errors = await writer.append_many(records[start : start + 500], timeout_s=30.0)
            if any(errors):
                raise RuntimeError(f"the log took not everything: {next(error for error in errors if error)}")
        await writer.close()

    asyncio.run(append())


@dataclass
class Bench:
    """One log, one Redis, and the workers between them."""

    log_url: str
    redis_url: str
    batch_records: int = 500
    session_ms: int = 0  # for how long the others wait for a silent worker; 0: as in production
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log = open_log(self.log_url)
        self.log.ensure_topic(timeout_s=30.0)
        self.client = connect(self.redis_url, timeout_s=10.0)

    def start(self) -> subprocess.Popen[bytes]:
        """Start a worker process."""
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stream_worker"],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "recsite.settings",
                "RECSITE_SECRET_KEY": "x" * 50,
                "EVENT_LOG_URL": self.log_url,
                "REDIS_URL": self.redis_url,
                "RECSITE_STREAM_BATCH_RECORDS": str(self.batch_records),
                "RECSITE_BENCH_SESSION_MS": str(self.session_ms),
                "RECSITE_LOG_LEVEL": "WARNING",
            },
            stderr=subprocess.DEVNULL,
        )
        self.workers.append(process)
        return process

    def records(self) -> int:
        """Return how many records were applied."""
        found = read_progress(self.client, partitions=self.log.partitions, log_name=name_of(self.log))
        return sum(one.records for one in found.values())

    def records_by_partition(self) -> list[int]:
        """Return how many records of each partition were applied."""
        found = read_progress(self.client, partitions=self.log.partitions, log_name=name_of(self.log))
        return [found[partition].records for partition in range(self.log.partitions)]

    def ledger(self) -> dict[str, int]:
        """Return the totals of events by outcome."""
        totals: dict[str, int] = {}
        found = read_progress(self.client, partitions=self.log.partitions, log_name=name_of(self.log))
        for one in found.values():
            for outcome, amount in one.ledger.items():
                totals[outcome] = totals.get(outcome, 0) + amount
        return totals

    def wait_for(self, records: int, *, timeout_s: float = 120.0) -> None:
        """Wait until so many records are applied."""
        give_up_at = time.monotonic() + timeout_s
        while (applied := self.records()) < records:
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"{applied} of {records} records after {timeout_s:g} s")
            time.sleep(0.01)

    def stop(self) -> float:
        """Stop all workers; return the CPU seconds that they used."""
        before = _children_cpu_s()
        for process in self.workers:
            if process.poll() is None:
                process.terminate()
            process.wait(30)
        self.workers.clear()
        return _children_cpu_s() - before


@contextmanager
def running(log_url: str, redis_url: str, *, batch_records: int = 500, session_ms: int = 0) -> Iterator[Bench]:
    """Lend a bench; its workers end with it."""
    bench = Bench(log_url, redis_url, batch_records, session_ms)
    try:
        yield bench
    finally:
        bench.stop()
        bench.client.close()


def hash_of(bench: Bench) -> StateHash:
    """Return the hash of all states of the bench's Redis."""
    return state_hash(
        bench.client, partitions=bench.log.partitions, log_name=name_of(bench.log), lateness_ms=LATENESS_MS
    )


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
