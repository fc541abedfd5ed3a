"""SIGTERM at the first moments of a process: a clean stop, whatever it is doing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from recsite.server.stop_signals import held_sigterm, is_celery_program

ROOT = Path(__file__).resolve().parents[3]
CELERY = [sys.executable, "-X", "importtime", "-m", "celery", "-A", "recsite"]
WORKER = [*CELERY, "worker", "-Q", "stream", "-P", "solo", "--without-mingle", "--without-gossip", "-l", "INFO"]
BEAT = [
    *CELERY,
    "beat",
    "--pidfile",
    "",
    "-l",
    "INFO",
    "-S",
    "celery.beat.PersistentScheduler",
    "-s",
    "{data}/schedule",
]
PATIENCE_S = 90.0
MOMENTS = [
    "",  # as soon as there is a process
    "| encodings",  # the interpreter begins
    "| celery.bin.celery",  # Celery's command is read, and nothing of ours
    "recsite.server.stop_signals",  # the handler is about to be set
    "django.db",
    "| features.stream.worker",
    "recsite.server.worker_metrics",  # the last import; Celery goes on, and sets handlers of its own
    "beat: Starting|  ready.",
]


def start(command: list[str], data: Path, redis_url: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "RECSITE_SECRET_KEY": "only-for-tests", "RECSITE_DATA_DIR": str(data)}
    environment |= {"EVENT_LOG_URL": f"{redis_url}?stream=early&partitions=2", "REDIS_URL": redis_url}
    with held_sigterm():
        return subprocess.Popen(
            [part.format(data=data) for part in command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.parametrize("command", [pytest.param(WORKER, id="worker"), pytest.param(BEAT, id="beat")])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stop_at_any_moment_of_the_start_is_clean(
    moment: str, command: list[str], tmp_path: Path, redis_url: str
) -> None:
    process = start(command, tmp_path, redis_url)
    watchdog = threading.Timer(PATIENCE_S, process.kill)  # or a moment that never comes would be waited for
    watchdog.start()
    try:
        assert process.stderr is not None
        words = moment.split("|  ") if moment else []
        lines: list[str] = []
        for line in process.stderr if words else ():
            lines.append(line)
            if any(word in line for word in words):
                break
        else:
            assert not words, f"it ended with {process.wait(30)}: {''.join(lines[-30:])}"
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, rest[-3_000:]
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()


def test_a_process_that_takes_no_signal_back_keeps_it_waiting() -> None:
    code = "import signal; print(signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, []))"

    with held_sigterm():
        inside = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    after = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert (inside.stdout.strip(), after.stdout.strip()) == ("True", "False")


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("/usr/bin/celery", True),
        ("/lib/celery/__main__.py", True),
        ("manage.py", False),
        ("/bin/celery-exporter", False),
    ],
)
def test_only_celery_itself_ends_early(program: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    assert is_celery_program() is expected
