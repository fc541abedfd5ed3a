"""The client for shop servers: nothing is lost, whatever the server does meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from recsite_client import InvalidEvent, QueueFull, RejectedEvent, Tracker
from recsite_client import sender as sender_module
from recsite_client.queue import Queue
from recsite_client.tracker import new_event_id

from tests.services.waiting import outlast
from tests.tracking.web_process import ROOT, Web
from tracking.contract.parsing import parse_record
from tracking.log import open_log

KEY = "sk_" + "k" * 24
ITEM = {"items": [{"item_id": "SKU1"}]}


def nested(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(levels):
        found = {"a": found}
    return found


class Scripted:
    """A server that answers what the test says, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                outer.headers.append(dict(self.headers))
                accepted = (202, {}, b'{"accepted": 1, "rejected": []}')
                status, headers, body = outer.answers.pop(0) if outer.answers else accepted
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def ids(self) -> list[str]:
        return [event["event_id"] for body in self.bodies for group in body["records"] for event in group["events"]]


@pytest.fixture
def server() -> Iterator[Scripted]:
    scripted = Scripted()
    yield scripted
    scripted.close()


@pytest.fixture
def make(tmp_path: Path, server: Scripted, monkeypatch) -> Iterator[Callable[..., Tracker]]:
    monkeypatch.setattr(sender_module, "FIRST_BACKOFF_S", 0.02)
    made: list[Tracker] = []

    def build(**options: Any) -> Tracker:
        made.append(Tracker(options.pop("url", server.url), KEY, queue=tmp_path / "shop" / "queue.db", **options))
        return made[-1]

    yield build
    for client in made:
        client.close()


def test_events_arrive_in_order_with_their_users(make, server: Scripted) -> None:
    client = make()
    ids = [client.track("view_item", ITEM, user_id=f"u{number % 2}") for number in range(6)]
    assert client.flush(timeout_s=5)
    assert sorted(server.ids) == sorted(ids)
    assert [one for one in server.ids if one in ids[::2]] == ids[::2]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert client.n_waiting == 0


def test_login_joins_both_ids(make, server: Scripted) -> None:
    client = make()
    client.identify("42", anonymous_id="a" * 32, traits={"tier": "gold"})
    assert client.flush(timeout_s=5)
    [group] = server.bodies[0]["records"]
    assert (group["user_id"], group["anonymous_id"]) == ("42", "a" * 32)
    assert group["events"][0]["params"]["user_id"] == "42"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"name": "view_item", "user_id": "1"}, "event.params"),
        ({"name": "view_item", "params": {"items": []}, "user_id": "1"}, "event.params.items"),
        ({"name": "view_item", "params": ITEM}, "user_id"),
        ({"name": "view_item", "params": ITEM, "anonymous_id": "short"}, "anonymous_id"),
        ({"name": "view_itm", "params": ITEM, "user_id": "1"}, "event.event"),
        ({"name": "wheel_spun", "params": nested(3_000), "user_id": "1"}, "event"),
    ],
)
def test_a_mistake_is_told_where_it_is_made(make, arguments: dict[str, Any], field: str) -> None:
    client = make()
    with pytest.raises(InvalidEvent) as error:
        client.track(**arguments)
    assert error.value.field == field
    assert client.n_waiting == 0


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_may_pass_is_tried_again(make, server: Scripted, status: int) -> None:
    server.answers = [(status, {}, b"{}")] * 2
    client = make()
    sent = client.track("view_item", ITEM, user_id="1")
    assert client.flush(timeout_s=5)
    assert server.ids == [sent] * 3
    assert len({headers["Idempotency-Key"] for headers in server.headers}) == 1


@pytest.mark.slow
def test_retry_after_is_honoured(make, server: Scripted) -> None:
    server.answers = [(429, {"Retry-After": "1"}, b"{}")]
    client = make()
    started = time.monotonic()
    client.track("view_item", ITEM, user_id="1")
    assert client.flush(timeout_s=5)
    assert time.monotonic() - started >= 1


def test_refused_events_are_told_and_do_not_come_again(make, server: Scripted) -> None:
    told: list[RejectedEvent] = []
    rejected = {"index": 0, "event_id": "x" * 8, "error": "invalid_event", "message": "m", "field": "f"}
    server.answers = [(202, {}, json.dumps({"accepted": 0, "rejected": [rejected]}).encode())]
    client = make(on_rejected=told.append)
    client.track("view_item", ITEM, user_id="1")
    assert client.flush(timeout_s=5)
    assert [(one.event_id, one.field) for one in told] == [("x" * 8, "f")]
    assert len(server.bodies) == 1


def test_an_event_that_spoils_a_batch_does_not_take_the_others_along(make, server: Scripted, monkeypatch) -> None:
    client = make(url="http://127.0.0.1:1")
    ids = [client.track("view_item", ITEM, user_id=f"u{number}") for number in range(4)]
    client.close()
    server.answers = [(413, {}, b"{}"), (413, {}, b"{}"), (413, {}, b"{}")]  # 4, then 2, then 1: that one is dropped
    again = make()
    assert again.flush(timeout_s=5)
    assert sorted(server.ids[7:]) == sorted(ids[1:])


