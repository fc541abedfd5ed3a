"""A whole installation of real processes: two web processes, stream and task workers, beat, and what they stand on.

Processes have the command lines of ``manage.py up`` and come back as its supervisor brings them back. Redis with the
features, the event log, and PostgreSQL are servers of their own, so that each can be stopped alone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.faults.traffic import ask
from benchmarks.serving_lab import PROJECT, Lab, free_port
from recsite.supervisor.installation import Installation
from recsite.supervisor.processes import Supervised

if TYPE_CHECKING:
    from tests.services.kafka_server import KafkaServer
    from tests.services.postgres_server import PostgresServer
    from tests.services.redis_server import RedisServer

N_ITEMS: Final = 500
SHOPPERS: Final = 1_000
FIRST: Final = 1_000_000
"""The number of the first shopper: nobody of those that the shop begins with."""
PARTITIONS: Final = 4
APPLICATION: Final = "recsite.asgi:application"
CLOCKED: Final = "benchmarks.clocked_app:application"
CELERY_APP: Final = "benchmarks.faults.celery_app"
ARCHIVE_BYTES: Final = 64 * 1024 * 1024
SPOOL_BYTES: Final = 256 * 1024
"""Size of the disk that the spool is on: small enough to be filled within seconds."""


@dataclass(kw_only=True)
class Shop:
    """The installation under fire."""

    lab: Lab
    states: RedisServer
    log_server: RedisServer | KafkaServer
    database: PostgresServer
    log_url: str
    key: str
    web_ports: tuple[int, int]
    environment: Mapping[str, str]
    processes: dict[str, Supervised] = field(default_factory=dict)
    held_down: set[str] = field(default_factory=set)
    _watcher: asyncio.Task[None] | None = None

    @property
    def archive(self) -> Path:
        """The folder of the archive, on a disk of its own where one can be mounted."""
        return Path(self.environment["RECSITE_ARCHIVE_URL"])

    def start(self) -> None:
        """Start all processes."""
        for name, process in self._declared().items():
            self.processes[name] = process
            process.start()

    def _declared(self) -> dict[str, Supervised]:
        found: dict[str, Supervised] = {}
        for number, port in enumerate(self.web_ports, 1):
            where = Installation(
                project=PROJECT, data=self.lab.folder, host="127.0.0.1", port=port, web_workers=1, demo=False
            )
            for process in where.processes(self.environment):
                name = f"web-{number}" if process.name == "web" else process.name
                log_path = self.lab.folder / "logs" / f"{name}.log"
                command = [CELERY_APP if part == "recsite" and before == "-A" else part
                           for before, part in zip(["", *process.command], process.command, strict=False)]  # fmt: skip
                found.setdefault(name, replace(process, name=name, command=command, log_path=log_path))
        return found

    def watch(self) -> None:
        """Bring processes that ended back, as the supervisor of ``manage.py up`` does."""
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            for name, process in self.processes.items():
                if name not in self.held_down:
                    process.watch()
            await asyncio.sleep(0.1)

    def kill(self, *names: str) -> None:
        """Kill processes with all of their children (SIGKILL)."""
        for name in names:
            if (pid := self.processes[name].pid) is not None:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)

    async def start_again(self, name: str, **extra: str) -> None:
        """Stop one process in good order and start it with ``extra`` in its environment; without it as before."""
        self.held_down.add(name)
        process = self.processes[name]
        process.ask_to_stop()
        await asyncio.to_thread(process.wait_stopped)
        fresh = self._declared()[name]
        fresh.environment = {**self.environment, **extra}
        if "RECSITE_BENCH_CLOCK_AHEAD_S" in extra:
            fresh.command = [CLOCKED if part == APPLICATION else part for part in fresh.command]
        self.processes[name] = fresh
        self.processes[name].start()
        self.held_down.discard(name)

    async def manage(self, *arguments: str) -> str:
        """Run a management command; return what it printed."""

        def run() -> str:
            done = subprocess.run(
                [sys.executable, "manage.py", *arguments],
                cwd=PROJECT, env=dict(self.environment), capture_output=True, text=True, check=False, timeout=120,
            )  # fmt: skip
            if done.returncode:
                raise RuntimeError(f"manage.py {' '.join(arguments)[:80]}: {done.stdout[-500:]}{done.stderr[-1_500:]}")
            return done.stdout

        return await asyncio.to_thread(run)

    async def is_ready(self, port: int) -> bool:
        """Return whether a web process takes events and answers with a list of its model."""
        who = f"{FIRST - 1:032x}"
        body: dict[str, Any] = {"key": self.key, "anonymous_id": who, "placement": "home_for_you", "limit": 4}
        status, answer = await ask(port, "/v1/recommendations", body, patience_s=2.0)
        if status != 200:
            return False
        found = answer["results"][0] if "results" in answer else answer
        return bool(found.get("model_version")) and found.get("fallback_reason") != "store_unavailable"

    async def close(self) -> None:
        """Stop everything, the web processes last."""
        if self._watcher is not None:
            self._watcher.cancel()
            with suppress(asyncio.CancelledError):
                await self._watcher
        for process in self.processes.values():
            process.ask_to_stop()
        for process in self.processes.values():
            await asyncio.to_thread(process.wait_stopped)

    def said(self, name: str, lines: int = 15) -> str:
        """Return the end of a process' log."""
        return self.processes[name].last_lines(lines)


