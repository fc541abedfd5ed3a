"""What ``--fast`` leaves out, and what it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TESTS = """
import time
import pytest

def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass

@pytest.fixture
def redis_server():
    raise AssertionError("started")

@pytest.fixture
def db():
    raise AssertionError("made")

def test_quick(): pass
def test_hungry(): burn(1.1)
@pytest.mark.slow
def test_slow(): burn(1.1)
def test_redis(redis_server): pass
def test_database(db): pass
"""
MARKERS = "[pytest]\nmarkers =\n slow: s\n redis: r\n"


@pytest.mark.slow
def test_servers_databases_and_slow_tests_are_left_out_and_hungry_ones_fail(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text(MARKERS)
    plugins = [part for name in ("tests.services.fast", "no:django", "no:cacheprovider") for part in ("-p", name)]

    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "--fast", *plugins, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert "1 failed, 1 passed, 3 deselected" in ended.stdout, ended.stdout + ended.stderr
    assert "test_hungry" in ended.stdout.partition("FAILED")[2]
    assert "make it smaller or mark it slow" in ended.stdout
