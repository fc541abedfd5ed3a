"""A missing server is named in the closing lines, and fails the run under ``REQUIRE_ALL=1``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run_without_redis(tmp_path: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_needs_redis.py").write_text("def test_it(redis_url): pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    kept = {name: value for name, value in os.environ.items() if name != "REQUIRE_ALL"}
    names = ("tests.services.left_out", "tests.services.fixtures", "no:django", "no:asyncio", "no:cacheprovider")
    plugins = [part for name in names for part in ("-p", name)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, *options, str(tmp_path)],
        cwd=ROOT, env=kept | {"PATH": "/nowhere"} | environment, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "several"])
def test_a_missing_part_is_left_out_and_named(tmp_path, options):
    ended = run_without_redis(tmp_path, *options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "= left out =" in ended.stdout
    assert "Redis: apt install redis-server" in ended.stdout
    assert "1 skipped" in ended.stdout


@pytest.mark.slow
def test_a_missing_part_is_a_failure_where_all_are_required(tmp_path):
    ended = run_without_redis(tmp_path, REQUIRE_ALL="1")
    assert ended.returncode == 1
    assert "Redis is missing: apt install redis-server (REQUIRE_ALL=1)" in ended.stdout


@pytest.mark.postgres
def test_postgres_answers_queries(postgres_url):
    import psycopg

    with psycopg.connect(postgres_url, connect_timeout=5) as connection:
        assert connection.execute("SELECT 40 + 2").fetchone() == (42,)
