"""A log on each backend, a Redis to write states to, and workers in processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from features.state.batch import Drops
from features.state.counting.networks import Voices, voice_of_the_day
from features.state.counting.unknown import KeysOfSite, know_everything
from features.store import connections
from features.store.online import OnlineStore
from features.store.scan import StateHash, read_progress, state_hash
from features.stream.loop import StreamWorker
from recsite.server.stop_signals import held_sigterm
from tests.features.making import LATENESS_MS
from tests.services.waiting import wait_until
from tracking.log import EventLog, open_log
from tracking.log.memory import MemoryLog
from tracking.redis_client import connect

PARTITIONS = 4
PATIENCE_S = 40.0
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def state_urls(redis_url: str) -> Callable[[], str]:
    """Return a function that gives an empty database of the shared Redis; 8 to 15 in turn."""
    numbers = iter(range(10**6))

    def take() -> str:
        url = f"{redis_url.rpartition('/')[0]}/{8 + next(numbers) % 8}"
        connect(url, timeout_s=5).flushdb()
        return url

    return take


@dataclass
class World:
    """A log and the Redis that holds what its events brought about."""

    log_url: str
    redis_url: str
    batch_records: int = 200
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log: EventLog = open_log(self.log_url)
        self.client: redis.Redis = connect(self.redis_url, timeout_s=5.0)
        self.log_name = connections.name_of(self.log)
        self.store = OnlineStore(self.client, log_name=self.log_name, session_ttl_s=900, profile_ttl_s=90 * 86_400)
        self.changed: list[dict[str, list[str]]] = []

    def fill(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Append records and wait until they are durable."""

        async def append() -> None:
            writer = self.log.writer()
            await writer.start()
            assert await writer.wait_ready(timeout_s=PATIENCE_S)
            for start in range(0, len(records), 500):
                errors = await writer.append_many(records[start : start + 500], timeout_s=PATIENCE_S)
                assert not any(errors), next(error for error in errors if error)
            await writer.close()

        asyncio.run(append())

    def worker(
        self,
        *,
        lateness_ms: int = LATENESS_MS,
        keys_of_site: KeysOfSite = know_everything,
        voices: Voices = voice_of_the_day,
        drops: Callable[[], Drops | None] = lambda: None,
    ) -> StreamWorker:
        """Return a worker in this process."""
        return StreamWorker(
            self.log,
            self.store,
            lateness_ms=lateness_ms,
            batch_records=self.batch_records,
            announce=lambda changed: self.changed.append(dict(changed)),  # type: ignore[arg-type]
            keys_of_site=keys_of_site,
            voices=voices,
            drops=drops,
        )

    def drain(self, worker: StreamWorker | None = None) -> StreamWorker:
        """Apply everything that is in the log; closes the worker when it was made here."""
        own = worker or self.worker()
        give_up_at = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_at:
            own.step(0.1)
            if len(own.status.positions) == self.log.partitions and self.lag() == 0:
                break
        else:
            raise AssertionError(f"not drained: {own.status}")
        if worker is None:
            own.close()
        return own

    def lag(self) -> int:
        """Return how many records are not applied, by the stored positions."""
        return sum(self.log.behind(self.store.positions(range(self.log.partitions))).values())

    def start(self, *, is_heard: bool = False) -> subprocess.Popen[bytes]:
        """Start a worker in a process of its own; what it logs can be read from its ``stdout`` if asked."""
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "recsite.settings",
            "EVENT_LOG_URL": self.log_url,
            "REDIS_URL": self.redis_url,
            "RECSITE_STREAM_BATCH_RECORDS": str(self.batch_records),
        }
        with held_sigterm():
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.features.run_worker"],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE if is_heard else subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self.processes.append(process)
        return process

    def stop_all(self) -> None:
        """End every process that is still there."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait(10)

    def records_applied(self) -> int:
        """Return how many records were taken from the log."""
        return sum(one.records for one in self.progress().values())

    def progress(self) -> dict:  # type: ignore[type-arg]
        return read_progress(self.client, partitions=self.log.partitions, log_name=self.log_name)

    def ledger(self) -> dict[str, int]:
        """Return the totals by outcome."""
        totals: dict[str, int] = {}
        for one in self.progress().values():
            for outcome, amount in one.ledger.items():
                totals[outcome] = totals.get(outcome, 0) + amount
        return totals

    def hash(self) -> StateHash:
        return state_hash(self.client, partitions=self.log.partitions, log_name=self.log_name, lateness_ms=LATENESS_MS)

    def wait_for(self, condition: Callable[[], bool], *, patience_s: float = PATIENCE_S) -> float:
        """Wait until ``condition`` holds; return the seconds it took."""
        started = time.monotonic()
        wait_until(condition, within_s=patience_s)
        return time.monotonic() - started


@pytest.fixture
def worlds(request: pytest.FixtureRequest, state_urls: Callable[[], str]) -> Iterator[Callable[[str], World]]:
    """Return a function that makes a world on a backend: memory, redis or kafka."""
    with ExitStack() as stack:

        def make(backend: str, *, partitions: int = PARTITIONS, redis_url: str | None = None) -> World:
            topic = f"t-{uuid.uuid4().hex}"
            states = redis_url or state_urls()
            if backend == "memory":
                url = f"memory://{topic}?partitions={partitions}"
            elif backend == "redis":
                url = f"{states}?stream={topic}&partitions={partitions}"
            else:
                url = f"kafka://{request.getfixturevalue('kafka_bootstrap')}/{topic}?partitions={partitions}"
            world = World(url, states)
            stack.callback(world.client.close)
            stack.callback(world.stop_all)
            world.log.ensure_topic(timeout_s=PATIENCE_S)
            return world

        yield make
    MemoryLog.forget_all()