async def until_ready(shop: Shop, *, within_s: float) -> None:
    """Wait until every process runs and every web process takes events and answers with its model."""
    async with asyncio.timeout(within_s):
        while True:
            if all([await shop.is_ready(port) for port in shop.web_ports]) and all(
                process.pid is not None for process in shop.processes.values()
            ):
                return
            await asyncio.sleep(0.2)


def clock_of(hours: float) -> dict[str, str]:
    """Return the environment of a process whose clock is off by so many hours (``benchmarks.clocked_app``).

    By a clock of Python's own: libfaketime also breaks timed waits of threads (glibc's ``pthread_cond_timedwait``), so
    that the process hangs for reasons that no wrong clock has.
    """
    return {"RECSITE_BENCH_CLOCK_AHEAD_S": str(hours * 3_600)}


@contextmanager
def small_disk(folder: Path, *, size: int) -> Iterator[bool]:
    """Lend a folder on a disk of ``size`` bytes; yields False where this user may mount none."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    ).returncode == 0  # fmt: skip
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


@contextmanager
def installation(backend: str) -> Iterator[Shop]:
    """Lend an installation whose event log is ``redis`` or ``kafka``; its processes are not started yet."""
    from tests.services.kafka_server import KafkaServer
    from tests.services.postgres_server import PostgresServer
    from tests.services.redis_server import RedisServer
    from tracking.log import open_log

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="recsite-faults-")))
        states, database = stack.enter_context(RedisServer()), stack.enter_context(PostgresServer())
        log_server: RedisServer | KafkaServer
        if backend == "kafka":
            log_server = stack.enter_context(KafkaServer())
            log_url = f"kafka://{log_server.bootstrap}/faults?partitions={PARTITIONS}"
        else:
            log_server = stack.enter_context(RedisServer("--appendfsync", "always"))
            log_url = f"{log_server.url}?stream=faults&partitions={PARTITIONS}&max_records=10000000"
        open_log(log_url).ensure_topic(timeout_s=30.0)
        spool, archive = folder / "spool-disk", folder / "archive-disk"
        stack.enter_context(small_disk(spool, size=SPOOL_BYTES))
        stack.enter_context(small_disk(archive, size=ARCHIVE_BYTES))
        lab = Lab(folder)
        lab.environment |= {
            "REDIS_URL": states.url, "EVENT_LOG_URL": log_url, "DATABASE_URL": database.url,
            "SPOOL_DIR": str(spool / "spool"), "RECSITE_ARCHIVE_URL": str(archive / "archive"),
            "RECSITE_LOG_LEVEL": "INFO",
        }  # fmt: skip
        stack.callback(lab.close)
        key = lab.make_shop(items=N_ITEMS, shoppers=10)
        where = Installation(project=PROJECT, data=folder, host="127.0.0.1", port=0, web_workers=1, demo=False)
        where.make_folders()
        # Its own environment last: a lab of benchmarks leaves the folder of metrics out.
        environment = {**lab.environment, "PROMETHEUS_MULTIPROC_DIR": str(where.prometheus), "PYTHONUNBUFFERED": "1"}
        yield Shop(
            lab=lab, states=states, log_server=log_server, database=database, log_url=log_url, key=key,
            web_ports=(free_port(), free_port()), environment=environment,
        )  # fmt: skip
