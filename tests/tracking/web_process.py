"""The collect endpoint, or all of Recsite, under uvicorn in a process of its own; and a plain client for it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.request
import weakref
from collections import Counter
from pathlib import Path
from typing import Self

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from recsite.supervisor.launcher import Forked
from tests.services.installations.launching import Started
from tests.services.installations.migrated import put_migrated
from tests.services.process import free_port
from tests.services.waiting import COMMAND_S, wait_until

ROOT = Path(__file__).resolve().parents[2]
SETUP = """
from tracking.access.sites import create_key, ensure_default_site
from tracking.models import Site
site, key = ensure_default_site()
if {kind!r} == "sk":
    key = create_key(site, "sk")[1]
Site.objects.update(events_per_minute=0, address_requests_per_minute=0)
print("key=" + key)
"""
HEAD = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"


class Web:
    """One web process on a data folder that outlives it."""

    def __init__(
        self,
        data: Path,
        *,
        redis_url: str,
        log_url: str,
        application: str = "tests.tracking.collect_app:application",
        **environment: str,
    ) -> None:
        self.port = free_port()
        self._application = application
        self.data = data
        self.out = data / "web.out"
        self._environment = {
            **os.environ,
            "RECSITE_SECRET_KEY": "only-for-tests-" + "x" * 50,
            "RECSITE_DATA_DIR": str(data),
            "REDIS_URL": redis_url,
            "EVENT_LOG_URL": log_url,
            "PROMETHEUS_MULTIPROC_DIR": str(data / "counters"),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            **environment,
        }
        self._launcher = Started(self._environment)
        weakref.finalize(self, self._launcher.close).atexit = False  # at the end of the run all ends anyway
        self._process: Forked | None = None
        self.key = ""

    def prepare(self, *, kind: str = "pk") -> Self:
        """Make the database, a site and a key of ``kind``; return self."""
        (self.data / "counters").mkdir(parents=True, exist_ok=True)
        if "DATABASE_URL" in self._environment:
            self.manage("migrate", "-v0")
        else:
            put_migrated(self.data)
        said = self.manage("shell", "-v0", "-c", SETUP.format(kind=kind))
        self.key = said.partition("key=")[2].split()[0]
        return self

    def start(self) -> Self:
        """Start and wait until it answers."""
        command = [
            sys.executable, "-m", "uvicorn", self._application, "--port", str(self.port),
            "--host", "127.0.0.1", "--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "10",
            "--http", "recsite.server.uvicorn_http:TimedProtocol",
        ]  # fmt: skip
        self._process = process = self._launcher.start(command, name="web", output=self.out)

        def answers() -> bool:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v1/events", timeout=5)
            except urllib.error.HTTPError:
                return True  # 405
            except OSError:
                assert process.poll() is None, f"the web process ended:\n{self.out.read_text()[-3000:]}"
            return False

        wait_until(answers, "the web process")
        return self

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """Kill it at once (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def stop(self) -> None:
        """Stop it in good order (SIGTERM)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
            self._process = None

    def counted(self) -> Counter[str]:
        """Return our counters of all its processes, killed ones too, without prefix and suffix; replies by status."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self.data / "counters"))  # type: ignore[no-untyped-call]
        totals: Counter[str] = Counter()
        for metric in registry.collect():
            for sample in metric.samples:
                name = sample.name.removeprefix("recsite_").removesuffix("_total")
                totals[f"{name} {sample.labels.get('status', '')}".strip()] += int(sample.value)
        return totals

    def manage(self, *arguments: str) -> str:
        """Run a management command on its database, as another process would; return what it printed."""
        done = self._launcher.manage(*arguments, timeout_s=COMMAND_S)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


async def send_forever(
    port: int, bodies: asyncio.Queue[tuple[list[str], bytes]], accepted: set[str], refused: set[str] | None = None
) -> None:
    """Send bodies one after the other over one connection, a new one when it breaks; note the ids by answer.

    A body whose connection broke is not sent again: whether it was kept is unknown, and nothing was promised.
    """
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while not bodies.empty():
        if connection is None:
            try:
                connection = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)  # sleep: a client that waits before it connects again
                continue
        reader, writer = connection
        ids, body = bodies.get_nowait() if not bodies.empty() else ([], b"")
        try:
            async with asyncio.timeout(10):
                writer.write(HEAD % len(body) + body)
                answer = await reader.readuntil(b"\r\n\r\n")
                length = int(answer.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                content = await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            writer.close()
            connection = None
            continue
        if answer.startswith(b"HTTP/1.1 202"):
            assert json.loads(content)["accepted"] == len(ids)
            accepted.update(ids)
        elif refused is not None:
            refused.update(ids)
    if connection is not None:
        connection[1].close()
