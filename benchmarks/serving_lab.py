"""Starts what ``serve`` and ``live`` measure: a Redis, a shop made from a seed, and web processes; stops all of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parent.parent
READY_S = 60.0
READY_S_AN_ITEM = 5e-4
"""How long a web process may take until it is ready, by itself and for each item of the catalogue that it loads."""


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Lab:
    """One Redis, one folder, any number of processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.redis_port = free_port()
        self.ready_within_s = READY_S
        self._processes: list[subprocess.Popen[bytes]] = []
        self._redis: subprocess.Popen[bytes] | None = None
        self.environment = {
            **os.environ,
            "RECSITE_SECRET_KEY": secrets.token_urlsafe(50),
            "RECSITE_DATA_DIR": str(folder),
            "REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0",
            "DJANGO_SETTINGS_MODULE": "recsite.settings",
            "RECSITE_LOG_LEVEL": "WARNING",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        for name in ("DATABASE_URL", "EVENT_LOG_URL", "PROMETHEUS_MULTIPROC_DIR"):
            self.environment.pop(name, None)

    def start(self, *command: str, cores: Sequence[int] = ()) -> subprocess.Popen[bytes]:
        """Start a process, on the given cores only."""
        with (self.folder / "processes.out").open("ab") as out:
            process = subprocess.Popen(command, cwd=PROJECT, env=self.environment, stdout=out, stderr=out)
        self._processes.append(process)
        if cores:
            psutil.Process(process.pid).cpu_affinity(list(cores))
        return process

    def start_redis(self) -> None:
        """Start Redis and wait until it takes connections."""
        program = shutil.which("redis-server")
        if program is None:
            raise SystemExit("redis-server is missing; apt install redis-server")
        self._redis = self.start(
            program, "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)
        )
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.redis_port), timeout=1):
                return
            time.sleep(0.02)
        raise SystemExit("Redis did not start")

    def redis_pss_mb(self) -> float:
        """Return what Redis holds in memory."""
        assert self._redis is not None
        pss: int = psutil.Process(self._redis.pid).memory_full_info().pss
        return pss / 2**20

    def make_shop(self, *, items: int, shoppers: int) -> str:
        """Make the shop in a process of its own and return its publishable key."""
        made = subprocess.run(
            [sys.executable, "-m", "benchmarks.serving_world", str(items), str(shoppers)],
            cwd=PROJECT, env=self.environment, capture_output=True, text=True, check=False, timeout=3_600,
        )  # fmt: skip
        if made.returncode:
            raise SystemExit(f"no shop of {items:,} items, status {made.returncode}: {made.stderr[-2_000:]}")
        self.ready_within_s = READY_S + items * READY_S_AN_ITEM
        return made.stdout.split()[-1]

    def start_web(
        self,
        application: str,
        *,
        workers: int,
        cores: Sequence[int] = (),
        path: str = "/readyz",
        options: Sequence[str] = (),
    ) -> tuple[int, subprocess.Popen[bytes]]:
        """Start uvicorn and wait until it is ready, ``ready_within_s`` at most; returns port and process."""
        port = free_port()
        process = self.start(
            sys.executable, "-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port),
            "--workers", str(workers), "--no-access-log", "--log-level", "warning", *options,
            cores=cores,
        )  # fmt: skip
        deadline = time.monotonic() + self.ready_within_s
        while time.monotonic() < deadline and process.poll() is None:
            if _is_ready(f"http://127.0.0.1:{port}{path}"):
                _wait_until_idle(process)  # the other workers are right behind
                return port, process
            time.sleep(0.05)
        why = (
            f"ended with {process.returncode}"
            if process.returncode is not None
            else f"not ready in {self.ready_within_s:.0f} s"
        )
        said = (self.folder / "processes.out").read_text()[-2_000:]
        raise SystemExit(f"{application}: {why}\n{said}")

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Stop one process and its children."""
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._processes.remove(process)

    def close(self) -> None:
        """Stop everything that was started, the last one first."""
        for process in reversed(list(self._processes)):
            self.stop(process)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _wait_until_idle(process: subprocess.Popen[bytes], *, within_s: float = 60.0) -> None:
    """Wait until a process and its children do nothing: a worker that still loads would be counted as load."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        before = cpu_s(process)
        time.sleep(1.0)
        if cpu_s(process) - before < 0.1:
            return


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Return the CPU time that a process and its children used."""
    total = 0.0
    parent = psutil.Process(process.pid)
    for each in (parent, *parent.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system
    return total


@contextlib.contextmanager
def lab() -> Iterator[Lab]:
    """Lend a lab and clean up after it."""
    with tempfile.TemporaryDirectory(prefix="recsite-bench-") as folder:
        made = Lab(Path(folder))
        try:
            made.start_redis()
            yield made
        finally:
            made.close()
