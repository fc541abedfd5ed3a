"""A database that is slow, locked or frozen, against a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from recsite.postgresql.base import give_up_after
from tests.services.postgres_server import PostgresServer
from tests.services.process import Server

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.postgres

ASKS = """
import time
from django.db import OperationalError, connection
def ask(sql):
    started = time.monotonic()
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            print("answer", cursor.fetchone(), flush=True)
    except OperationalError as error:
        print("error %.1f %s" % (time.monotonic() - started, str(error).splitlines()[0]), flush=True)
"""


def django(url: str, code: str, data: Path) -> subprocess.Popen[str]:
    environment = {
        **os.environ, "DATABASE_URL": url, "RECSITE_SECRET_KEY": "x" * 50, "RECSITE_DATA_DIR": str(data),
        "RECSITE_DATABASE_TIMEOUT_MS": "400",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", ASKS + code],
        cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_long_statement_is_ended_by_the_server(postgres_url: str, tmp_path: Path) -> None:
    said, problem = django(postgres_url, "ask('select pg_sleep(30)'); ask('select 7')", tmp_path).communicate(
        timeout=60
    )
    assert said.splitlines()[0].startswith(("error 0.4", "error 0.5", "error 0.6")), problem
    assert "statement timeout" in said
    assert said.splitlines()[1] == "answer (7,)"  # the connection lives on


def test_a_frozen_server_is_given_up_and_used_again_when_it_is_back(
    own_server: Callable[[Callable[[], Server]], PostgresServer], tmp_path: Path
) -> None:
    server = own_server(PostgresServer)
    code = (
        "ask('select 1'); input(); ask('select 2')\n"
        "from django.db import close_old_connections; input(); close_old_connections(); ask('select 3')"
    )
    process = django(server.url, code, tmp_path)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "answer (1,)\n"
    processes = _with_children(server.pid)
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    process.stdin.write("\n")
    process.stdin.flush()
    started = time.monotonic()
    line = process.stdout.readline()
    for pid in processes:
        os.kill(pid, signal.SIGCONT)
    assert "gave no answer for 5.4 s" in line
    assert time.monotonic() - started < 15
    said, problem = process.communicate("\n", timeout=30)
    assert said == "answer (3,)\n", problem


def test_only_silence_ends_a_connection(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        give_up_after(connection, timeout_s=0.5)
        for _ in range(3):
            assert connection.execute("select pg_sleep(0.2), 7").fetchone() == ("", 7)
        with pytest.raises(psycopg.OperationalError, match="gave no answer"):
            connection.execute("select pg_sleep(5)")
        assert connection.closed


def _with_children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]
