"""``deploy/rolling.sh`` under a load: the shipped nginx, two real web processes, and no failed request."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from recsite.supervisor.ports import free_port
from tests.deploy.conftest import ROOT
from tests.deploy.test_https import Behind, Edge, behind, edge_before, web_process
from tests.services.waiting import COMMAND_S, wait_until
from tracking.contract.parsing import parse_record
from tracking.log import open_log

__all__ = ["behind"]  # a fixture
pytestmark = [pytest.mark.nginx, pytest.mark.redis, pytest.mark.slow]
CLIENTS = 6
PAUSE_S = 0.03
ENGINE = """#!/usr/bin/env python3
import sys, urllib.request
urllib.request.urlopen("http://127.0.0.1:{port}/", " ".join(sys.argv[1:]).encode(), timeout=300).read()
"""


class Webs:
    """Two web processes, which a stand-in for the Docker engine replaces as ``compose up --wait`` does.

    The stand-in knows nothing of the order: what is stopped when is the script's doing.
    """

    def __init__(self, behind: Behind, folder: Path) -> None:
        self.ports = {"web-1": free_port(), "web-2": free_port()}
        self.commands: list[str] = []
        self._behind, self._folder = behind, folder
        self._running = {name: ExitStack() for name in self.ports}
        for name in self.ports:
            self._start(name)

    def _start(self, name: str) -> None:
        self._running[name].enter_context(web_process(self._behind, self.ports[name], self._folder / f"{name}.log"))

    def renew(self, name: str) -> None:
        self._running[name].close()  # SIGTERM, and wait until it ended
        self._start(name)  # returns when it is ready

    def close(self) -> None:
        for running in self._running.values():
            running.close()

    @contextmanager
    def engine(self) -> Iterator[Path]:
        """Put ``docker`` into a folder for the PATH."""
        webs = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                command = self.rfile.read(int(self.headers["Content-Length"])).decode()
                webs.commands.append(command)
                words = command.split()
                if "up" in words and words[-1] in webs.ports:
                    assert {"--wait", "--no-deps", "--force-recreate"} <= set(words)
                    webs.renew(words[-1])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None: ...

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        docker = self._folder / "bin/docker"
        docker.parent.mkdir()
        docker.write_text(ENGINE.format(port=server.server_port))
        docker.chmod(0o755)
        yield docker.parent
        server.shutdown()
        server.server_close()
        thread.join(10)


class Load:
    """Clients of different addresses that send events and read lists, each on one connection while it lasts."""

    def __init__(self, edge: Edge) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self.event_ids: list[str] = []
        self._edge = edge
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        wait_until(lambda: len(self.event_ids) > CLIENTS * 3, "the load")
        return self

    def __exit__(self, *args: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self, number: int) -> None:
        connection = self._connection(number)
        visitor = f"{number:032d}"
        sequence = 0
        while not self._stop.is_set():
            sequence += 1
            event_id = f"rolling-{number}-{sequence}"
            now_ms = int(time.time() * 1000)
            event = {
                "event": "view_item", "event_id": event_id, "ts": now_ms, "session_id": f"s-{number}",
                "params": {"items": [{"item_id": "I1", "price": 10.0}]},
            }  # fmt: skip
            body = {"key": self._edge.pk, "v": "1.0", "sent_at": now_ms, "anonymous_id": visitor, "events": [event]}
            lists = {"key": self._edge.pk, "anonymous_id": visitor, "placements": [{"placement": "home_trending"}]}
            for method, path, content in (
                ("POST", "/v1/events", body),
                ("POST", "/v1/recommendations", lists),
                ("GET", f"/v1/recommendations/home_trending?key={self._edge.pk}&limit={sequence % 8 + 1}", None),
            ):
                try:
                    data = json.dumps(content).encode() if content else None
                    connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
                    answer = connection.getresponse()
                    answer.read()
                except (OSError, http.client.HTTPException) as error:
                    self.failures.append(f"{method} {path}: {error!r}")
                    connection.close()
                    connection = self._connection(number)
                    continue
                self.answers[f"{method} {answer.status}"] += 1
                if answer.status not in (200, 202):
                    self.failures.append(f"{method} {path}: {answer.status}")
                elif path == "/v1/events":
                    self.event_ids.append(event_id)
            time.sleep(PAUSE_S)  # sleep: a shopper's pace
        connection.close()

    def _connection(self, number: int) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "localhost", self._edge.port, timeout=20, context=self._edge.tls, source_address=(f"127.0.{number}.9", 0)
        )


@pytest.fixture
def webs(behind: Behind, tmp_path: Path) -> Iterator[Webs]:
    running = Webs(behind, tmp_path)
    try:
        yield running
    finally:
        running.close()


def test_a_restart_one_by_one_fails_no_request_and_loses_no_event(
    behind: Behind,
    webs: Webs,
    tmp_path: Path,
) -> None:
    with edge_before(tmp_path, behind, list(webs.ports.values())) as edge, webs.engine() as path, Load(edge) as load:
        begun = time.monotonic()
        done = subprocess.run(
            [ROOT / "deploy/rolling.sh"], env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}"},
            capture_output=True, text=True, timeout=COMMAND_S, check=False,
        )  # fmt: skip
        took_s = time.monotonic() - begun
        so_far = len(load.event_ids)
        wait_until(lambda: len(load.event_ids) > so_far + CLIENTS, "the load to go on")
    assert done.returncode == 0, done.stderr
    print(f"\nrolling restart: {took_s:.0f} s, {dict(load.answers)}, failed: {len(load.failures)}")
    assert load.failures == []
    assert len(load.event_ids) > 100
    renewed = [command.split()[-1] for command in webs.commands if " up " in f" {command} "]
    assert renewed == ["web-1", "web-2", "stream", "beat"]
    assert "migrate" in webs.commands[renewed.index("web-1") + 1]
    # What was spooled by a process that stopped is drained by the one after it.
    wait_until(lambda: events_in_the_log(behind) >= set(load.event_ids), "every accepted event", step_s=1.0)


def events_in_the_log(behind: Behind) -> set[str]:
    """Return the ids of all events that stand in the log."""
    log = open_log(behind.environment["EVENT_LOG_URL"])
    return {
        event.event_id
        for partition in range(log.ensure_topic())
        for record in log.read_all(partition)
        for event in parse_record(record.value).events
    }
