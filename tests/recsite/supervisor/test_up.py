"""``manage.py up`` as a person uses it: start, look, Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from recsite.server.stop_signals import held_sigterm
from recsite.supervisor.installation import Installation
from recsite.supervisor.launcher import Launcher
from recsite.supervisor.ports import free_port
from recsite.supervisor.up import StartFailed, Up
from tests.services.waiting import COMMAND_S, wait_until

ROOT = Path(__file__).resolve().parents[3]


def start_up(data: Path, port: int, *options: str) -> subprocess.Popen[str]:
    """Start it as a supervisor of ours does: with SIGTERM held back until it is taken."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RECSITE_")}
    for name in ("REDIS_URL", "EVENT_LOG_URL", "DATABASE_URL", "PROMETHEUS_MULTIPROC_DIR"):
        environment.pop(name, None)
    with held_sigterm():
        return subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "up", "--port", str(port), "--web-workers", "2", *options],
            env={**environment, "RECSITE_DATA_DIR": str(data)},
            cwd=data,  # from wherever it is called
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def processes_of(data: Path) -> list[int]:
    """Return the live processes that were started for this data folder."""
    wanted = f"RECSITE_DATA_DIR={data}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.slow
def test_up_serves_every_part_and_ctrl_c_leaves_nothing_running(tmp_path: Path) -> None:
    port = free_port()
    up = start_up(tmp_path, port)
    try:
        assert up.stdout is not None
        shown = ""
        deadline_s = time.monotonic() + COMMAND_S
        while "Recsite is up" not in shown:
            line = up.stdout.readline()
            assert line, f"it ended: {shown}"
            assert time.monotonic() < deadline_s, shown
            shown += line
        base = f"http://127.0.0.1:{port}"
        assert get(f"{base}/livez")[0] == 200
        assert get(f"{base}/readyz")[0] == 200
        assert get(f"{base}/admin/login/")[0] == 200
        assert get(f"{base}/v1/docs")[0] == 200
        status, metrics = get(f"{base}/metrics")
        assert status == 200
        assert b"recsite_stream_partitions 4.0" in metrics, "the stream worker's metrics are in the web's answer"
        assert len(processes_of(tmp_path)) >= 6
    finally:
        up.send_signal(signal.SIGINT)
        rest, _ = up.communicate(timeout=COMMAND_S)
    assert up.returncode == 0, rest
    wait_until(lambda: not processes_of(tmp_path), "every process to end")
    assert "killed" not in rest, rest
    open_to_others = [str(path) for path in tmp_path.rglob("*") if path.stat().st_mode & 0o077]
    assert open_to_others == [], "only its owner may read what is kept of shoppers"


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["", "Redis", "Database", "Stream worker, web"])
def test_a_stop_at_any_moment_of_the_start_is_clean_and_leaves_nothing_running(tmp_path: Path, moment: str) -> None:
    up = start_up(tmp_path, free_port())
    assert up.stdout is not None
    shown = ""
    while moment and moment not in shown:
        line = up.stdout.readline()
        assert line, f"it ended: {shown}"
        shown += line
    up.send_signal(signal.SIGTERM)
    rest, _ = up.communicate(timeout=COMMAND_S)

    assert up.returncode == 0, shown + rest
    assert "Traceback" not in rest
    assert "killed" not in rest, rest
    wait_until(lambda: not processes_of(tmp_path), "every process to end")


@pytest.mark.slow
def test_up_names_a_busy_port_and_another_one(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        up = start_up(tmp_path, port)
        shown, _ = up.communicate(timeout=COMMAND_S)
    assert up.returncode != 0
    assert f"port {port} is in use; choose another one: PORT={port + 1} make demo" in shown
    assert "Traceback" not in shown


@pytest.mark.slow
def test_up_names_data_that_does_not_exist(tmp_path: Path) -> None:
    up = start_up(tmp_path, free_port(), "--demo", "--data", str(tmp_path / "none.csv"))
    shown, _ = up.communicate(timeout=COMMAND_S)
    assert up.returncode != 0
    assert "none.csv does not exist" in shown
    assert "Traceback" not in shown


@pytest.mark.slow
@pytest.mark.parametrize("data_arguments", [[], ["--data", "events.csv"]])
def test_a_log_that_gives_no_model_is_served_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_arguments: list[str]
) -> None:
    """The training command is a stand-in that ends with an error, as the real one does for a log without a pattern."""
    said = StringIO()
    place = Installation(project=ROOT, data=tmp_path, host="127.0.0.1", port=1, web_workers=1, demo=True)
    up = Up(place, data_arguments=data_arguments, console=Console(file=said, width=200), started_s=0.0)
    up.launcher = Launcher(ROOT, os.environ)
    (tmp_path / "ends.py").write_text("raise SystemExit(1)")
    monkeypatch.setattr(Installation, "manage", lambda self, *arguments: [sys.executable, str(tmp_path / "ends.py")])

    if data_arguments:
        up._train()
        assert "No model is live" in said.getvalue()
    else:
        with pytest.raises(StartFailed, match=r"train .* ended with status 1"):
            up._train()


@pytest.mark.slow
def test_the_shop_says_what_it_waits_for_until_it_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are stand-ins that do nothing."""
    said = StringIO()
    place = Installation(project=ROOT, data=tmp_path, host="127.0.0.1", port=1, web_workers=1, demo=True)
    up = Up(place, console=Console(file=said, width=200), started_s=time.time())
    up.launcher = Launcher(ROOT, os.environ)
    (tmp_path / "passes.py").touch()
    waits: list[str] = []

    def command(self: Installation, *arguments: str) -> list[str]:
        waits.append(place.demo_progress.read_text())
        return [sys.executable, str(tmp_path / "passes.py")]

    monkeypatch.setattr(Installation, "manage", command)
    monkeypatch.setattr(Up, "_caught_up", lambda self: waits.append(place.demo_progress.read_text()) or True)

    up._learn()

    assert waits == ["the history is being counted"] + 2 * ["the first model is being trained"]
    assert not place.demo_progress.exists()
    assert place.demo_ready.exists()
    assert "All is ready after " in said.getvalue()
