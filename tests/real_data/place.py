"""A place of its own for one import: Redis, event log, database, stream worker in real processes on free ports."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from features import keys
from features.state.states import ProfileState, decode_profile
from features.store import connections
from features.store.scan import StoredState, read_progress, scan_states
from recsite.importing.formats import open_source
from recsite.importing.loading import BATCH
from recsite.supervisor.installation import Installation
from recsite.supervisor.ports import free_port
from recsite.supervisor.processes import Supervised
from tests.services.installations.launching import Started
from tests.services.installations.migrated import put_migrated
from tests.services.redis_server import RedisServer
from tests.services.waiting import wait_until
from tracking.log import open_log
from tracking.redis_client import connect

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 4
IMPORT_TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import said of itself, over all the times that it was begun."""

    rows: int
    records: int
    events: int
    refused: int
    kills: int
    seconds: float


@dataclass
class Place:
    """An installation without a shop in front of it; a context manager that stops what it started.

    Parameters
    ----------
    data : Path
        ``RECSITE_DATA_DIR``.
    kafka : str or None
        ``host:port`` of a broker; without one the log is Redis Streams, in the Redis of the states.
    session_ttl_s : int
        Longer than the test, so that states can be compared when it is over.
    """

    data: Path
    kafka: str | None = None
    session_ttl_s: int = 86_400
    environment: dict[str, str] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self.data.mkdir(parents=True, exist_ok=True)
        self.redis = self.stack.enter_context(RedisServer())
        self.log_url = f"{self.redis.url.removesuffix('/0')}/1?partitions={PARTITIONS}"
        if self.kafka:
            self.log_url = f"kafka://{self.kafka}/recsite.real.{self.redis.port}?partitions={PARTITIONS}"
        self.port = free_port()
        self.installation = Installation(
            project=ROOT, data=self.data, host="127.0.0.1", port=self.port, web_workers=1, demo=False
        )
        self.installation.make_folders()
        chosen = {
            "REDIS_URL": self.redis.url,
            "EVENT_LOG_URL": self.log_url,
            "RECSITE_SECRET_KEY": "only-for-tests-" + "z" * 50,
            "RECSITE_SESSION_TTL_S": str(self.session_ttl_s),
        }
        self.environment = {
            name: value for name, value in self.installation.environment(chosen).items() if name != "DATABASE_URL"
        }
        self.launcher = Started(self.environment)
        self.stack.callback(self.launcher.close)
        everything = self.installation.processes(self.environment, launcher=self.launcher)
        self.processes = {process.name: process for process in everything}
        put_migrated(self.data)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.close()

    def start(self, name: str) -> Supervised:
        """Start one of the installation's processes: ``stream``, ``web``, ``tasks`` or ``beat``."""
        process = self.processes[name]
        process.start()
        self.stack.callback(process.wait_stopped, 25)
        self.stack.callback(process.ask_to_stop)
        return process

    def manage(self, *arguments: str, status: int = 0, redis_url: str | None = None) -> str:
        """Run a management command, which must end with ``status``; return what it printed."""
        if redis_url is None:
            done = self.launcher.manage(*arguments, timeout_s=IMPORT_TIMEOUT_S)
        else:
            done = subprocess.run(
                self.installation.manage(*arguments),
                env={**self.environment, "REDIS_URL": redis_url},
                capture_output=True,
                text=True,
                timeout=IMPORT_TIMEOUT_S,
                check=False,
            )
        assert done.returncode == status, (
            f"{arguments}: status {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
        return done.stdout

    def import_events(self, path: Path, *, file_format: str, kill_after: tuple[float, ...] = ()) -> Imported:
        """Run ``import_events`` to its end; kill -9 it when it has come as far as each share of ``kill_after``."""
        command = ["import_events", str(path), "--format", file_format]
        total = open_source(path, site="default", file_format=file_format).total() or 0 if kill_after else 0
        started = time.monotonic()
        for share in kill_after:
            self._import_killed(command, at_units=int(share * total))
        self.manage(*command)
        seconds = time.monotonic() - started
        progress = self._checkpoint()
        assert progress["done"], progress
        return Imported(
            progress["rows"],
            progress["records"],
            progress["events"],
            sum(progress["left_out"].values()),
            len(kill_after),
            seconds,
        )

    def wait_applied(self, *, archived: bool = True, timeout_s: float = IMPORT_TIMEOUT_S) -> float:
        """Wait until everything in the log is in the features, and in the archive; return the seconds it took."""
        started = time.monotonic()
        worker = self.processes["stream"]

        def is_applied() -> bool:
            assert worker.pid, f"no stream worker\n{worker.last_lines(30)}"
            return self._is_applied(archived=archived)

        wait_until(is_applied, "the stream worker", within_s=timeout_s, step_s=0.2)
        return time.monotonic() - started

    def wait_ready(self) -> None:
        """Wait until the web process answers and has its model."""
        web = self.processes["web"]

        def is_ready() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2):
                    return True
            except OSError:
                assert web.pid, f"no web process\n{web.last_lines(30)}"
                return False

        wait_until(is_ready, "the web process", step_s=0.1)

    def _is_applied(self, *, archived: bool) -> bool:
        log = open_log(self.log_url)
        name = connections.name_of(log)
        names = (keys.position, keys.archive_position) if archived else (keys.position,)
        with self.client() as client:
            return all(
                client.get(key(partition, name)) == end.encode()
                for partition, end in log.end_positions().items()
                for key in names
            )

    def state_hash(self, *, redis_url: str | None = None) -> dict[str, Any]:
        """Return what ``manage.py state_hash --json`` prints, of the Redis that serves or of another one."""
        found: dict[str, Any] = json.loads(self.manage("state_hash", "--json", redis_url=redis_url).splitlines()[-1])
        return found

    def ledger(self) -> dict[str, int]:
        """Return how many events had which outcome, over all partitions."""
        totals: dict[str, int] = {}
        log_name = connections.name_of(open_log(self.log_url))
        with self.client() as client:
            for one in read_progress(client, partitions=PARTITIONS, log_name=log_name).values():
                for outcome, amount in one.ledger.items():
                    totals[outcome] = totals.get(outcome, 0) + amount
        return totals

    def profiles(self) -> dict[str, ProfileState]:
        """Return the profile of each user key."""
        return {stored.user_key: decode_profile(stored.blob) for stored in self.stored_profiles()}

    def stored_profiles(self) -> list[StoredState]:
        """Return the profiles as they stand in Redis."""
        with self.client() as client:
            return list(scan_states(client, partitions=PARTITIONS, view=keys.PROFILE))

    def profile_name(self, stored: StoredState) -> str:
        """Return the key under which a profile stands."""
        return keys.profile(stored.partition, stored.site, stored.user_key)

    @contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """Give a client of the Redis that serves."""
        client = connect(self.redis.url, timeout_s=5.0)
        try:
            yield client
        finally:
            client.close()

    def empty_redis(self, number: int) -> str:
        """Return the URL of database ``number`` of the same server: for replays; 0 serves, 1 holds the log."""
        return f"{self.redis.url.removesuffix('/0')}/{number}"

    def _import_killed(self, command: list[str], *, at_units: int) -> None:
        process = self.launcher.start(self.installation.manage(*command), name=command[0], output=Path(os.devnull))
        wait_until(
            lambda: process.poll() is not None or self._checkpoint()["units"] >= at_units,
            f"unit {at_units}",
            within_s=IMPORT_TIMEOUT_S,
            step_s=0.002,
        )
        if process.poll() is not None:
            raise AssertionError(f"the import ended before it could be killed at unit {at_units}")
        process.kill()
        process.wait(10)

    def _checkpoint(self) -> dict[str, Any]:
        for path in (self.data / "imports").glob("*.json"):
            found: dict[str, Any] = json.loads(path.read_bytes())
            return found
        return {"units": -BATCH, "done": False}
