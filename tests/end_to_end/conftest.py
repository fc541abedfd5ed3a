"""A whole installation in real processes: web, stream worker, its own database, on either event log."""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recsite.supervisor.installation import Installation
from recsite.supervisor.ports import free_port
from recsite.supervisor.processes import Supervised
from tests.services.installations.launching import Started
from tests.services.installations.migrated import put_migrated
from tests.services.redis_server import RedisServer
from tests.services.waiting import COMMAND_S, wait_until

ROOT = Path(__file__).resolve().parents[2]

# What sends no browser's User-Agent is taken for a bot, and bots train nothing.
BROWSER = {
    "Content-Type": "application/json",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
}

# Two worlds of items that nobody mixes: whoever looks at one item of a world must be shown the others of it.
SHOP = """
import json
from features.models import Item
from recommendations.models import Placement
from tracking.models import Site
from tracking.access.sites import create_key
site, _ = Site.objects.get_or_create(slug="default", defaults={"name": "Two worlds"})
Item.objects.bulk_create([
    Item(site=site, item_id=f"{world}{number:02d}", title=f"{world.title()} {number}", category=world.title(),
         price_minor=1000 + number, currency="EUR", url=f"/p/{world}{number:02d}", brand=world.title())
    for world in ("tent", "lamp") for number in range(20)
])
for name, strategy in (("home_for_you", "for_you"), ("product_similar", "similar"), ("cart_cross_sell", "cart")):
    Placement.objects.get_or_create(site=site, name=name, defaults={"strategy": strategy, "size": 8})
print(json.dumps({"pk": create_key(site, "pk", "test")[1], "sk": create_key(site, "sk", "test")[1]}))
"""


@dataclass
class Running:
    """An installation that runs."""

    address: str
    pk: str
    sk: str
    environment: dict[str, str]
    processes: dict[str, Supervised]
    data: Path
    launcher: Started

    def manage(self, *arguments: str, timeout_s: float = COMMAND_S) -> str:
        """Run a management command and return what it printed."""
        done = self.launcher.manage(*arguments, timeout_s=timeout_s)
        assert done.returncode == 0, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def post(self, path: str, body: object, **headers: str) -> tuple[int, Any]:
        """POST JSON and return the status and the decoded answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data=data, headers={**BROWSER, **headers}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def send_views(self, anonymous_id: str, items: list[str], *, at_ms: int | None = None) -> None:
        """Send one view of each item, a second apart, as the shopper's page would."""
        last_ms = at_ms or int(time.time() * 1000)
        events = [
            {
                "event": "view_item",
                "event_id": f"{anonymous_id}-{last_ms}-{position}",
                "ts": last_ms - 1000 * (len(items) - position),
                "session_id": f"s-{anonymous_id}",
                "params": {"items": [{"item_id": item, "price": 10.0}]},
            }
            for position, item in enumerate(items)
        ]
        status, answer = self.post(
            "/v1/events",
            {"key": self.pk, "v": "1.0", "sent_at": last_ms, "anonymous_id": anonymous_id, "events": events},
        )
        assert (status, answer["accepted"]) == (202, len(items)), answer

    def recommend(self, anonymous_id: str, placement: str = "home_for_you", **more: Any) -> dict[str, Any]:
        """Return the reply's first result."""
        status, answer = self.post(
            "/v1/recommendations",
            {
                "key": self.pk,
                "anonymous_id": anonymous_id,
                "placements": [{"placement": placement, "limit": 6, **more}],
            },
        )
        assert status == 200, answer
        result: dict[str, Any] = answer["results"][0]
        return result


def visitor(name: str) -> str:
    """Return an anonymous id of the right length."""
    return f"{name}-{'0' * 24}"


def start_installation(
    data: Path, *, redis_url: str, log_url: str, database_url: str | None, **settings: str
) -> Running:
    """Bring up web and stream worker over the given services, with two worlds of items in the catalogue."""
    port = free_port()
    place = Installation(project=ROOT, data=data, host="127.0.0.1", port=port, web_workers=1, demo=False)
    place.make_folders()
    chosen = {"REDIS_URL": redis_url, "EVENT_LOG_URL": log_url, "RECSITE_SECRET_KEY": "only-for-tests-" + "y" * 50}
    chosen |= settings
    if database_url:
        chosen["DATABASE_URL"] = database_url
    environment = place.environment(chosen)
    launcher = Started(environment)
    everything = place.processes(environment, launcher=launcher)
    processes = {process.name: process for process in everything if process.name in ("web", "stream")}
    running = Running(f"http://127.0.0.1:{port}", "", "", environment, processes, data, launcher)
    if database_url:
        running.manage("migrate", "--no-input", "--verbosity", "0")
    else:
        put_migrated(data)
    keys = json.loads(running.manage("shell", "-v", "0", "-c", SHOP).splitlines()[-1])
    running.pk, running.sk = keys["pk"], keys["sk"]
    for process in processes.values():
        process.start()

    def is_ready() -> bool:
        try:
            with urllib.request.urlopen(running.address + "/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            for process in processes.values():
                assert process.pid is not None, f"{process.name} died:\n{process.last_lines(40)}"
            return False

    wait_until(is_ready, "the web process")
    return running


def stop_installation(running: Running) -> None:
    """Stop everything and check that it stopped by itself on SIGTERM."""
    for process in running.processes.values():
        process.ask_to_stop()
    stopped = {name: process.wait_stopped(25) for name, process in running.processes.items()}
    running.launcher.close()
    assert stopped == dict.fromkeys(stopped, True), f"did not stop cleanly on SIGTERM: {stopped}"


@pytest.fixture(scope="session", params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a trained installation on each event log; the one on Kafka keeps its rows in PostgreSQL."""
    data = tmp_path_factory.mktemp(f"installation-{request.param}")
    with RedisServer() as redis_server:
        log_url, database_url = redis_server.url + "?partitions=2", None
        if request.param == "kafka":
            bootstrap = request.getfixturevalue("kafka_bootstrap")
            log_url = f"kafka://{bootstrap}/recsite.e2e.{uuid.uuid4().hex}?partitions=2"
            database_url = request.getfixturevalue("postgres_server").new_database()
        running = start_installation(data, redis_url=redis_server.url, log_url=log_url, database_url=database_url)
        try:
            yield running
        finally:
            stop_installation(running)


@pytest.fixture(scope="session")
def trained(installation: Running) -> Running:
    """Send 400 sessions that each stay in one world, wait for the archive, and train."""
    rng = random.Random(7)
    now_ms = int(time.time() * 1000)
    for number in range(400):
        world = ("tent", "lamp")[number % 2]
        items = [f"{world}{rng.randrange(20):02d}" for _ in range(4)]
        installation.send_views(visitor(f"past{number:04d}"), items, at_ms=now_ms - 3_600_000 + number * 1000)

    def is_archived() -> bool:
        lag = json.loads(installation.manage("stream_lag", "--json").splitlines()[-1])
        return bool(lag["records"] == 0 and lag["archive_records"] == 0)

    wait_until(is_archived, "the archive")
    installation.manage("train", "--site", "default", "--promote", "--quick")
    wait_until(lambda: installation.recommend(visitor("warm"))["model_version"], "the model to go live")
    return installation
