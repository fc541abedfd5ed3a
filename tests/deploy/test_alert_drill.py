"""Alerts fire on real faults and clear again: real Prometheus, the deployed rules, a task worker with child processes.

``make faults`` makes the faults of all alerts (``benchmarks/faults/matrix.py``); this is the part that CI has time for,
and the one that once reached nobody: what the children of a prefork worker count.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from celery import Celery

from benchmarks.faults.alerts import Prometheus
from features import keys
from features.definitions import ITEM_WINDOWS
from features.state import progress
from features.store.connections import name_of
from recsite.keys import CELERY_PREFIX
from recsite.supervisor.ports import free_port
from tests.deploy.conftest import ROOT
from tests.services.fixtures import leave_out
from tests.services.process import Missing, Server
from tests.services.redis_server import RedisServer
from tests.services.waiting import DEADLINE_S, wait_until
from tracking.log import open_log
from tracking.redis_client import connect

SITE = "shop"
FASTER = 600
"""Half an hour is three seconds."""


@contextmanager
def task_worker(folder: Path, redis_url: str, *, port: int) -> Iterator[subprocess.Popen[bytes]]:
    services = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    command = next(one["command"] for one in services.values() if "prefork" in one.get("command", ()))
    counters = folder / "counters"
    counters.mkdir()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "recsite.settings", "RECSITE_DATA_DIR": str(folder), "REDIS_URL": redis_url,
        "EVENT_LOG_URL": redis_url, "PROMETHEUS_MULTIPROC_DIR": str(counters), "RECSITE_METRICS_PORT": str(port),
    }  # fmt: skip
    out = folder / "worker.out"
    with out.open("wb") as log, subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=log, stderr=log
    ) as worker:  # fmt: skip
        try:
            wait_until(lambda: "ready." in out.read_text(), "the task worker to be ready")
            yield worker
        finally:
            worker.terminate()


def is_idle(out: Path) -> bool:
    """Return whether the worker has ended every task that it says it received."""
    said = out.read_text()
    return said.count("] received\n") == said.count("] succeeded in ") + said.count("] raised ")


@pytest.mark.slow
@pytest.mark.redis
def test_what_children_of_a_task_worker_count_raises_the_alarm_and_ends_it(
    own_server: Callable[[Callable[[], Server]], Server], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if shutil.which("prometheus") is None:
        leave_out(request.config, Missing("Prometheus", "apt install prometheus"))
    server = own_server(RedisServer)
    assert isinstance(server, RedisServer)
    client, log = connect(server.url, timeout_s=5.0), open_log(server.url)
    now_ms = int(time.time() * 1_000)
    client.set(keys.progress(0, name_of(log)), progress.encode(progress.Progress(watermarks={f"{SITE}|live": now_ms})))
    width_s = min(width_s for _, width_s, _ in ITEM_WINDOWS)
    pane = keys.item_pane(0, SITE, width_s, now_ms // (width_s * 1_000))
    client.hset(pane, "sku1", b"\xff")  # nobody can read this
    celery = Celery(broker=server.url, task_default_queue="recsite")
    celery.conf.broker_transport_options = {"global_keyprefix": CELERY_PREFIX}
    port = free_port()

    def work(prometheus: Prometheus) -> set[str]:
        celery.send_task("features.merge_item_stats")
        return prometheus.firing()

    with task_worker(tmp_path, server.url, port=port) as worker, Prometheus(
        tmp_path / "prometheus", worker_ports=[port], faster=FASTER
    ) as prometheus:  # fmt: skip
        wait_until(lambda: "SiteWorkFails" in work(prometheus), "the alert of a site's work", step_s=0.5)
        assert "ProcessDown" not in prometheus.firing()
        client.delete(pane)
        wait_until(
            lambda: "SiteWorkFails" not in work(prometheus),
            "the alert to clear once the site's work goes on",
            step_s=0.5,
        )
        wait_until(lambda: is_idle(tmp_path / "worker.out"), "every task to end")  # Celery waits long for one under way
        worker.terminate()
        worker.wait(DEADLINE_S)
        wait_until(lambda: "ProcessDown" in prometheus.firing(), "the alert of a process that ended", step_s=0.5)
    celery.close()
    client.close()
