"""The supervisor against real processes."""

import os
import signal
import sys
from pathlib import Path

import pytest

from recsite.supervisor.ports import free_port
from recsite.supervisor.processes import Supervised
from tests.services.waiting import wait_until


def supervised(tmp_path: Path, code: str) -> Supervised:
    return Supervised(
        name="probe",
        command=[sys.executable, "-c", code],
        environment=dict(os.environ),
        log_path=tmp_path / "probe.log",
    )


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


@pytest.mark.slow
def test_a_process_that_dies_is_started_again(tmp_path: Path) -> None:
    process = supervised(tmp_path, "import time; print('up', flush=True); time.sleep(60)")
    process.start()
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    statuses: list[int] = []

    def started_again() -> bool:
        status = process.watch()
        if status is not None:
            statuses.append(status)
        return process.pid not in (None, first)

    wait_until(started_again)
    assert statuses == [-signal.SIGKILL]
    assert process.restarts == 1
    process.ask_to_stop()
    assert process.wait_stopped(5)


@pytest.mark.slow
def test_children_of_a_process_that_died_do_not_hold_the_port_of_the_next(tmp_path: Path) -> None:
    port = free_port()
    serve = (
        "import socket,subprocess,sys,time; s=socket.socket(); "
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); "
        f"s.bind(('127.0.0.1', {port})); s.listen(); s.set_inheritable(True); "
        "subprocess.Popen([sys.executable,'-c','import time; time.sleep(60)'], close_fds=False); "
        "print('listens', flush=True); time.sleep(60)"
    )
    process = supervised(tmp_path, serve)
    process.start()
    try:
        wait_until(lambda: process.last_lines().count("listens") == 1)
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)

        def listens_again() -> bool:
            process.watch()
            return process.last_lines().count("listens") == 2

        wait_until(listens_again)
        assert "Address already in use" not in process.last_lines(40)
    finally:
        process.ask_to_stop()
        process.wait_stopped(5)


def test_stopping_ends_the_children_too(tmp_path: Path) -> None:
    child = "import subprocess,sys,time; p=subprocess.Popen([sys.executable,'-c','import time; time.sleep(60)']); "
    process = supervised(tmp_path, child + "print(p.pid, flush=True); time.sleep(60)")
    process.start()
    wait_until(lambda: process.last_lines(1))
    grandchild = int(process.last_lines(1))
    process.ask_to_stop()
    process.wait_stopped(5)
    wait_until(lambda: not is_alive(grandchild))


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    code = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    process = supervised(tmp_path, code)
    process.start()
    wait_until(lambda: process.last_lines(1) == "up")
    process.ask_to_stop()
    assert process.wait_stopped(0.3) is False
    assert process.pid is None