def test_what_waited_outlives_the_process(make, server: Scripted, tmp_path: Path) -> None:
    code = (
        "import os, sys; from recsite_client import Tracker\n"
        f"client = Tracker('http://127.0.0.1:1', {KEY!r}, queue=sys.argv[1])\n"
        "item = {'items': [{'item_id': 'x'}]}\n"
        "print(*[client.track('view_item', item, user_id='1') for _ in range(50)], flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "shop" / "queue.db"],
        cwd=ROOT,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == -9
    assert make().flush(timeout_s=5)
    assert server.ids == done.stdout.decode().split()


@pytest.mark.slow
def test_one_of_several_processes_sends_and_the_next_takes_over(make, server: Scripted) -> None:
    first, second = make(), make()
    first.track("view_item", ITEM, user_id="1")
    assert first.flush(timeout_s=5)
    sent = second.track("view_item", ITEM, user_id="1")  # the first one's thread sends it
    assert second.flush(timeout_s=5)
    first.close()
    last = second.track("view_item", ITEM, user_id="1")
    assert second.flush(timeout_s=5)
    assert server.ids[-2:] == [sent, last]
    assert len(server.ids) == 3


SHOP_PROCESS = """
import os, sys
from recsite_client import Tracker
url, key, queue, name, dies = sys.argv[1:]
client = Tracker(url, key, queue=queue)
for number in range(100):
    print(client.track("view_item", {"items": [{"item_id": "SKU1"}]}, user_id=name), flush=True)
    if dies == "yes" and number == 60:
        os.kill(os.getpid(), 9)
assert client.flush(timeout_s=20)
client.close()
"""


@pytest.mark.slow
def test_processes_of_one_shop_share_a_queue_and_a_killed_one_loses_nothing(make, server: Scripted, tmp_path) -> None:
    server.answers = [(503, {"Retry-After": "0"}, b"{}")] * 3
    arguments = [sys.executable, "-c", SHOP_PROCESS, server.url, KEY, str(tmp_path / "shop" / "queue.db")]
    shops = [
        subprocess.Popen([*arguments, f"u{number}", dies], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for number, dies in enumerate(("yes", "no", "no", "yes"))
    ]
    said = [shop.communicate(timeout=60)[0].split() for shop in shops]
    assert [shop.returncode for shop in shops] == [-9, 0, 0, -9]
    assert make().flush(timeout_s=10)
    assert [len(ids) for ids in said] == [61, 100, 100, 61]
    assert set(server.ids) == {one for ids in said for one in ids}
    for ids in said:  # in order, whoever sent them
        assert [one for one in dict.fromkeys(server.ids) if one in ids] == ids


@pytest.mark.slow
def test_processes_that_start_together_all_get_their_queue(tmp_path) -> None:
    together = threading.Barrier(8)

    def begin(number: int) -> list[int]:
        together.wait(10)
        queue = Queue(tmp_path / f"{number // 8}.db", max_events=100)
        queue.put(b"{}", user_id="u", anonymous_id=None)
        return [one.id for one in queue.peek(most=100)]

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(begin, range(8 * 40)))  # each has a connection of its own, as processes have
    assert [max(len(ids) for ids in seen[start : start + 8]) for start in range(0, len(seen), 8)] == [8] * 40


def test_it_works_on_in_a_forked_child(make, server: Scripted) -> None:
    client = make()
    client.track("view_item", ITEM, user_id="1")
    assert client.flush(timeout_s=5)
    child = os.fork()
    if child == 0:
        try:
            client.track("view_item", ITEM, user_id="2", event_id="from-the-child")
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    client.track("view_item", ITEM, user_id="1")
    assert client.flush(timeout_s=5)
    assert "from-the-child" in server.ids


def test_the_queue_is_bounded(make) -> None:
    client = make(url="http://127.0.0.1:1", max_events=3)
    for _ in range(3):
        client.track("view_item", ITEM, user_id="1")
    with pytest.raises(QueueFull, match="3 events wait"):
        client.track("view_item", ITEM, user_id="1")


@pytest.mark.parametrize(("url", "key"), [("rec.shop.example", KEY), ("ftp://x", KEY), ("https://x.example", "pk_1")])
def test_a_wrong_address_or_key_is_told_at_once(tmp_path: Path, url: str, key: str) -> None:
    with pytest.raises(ValueError, match=r"is not an? "):
        Tracker(url, key, queue=tmp_path / "queue.db")


def test_ids_are_unique_and_in_the_order_of_time() -> None:
    first = new_event_id()
    outlast(0.002, "the millisecond of an id")
    later = [new_event_id() for _ in range(1_000)]
    assert len({first, *later}) == 1_001
    assert all(first < one and one[12] == "7" for one in later)


@pytest.mark.redis
@pytest.mark.slow
def test_nothing_is_lost_while_the_real_server_is_killed(tmp_path: Path, redis_url: str, monkeypatch) -> None:
    monkeypatch.setattr(sender_module, "FIRST_BACKOFF_S", 0.05)
    address = f"{redis_url}?stream=client-{time.monotonic_ns()}&partitions=2"
    web = Web(tmp_path / "web", redis_url=redis_url, log_url=address).prepare(kind="sk").start()
    client = Tracker(f"http://127.0.0.1:{web.port}", web.key, queue=tmp_path / "queue.db")
    try:
        ids = [client.track("purchase", {"transaction_id": "T1", **ITEM}, user_id=f"u{one % 7}") for one in range(200)]
        web.kill()
        ids += [client.track("view_item", ITEM, user_id=f"u{one % 7}") for one in range(200)]
        web.start()
        assert client.flush(timeout_s=20)
    finally:
        client.close()
        web.kill()
    log = open_log(address)
    stored = {
        event.event_id
        for partition in range(log.ensure_topic())
        for record in log.read_all(partition)
        for event in parse_record(record.value).events
    }
    assert stored == set(ids)
