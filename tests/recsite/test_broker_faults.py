"""A task worker comes back by itself after its Redis was restarted, whatever name it is reached by."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.services.process import Server
from tests.services.redis_server import RedisServer
from tests.services.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = ["--without-mingle", "--without-gossip"]
"""Gossip of workers breaks when the broker is gone (``AttributeError``), and nothing here listens to it."""


def worker_commands() -> list[list[str]]:
    services = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    return [one["command"] for one in services.values() if "worker" in one.get("command", ())]


def test_every_worker_that_we_start_does_without_gossip() -> None:
    commands = worker_commands()
    assert len(commands) == 2
    for command in commands:
        assert set(OPTIONS) <= set(command)
    source = (ROOT / "recsite/supervisor/installation.py").read_text()
    assert source.count('"worker"') == source.count('"--without-gossip"') == source.count('"--without-mingle"')


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_task_worker_survives_a_restart_of_redis(
    own_server: Callable[[Callable[[], Server]], Server], tmp_path: Path, host: str
) -> None:
    server = own_server(RedisServer)
    assert isinstance(server, RedisServer)
    url = server.url.replace("127.0.0.1", host)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "recsite.settings",
        "RECSITE_DATA_DIR": str(tmp_path),
        "REDIS_URL": url,
        "EVENT_LOG_URL": url,
    }
    command = next(one for one in worker_commands() if "prefork" in one)
    out = tmp_path / "worker.out"
    with out.open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=log, stderr=log
        )  # fmt: skip
    call = [sys.executable, "-m", "celery", "-A", "recsite", "call", "features.merge_item_stats"]

    def works() -> None:
        before = out.read_text().count("features.merge_item_stats")
        subprocess.run(call, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=60)
        wait_until(lambda: out.read_text().count("features.merge_item_stats") > before + 1, "the task to be done")

    try:
        wait_until(lambda: "ready." in out.read_text(), "the worker to be ready")
        works()
        for _ in range(2):
            server.kill()
            wait_until(lambda: "Connection to broker lost" in out.read_text() or "Cannot connect" in out.read_text())
            server.start()
            works()
        assert worker.poll() is None
        assert "AttributeError" not in out.read_text()
    finally:
        worker.kill()
        worker.wait()
