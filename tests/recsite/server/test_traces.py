"""One event's way through three real processes, seen by a collector that takes OTLP over real HTTP."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import websockets
from django.core.exceptions import ImproperlyConfigured
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from features.keys import CHANGED_CHANNEL
from recsite.server import traces
from recsite.server.traces import MAX_A_SECOND, OtlpSpans, endpoint_of, send_traces
from tests.services.redis_server import RedisServer
from tests.services.waiting import DEADLINE_S, until_subscribed
from tests.tracking.web_process import Web
from tracking.metrics import SPANS
from tracking.traces import spans
from tracking.traces.context import read_traceparent

ROOT = Path(__file__).resolve().parents[3]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
BROWSER = f"00-{TRACE}-00f067aa0ba902b7-01"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
WHO, ITEM = "anna" * 8, "secret-lamp"
SHOP = """
from features.models import Item
from recommendations.state.placements import ensure_default_placements
from tracking.models import Site
site = Site.objects.get()
for name in ("{item}", "chair-1", "chair-2"):
    Item.objects.create(site=site, item_id=name, title=name, price_minor=100)
ensure_default_placements(site)
from recommendations.models import Placement
Placement.objects.filter(site=site, name="home_for_you").update(strategy="recently_viewed")
"""


class Collector:
    """What a collector was sent: spans, with the attributes of who sent them."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.everything = b""
        self.port = 0

    def take(self, body: bytes) -> None:
        self.everything += body
        told = ExportTraceServiceRequest.FromString(body)
        for of_process in told.resource_spans:
            process = _plain(of_process.resource.attributes)
            for scope in of_process.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        {
                            "name": span.name, "trace": span.trace_id.hex(), "id": span.span_id.hex(),
                            "parent": span.parent_span_id.hex(), "attributes": _plain(span.attributes),
                            "start_ns": span.start_time_unix_nano, "end_ns": span.end_time_unix_nano,
                            "pid": process["process.pid"], "service": process["service.name"],
                        }
                    )  # fmt: skip

    def of(self, trace: str) -> list[dict[str, Any]]:
        return [span for span in list(self.spans) if span["trace"] == trace]


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    found = Collector()

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Takes)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.port = server.server_port
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def stream_worker(web: Web, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "celery", "-A", "recsite", "worker", "-Q", "stream", "-P", "threads"]
    with (folder / "stream.out").open("wb") as out:
        worker = subprocess.Popen(
            [*command, "-l", "INFO", "--without-mingle", "--without-gossip"],
            cwd=ROOT, env=web._environment, stdout=out, stderr=out,
        )  # fmt: skip
        try:
            yield worker
        finally:
            worker.kill()
            worker.wait()


def post(web: Web, path: str, body: dict[str, Any], **headers: str) -> Any:
    said = json.dumps({"key": web.key, "anonymous_id": WHO, **body}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{web.port}{path}", said, {"Content-Type": "text/plain", "User-Agent": FIREFOX, **headers}
    )
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
        return json.load(answer)


@pytest.mark.slow
@pytest.mark.redis
async def test_an_event_of_a_browser_is_one_trace_to_the_page_that_shows_it(tmp_path: Path, own_server: Any) -> None:
    redis = own_server(RedisServer)
    with collector() as told:
        both: dict[str, Any] = {
            "redis_url": redis.url, "log_url": f"{redis.url}?stream=traced&partitions=2",
            "application": "recsite.asgi:application", "RECSITE_OTLP_ENDPOINT": f"http://127.0.0.1:{told.port}",
            "RECSITE_TRACE_SHARE": "0",
        }  # fmt: skip
        first = Web(tmp_path, **both).prepare()
        first.manage("shell", "-v0", "-c", SHOP.format(item=ITEM))
        second = Web(tmp_path, **both)
        second.out, second.key = tmp_path / "second.out", first.key
        with stream_worker(first, tmp_path) as worker:
            try:
                await asyncio.to_thread(first.start)
                await asyncio.to_thread(second.start)
                pushed = await _see_it_pushed(first, second, redis.url)
                post(first, "/v1/recommendations", {"placement": "home_for_you"}, traceparent=BROWSER)
                post(first, "/v1/recommendations", {"placement": "home_for_you"})  # nobody traces this one
                await asyncio.to_thread(first.stop)
                await asyncio.to_thread(second.stop)
                worker.terminate()
                await asyncio.to_thread(worker.wait, DEADLINE_S)
            finally:
                first.kill()
                second.kill()
    assert ITEM in pushed
    assert {span["trace"] for span in told.spans} == {TRACE}
    by_name = {span["name"]: span for span in told.spans}
    request, append, applied, push = (by_name[name] for name in ("POST collect", "log append", "apply", "push"))
    assert request["parent"] == BROWSER.split("-")[2]
    assert append["parent"] == request["id"]
    assert applied["parent"] == append["id"]
    assert push["parent"] == applied["id"]
    assert request["start_ns"] <= append["start_ns"] <= applied["start_ns"] <= push["start_ns"] <= push["end_ns"]
    assert request["pid"] == append["pid"]
    assert len({request["pid"], applied["pid"], push["pid"]}) == 3
    assert {span["service"] for span in told.spans} == {"recsite"}
    assert push["attributes"]["recsite.lists"] == 1
    asked = by_name["POST recommend"]
    lists = [span for span in told.spans if span["name"] == "list"]
    assert {span["parent"] for span in lists} == {asked["id"], push["id"]}
    steps = Counter(span["name"] for span in told.spans if span["parent"] in {one["id"] for one in lists})
    assert steps == dict.fromkeys(
        ("features", "candidates", "filter", "rank", "rules", "diversity", "fill", "explain"), 2
    )
    assert by_name["read features"]["parent"] in {asked["id"], push["id"]}
    for personal in (WHO, ITEM, "chair", "127.0.0.1", "event-0001", first.key, os.uname().nodename, "/v1/"):
        assert personal.encode() not in told.everything


