"""Celery's beat and SIGTERM: a clean stop in the middle of a query, of a sleep, and of a tick without an end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60.0
BEAT = """
import os, signal, sys, threading
sys.argv = ["celery", "-A", "recsite", "beat", "--pidfile", "", "-l", "INFO"]
import recsite.celery  # sets Django up

from django.db import connection
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

MOMENT, COUNT = os.environ["MOMENT"], int(os.environ["COUNT"])
real_tick = DatabaseScheduler.tick
seen = 0

def in_a_query(execute, sql, params, many, context):
    global seen
    if "django_celery_beat" in sql:
        seen += 1
        if seen == COUNT:
            print("asked to stop", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
    return execute(sql, params, many, context)

def tick(self, *arguments, **options):
    if MOMENT == "endless tick":
        print("asked to stop", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            threading.Event().wait(0.1)
    try:
        return real_tick(self, *arguments, **options)
    finally:
        if MOMENT == "sleep":
            print("asked to stop", file=sys.stderr, flush=True)
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()

if MOMENT == "query":
    connection.execute_wrappers.append(in_a_query)
else:
    DatabaseScheduler.tick = tick

from celery.__main__ import main
main()
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> dict[str, str]:
    """The environment of an installation whose database has its tables."""
    data = tmp_path_factory.mktemp("beat")
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {"RECSITE_SECRET_KEY": "only-for-tests", "RECSITE_DATA_DIR": str(data), "REDIS_URL": redis_url}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--no-input", "-v", "0"], cwd=ROOT, env=environment, check=True
    )
    return environment


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.parametrize(
    ("moment", "count"),
    [*(("query", count) for count in (1, 8, 21, 55)), ("sleep", 0), ("endless tick", 0)],
)
def test_a_stop_ends_beat_whatever_it_is_doing(moment: str, count: int, environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BEAT],
        cwd=ROOT,
        env={**environment, "MOMENT": moment, "COUNT": str(count)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(PATIENCE_S, process.kill)
    watchdog.start()
    try:
        _, said = process.communicate()
    finally:
        watchdog.cancel()

    assert "asked to stop" in said, "the moment never came"
    assert process.returncode == 0, said[-3_000:]
    assert "Traceback" not in said
