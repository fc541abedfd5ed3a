"""A run passes only when each test passed: at its first go, or alone at its second."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.second_go import AT_MOST

ROOT = Path(__file__).resolve().parents[1]
HEAD = "from pathlib import Path\nimport pytest\nHERE = Path(__file__).parent\n"
PASSES = "def test_passes(): pass\n"
ONCE = (
    "def test_of_a_moment():\n"
    "    seen = HERE / 'seen'\n"
    "    first = not seen.exists()\n"
    "    seen.touch()\n"
    "    assert not first\n"
)
ALWAYS = "def test_broken(): assert False\n"
MANY = f"@pytest.mark.parametrize('n', range({AT_MOST + 1}))\ndef test_many(n): assert False\n"


def run(folder: Path, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / "test_it.py").write_text(HEAD + source, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "tests.second_go", "-q", "-p", "xdist", "--rootdir", str(folder), *options, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTEST_ADDOPTS": f"-c {folder / 'pytest.ini'}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
def test_what_passes_at_its_second_go_is_named(tmp_path: Path) -> None:
    ended = run(tmp_path, PASSES + ONCE)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.splitlines()[-1].endswith("test_it.py::test_of_a_moment")
    assert "Passed only at the second go" in ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize("source", [ALWAYS, ONCE + ALWAYS], ids=["broken", "broken-beside-one-of-a-moment"])
def test_what_fails_twice_fails_the_run(tmp_path: Path, source: str) -> None:
    ended = run(tmp_path, PASSES + source)
    assert ended.returncode == 1
    assert "once more and alone" in ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize("source", [MANY, "syntax error\n"], ids=["many", "cannot-be-read"])
def test_more_than_a_few_or_a_cut_run_gets_no_second_go(tmp_path: Path, source: str) -> None:
    ended = run(tmp_path, source)
    assert ended.returncode != 0
    assert "once more" not in ended.stdout


HANGS = (
    "import threading\n"
    "def test_waits_for_ever():\n"
    "    never = threading.Event()\n"
    "    waiting = threading.Thread(target=never.wait, name='the-other', daemon=True)\n"
    "    waiting.start()\n"
    "    waiting.join()\n"
)


@pytest.mark.slow
def test_a_test_that_waits_for_ever_fails_and_says_where_each_thread_stood(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    ended = run(tmp_path, HANGS + PASSES, "-p", "pytest_timeout", "-o", "timeout=1", "-o", "timeout_method=signal")
    assert ended.returncode == 1
    assert "Stack of the-other" in ended.stdout + ended.stderr
    assert "1 failed, 1 passed" in ended.stdout
    assert [float(pytestconfig.getini("timeout")), pytestconfig.getini("timeout_method")] == [600, "signal"]


@pytest.mark.slow
def test_a_run_without_failures_runs_once(tmp_path: Path) -> None:
    ended = run(tmp_path, PASSES)
    assert ended.returncode == 0
    assert ended.stdout.count("1 passed") == 1
