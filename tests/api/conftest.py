"""One installation in real processes, without quotas, for what is tested over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from recsite.supervisor.ports import free_port
from tests.end_to_end.conftest import ROOT, Running, start_installation, stop_installation
from tests.services.redis_server import RedisServer
from tests.services.waiting import wait_until

NO_QUOTAS = """
from tracking.models import Site
from tracking.snapshots.snapshot import announce
from recommendations.state.placements import ensure_default_placements
site = Site.objects.get(slug="default")
site.events_per_minute = site.requests_per_minute = site.address_requests_per_minute = 0
site.save()
ensure_default_placements(site)
"""


@dataclass(frozen=True)
class Place:
    """A running installation and a second web process of it."""

    running: Running
    second_address: str

    @property
    def address(self) -> str:
        """Where the first web process answers."""
        return self.running.address

    @property
    def pk(self) -> str:
        """A publishable key."""
        return self.running.pk

    @property
    def sk(self) -> str:
        """A secret key."""
        return self.running.sk

    def shell(self, code: str) -> str:
        """Run Python in a process of its own with Django set up, as an admin's request would; return what it says."""
        return self.running.manage("shell", "-v", "0", "-c", code)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with RedisServer() as redis_server:
        running = start_installation(
            tmp_path_factory.mktemp("api"),
            redis_url=redis_server.url,
            log_url=redis_server.url + "?partitions=2",
            database_url=None,
        )
        port = free_port()
        second = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "recsite.asgi:application", "--host", "127.0.0.1"),
                *("--port", str(port), "--no-access-log", "--log-level", "warning"),
                *("--ws", "recsite.server.uvicorn_ws:BoundedSocket", "--ws-max-size", "16384"),
            ],
            cwd=ROOT,
            env=running.environment,
        )
        try:
            running.manage("shell", "-v", "0", "-c", NO_QUOTAS)
            address = f"http://127.0.0.1:{port}"
            wait_until(lambda: is_ready(address), "the second web process")
            wait_until(lambda: len(placements(running)) >= 10, "the placements")
            yield Place(running, address)
        finally:
            second.terminate()
            second.wait(25)
            stop_installation(running)


def is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(address + "/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def placements(running: Running) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        running.address + "/v1/placements", headers={"Authorization": f"Bearer {running.sk}"}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        found: list[dict[str, Any]] = json.load(answer)
        return found
