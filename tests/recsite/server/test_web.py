"""SIGTERM while a web process starts: a clean stop, whatever it is doing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from recsite.server.stop_signals import held_sigterm
from recsite.supervisor.ports import free_port
from tests.services.waiting import DEADLINE_S

ROOT = Path(__file__).resolve().parents[3]
MOMENTS = {
    "as soon as there is a process": "",
    "the interpreter begins": r"\| +encodings$",
    "the handler is about to be set": r"\| +recsite\.server\.stop_signals$",
    "uvicorn is imported": r"\| +uvicorn\.server$",
    "the application is imported": r"\| +django\.db$",
    "the application is nearly imported": r"\| +recsite\.server\.lifespan$",
    "the first worker is forked": r"Started (parent|server) process",
    "it has started": r"Application startup complete",
}


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stop_at_any_moment_of_the_start_is_clean(moment: str, workers: int, tmp_path: Path, redis_url: str) -> None:
    environment = {**os.environ, "RECSITE_SECRET_KEY": "only-for-tests-" + "w" * 50, "RECSITE_DATA_DIR": str(tmp_path)}
    environment |= {"EVENT_LOG_URL": f"{redis_url}?stream=early-web&partitions=2", "REDIS_URL": redis_url}
    command = [sys.executable, "-X", "importtime", "-m", "recsite.server.web", "recsite.asgi:application"]
    with held_sigterm():
        process = subprocess.Popen(
            [*command, "--port", str(free_port()), "--workers", str(workers)],
            cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    too_late = threading.Timer(DEADLINE_S, process.kill)
    too_late.start()
    try:
        assert process.stderr is not None
        said = [""]
        while not re.search(MOMENTS[moment], said[-1]):
            said.append(process.stderr.readline())
            assert said[-1], f"it ended with {process.wait(30)}: {''.join(said[-30:])}"
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, rest[-3_000:]
        assert "Traceback" not in rest
    finally:
        too_late.cancel()
        process.kill()
        process.wait()
