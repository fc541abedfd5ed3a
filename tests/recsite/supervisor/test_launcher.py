"""Processes that are forked from one that has started: they are what ``python …`` would have been, only sooner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.services.waiting import COMMAND_S

ROOT = Path(__file__).resolve().parents[3]
STARTS = """
import json, os, signal, sys
from pathlib import Path
from recsite.supervisor.launcher import Launcher

def main(asked):
    folder = Path(asked["folder"])
    launcher = Launcher(Path(asked["root"]), {**os.environ, "ONLY_THERE": "yes"})
    answers = []
    for number, one in enumerate(asked["programs"]):
        output = folder / f"{number}.out"
        process = launcher.start([sys.executable, *one["arguments"]], name=one["name"], output=output)
        if one.get("early_stop"):
            process.terminate()
        status = process.wait(120)
        answers.append({"status": status, "said": output.read_text() if output.exists() else ""})
        if one.get("kills_the_server"):
            from multiprocessing.forkserver import _forkserver
            os.kill(_forkserver._forkserver_pid, signal.SIGKILL)
            os.waitid(os.P_PID, _forkserver._forkserver_pid, os.WEXITED | os.WNOWAIT)
    print(json.dumps(answers))

if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
"""
SHOWS = """
import json, os, sys, threading
from pathlib import Path
server = Path("/proc", str(os.getppid()))
print(json.dumps({
    "argv": sys.argv, "name": __name__, "only_there": os.environ.get("ONLY_THERE"),
    "leads": os.getsid(0) == os.getpid(),
    "comm": Path("/proc/self/comm").read_text().strip(), "threads_of_server": len(list((server / "task").iterdir())),
    "is_started": "recsite.asgi" in sys.modules, "stdin": sys.stdin.read(),
    "counted_by_server": list(map(str, Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob(f"*_{os.getppid()}.db"))),
}))
"""


@pytest.fixture
def started(tmp_path: Path) -> Any:
    """Return a function that starts programs one after the other from one launcher, in a Python of its own."""
    starter = tmp_path / "starts.py"
    starter.write_text(STARTS)
    metrics = tmp_path / "prometheus"
    metrics.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "RECSITE_SECRET_KEY": "only-for-tests-" + "l" * 50,
        "RECSITE_DATA_DIR": str(tmp_path / "data"),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }

    def run(*programs: dict[str, Any]) -> list[dict[str, Any]]:
        asked = json.dumps({"root": str(ROOT), "folder": str(tmp_path), "programs": programs})
        done = subprocess.run(
            [sys.executable, str(starter), asked],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=COMMAND_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3_000:]
        answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return answers

    return run


@pytest.mark.slow
def test_a_fork_is_the_program_that_the_command_names(started: Any, tmp_path: Path) -> None:
    program = tmp_path / "shows.py"
    program.write_text(SHOWS)
    (answer,) = started({"arguments": [str(program), "--one", "two"], "name": "a-long-name-of-a-program"})
    assert answer["status"] == 0, answer["said"]
    said = json.loads(answer["said"])
    assert said["argv"] == [str(program), "--one", "two"]
    assert said["name"] == "__main__"
    assert said["only_there"] == "yes"
    assert said["leads"], "a session of its own, so that Ctrl-C reaches the supervisor alone"
    assert said["comm"] == "recsite-a-long-"
    assert said["is_started"]
    assert said["stdin"] == ""
    assert said["counted_by_server"] == [], "who counts nothing leaves no zeros among the metrics"
    assert said["threads_of_server"] == 1, "a fork beside threads may find a lock held for ever"


@pytest.mark.slow
def test_statuses_modules_and_a_server_that_died(started: Any, tmp_path: Path) -> None:
    files = {
        "seven.py": "raise SystemExit(7)",
        "words.py": "raise SystemExit('the reason')",
        "broken.py": "1 / 0",
        "at_exit.py": "import atexit; atexit.register(print, 'left in order')",
        "endless.py": "import time\nwhile True: time.sleep(1)  # sleep: until it is stopped",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    seven, words, broken, at_exit, module, again, endless = started(
        *({"arguments": [str(tmp_path / name)], "name": name} for name in list(files)[:4]),
        {"arguments": ["-m", "json.tool", "--help"], "name": "module", "kills_the_server": True},
        {"arguments": ["-m", "json.tool", "--help"], "name": "again"},
        {"arguments": [str(tmp_path / "endless.py")], "name": "endless", "early_stop": True},
    )
    assert seven["status"] == 7
    assert (words["status"], words["said"]) == (1, "the reason\n")
    assert broken["status"] == 1
    assert "ZeroDivisionError" in broken["said"]
    assert at_exit["said"] == "left in order\n"
    assert module["status"] == again["status"] == 0
    assert "usage" in module["said"]
    assert endless["status"] == 0, "a stop before it has begun is a clean one"