async def _see_it_pushed(first: Web, second: Web, redis_url: str) -> list[str]:
    """Open a page at the second process, send an event to the first, and return what the page is told then."""
    async with websockets.connect(f"ws://127.0.0.1:{second.port}/v1/live", open_timeout=DEADLINE_S) as page:
        await page.send(json.dumps({"type": "hello", "key": first.key, "anonymous_id": WHO}))
        wanted = [{"placement": "home_for_you", "limit": 4}]
        await page.send(json.dumps({"type": "subscribe", "placements": wanted}))
        async with asyncio.timeout(DEADLINE_S):
            while json.loads(await page.recv())["type"] != "update":
                pass
            await asyncio.to_thread(until_subscribed, redis_url, CHANGED_CHANNEL)
            event = {
                "event": "view_item",
                "event_id": "event-0001",
                "ts": time.time_ns() // 1_000_000,
                "session_id": "s1",
            }
            events = [{**event, "params": {"items": [{"item_id": ITEM}]}}]
            await asyncio.to_thread(post, first, "/v1/events", {"events": events}, traceparent=BROWSER)
            while True:
                message = json.loads(await page.recv())
                if message["type"] == "update":
                    return [item["item_id"] for item in message["results"][0]["items"]]


@pytest.mark.parametrize(
    ("address", "posted"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://traces.example/otlp/v1/traces", "https://traces.example/otlp/v1/traces"),
    ],
)
def test_an_address_without_a_path_is_the_usual_one(address: str, posted: str) -> None:
    assert endpoint_of(address) == posted


def test_a_package_that_is_missing_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install -r requirements-traces\.txt, or unset"):
        send_traces("http://collector:4318", share=0.1)


@pytest.mark.slow
def test_without_an_address_nothing_of_it_is_imported(tmp_path: Path) -> None:
    # The client of Redis imports OpenTelemetry's metrics wherever they are installed.
    script = "import django, sys; django.setup(); print(*sys.modules)"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "recsite.settings", "RECSITE_DATA_DIR": str(tmp_path)}
    environment.pop("RECSITE_OTLP_ENDPOINT", None)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.split())
    assert "recsite.apps" in imported
    assert imported.isdisjoint({"recsite.server.traces", "opentelemetry.sdk.trace", "opentelemetry.exporter"})


@pytest.mark.slow
def test_a_caller_that_traces_everything_is_bounded_and_one_that_does_not_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("recsite.server.traces.time.monotonic", lambda: now[0])
    with collector() as told:
        sender = OtlpSpans(f"http://127.0.0.1:{told.port}/v1/traces", share=1.0)

        taken = [sender.request("POST recommend", BROWSER.encode(), {}) for _ in range(3 * MAX_A_SECOND)]
        own = [sender.request("POST recommend", b"nonsense", {}) for _ in range(3 * MAX_A_SECOND)]
        unsampled = sender.request("POST recommend", BROWSER[:-1].encode() + b"0", {})

        assert [one is not None for one in taken] == [True] * MAX_A_SECOND + [False] * 2 * MAX_A_SECOND
        assert [one is not None for one in own] == [True] * MAX_A_SECOND + [False] * 2 * MAX_A_SECOND
        assert unsampled is None
        now[0] = 1.0
        assert sender.request("POST recommend", BROWSER.encode(), {}) is not None
        for span in (*taken, *own):
            if span is not None:
                span.end()
        sender.flush()
    assert len(told.of(TRACE)) == MAX_A_SECOND
    assert len({span["trace"] for span in told.spans}) == MAX_A_SECOND + 1


def test_a_share_of_none_traces_nobody_who_does_not_ask() -> None:
    sender = OtlpSpans("http://127.0.0.1:9/v1/traces", share=0.0)

    assert all(sender.request("POST recommend", None, {}) is None for _ in range(1_000))


def test_an_unavailable_collector_costs_its_spans_and_is_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "TIMEOUT_S", 0.05)
    lost = SPANS.labels("lost")._value.get()
    sender = OtlpSpans("http://127.0.0.1:9/v1/traces", share=0.0)
    for _ in range(2 * traces.MOST_AT_ONCE):
        span = sender.follow(BROWSER, "apply", {}, kind="consumer")
        span.end()

    sender.flush()

    assert SPANS.labels("lost")._value.get() == lost + 2 * traces.MOST_AT_ONCE
    assert sum("traces.not_sent" in line for line in caplog.messages) == 1
    assert read_traceparent(span.traceparent.encode()) is not None
    assert spans.sender is None
