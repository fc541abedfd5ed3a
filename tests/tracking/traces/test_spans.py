"""Spans of a request's parts: made where the request is traced, and only there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.tracking.asgi_client import call
from tests.tracking.collect.test_endpoint import post
from tests.tracking.conftest import an_event, records_in
from tracking.http.edge import HotPath
from tracking.log.memory import MemoryLog
from tracking.traces import spans
from tracking.traces.context import trace_of
from tracking.traces.spans import Attributes, Kind

PARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


@dataclass
class Kept:
    """A span that stays here."""

    of: Sender
    name: str
    parent: Kept | None
    attributes: dict[str, object]
    kind: str
    start_ns: int | None = None
    end_ns: int | None = None
    is_ended: bool = False

    @property
    def traceparent(self) -> str:
        return f"00-{1:032x}-{self.of.made.index(self) + 1:016x}-01"

    def child(
        self, name: str, attributes: Attributes | None = None, *, kind: Kind = "internal", start_ns: int | None = None
    ) -> Kept:
        return self.of.keep(name, self, attributes or {}, kind, start_ns)

    def end(self, attributes: Attributes | None = None, *, end_ns: int | None = None) -> None:
        self.attributes.update(attributes or {})
        self.is_ended, self.end_ns = True, end_ns


@dataclass
class Sender:
    """Samples whoever sends a traceparent."""

    made: list[Kept] = field(default_factory=list)

    def keep(
        self, name: str, parent: Kept | None, attributes: Attributes, kind: str, start_ns: int | None = None
    ) -> Kept:
        self.made.append(Kept(self, name, parent, dict(attributes), kind, start_ns))
        return self.made[-1]

    def request(self, name: str, traceparent: bytes | None, attributes: Attributes) -> Kept | None:
        return None if traceparent is None else self.keep(name, None, attributes, "server")

    def follow(
        self, traceparent: str, name: str, attributes: Attributes, *, kind: Kind, start_ns: int | None = None
    ) -> Kept:
        return self.keep(name, None, attributes, kind, start_ns)

    def flush(self) -> None:
        """Nothing waits."""


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sender]:
    made = Sender()
    monkeypatch.setattr(spans, "sender", made)
    yield made
    spans.set_current(None)


async def test_a_traced_request_leaves_its_spans_and_a_record_that_names_the_last(
    endpoint: HotPath, memory_log: MemoryLog, sender: Sender
) -> None:
    answer = await post(endpoint, an_event(), headers={"traceparent": PARENT})

    assert answer.status == 202
    request, append = sender.made
    assert (request.name, request.kind, request.is_ended) == ("POST collect-test", "server", True)
    assert request.attributes["http.response.status_code"] == 202
    assert (append.name, append.parent, append.kind) == ("log append", request, "producer")
    assert append.attributes == {"recsite.records": 1, "recsite.spooled": 0}
    [stored] = [one for number in range(memory_log.partitions) for one in memory_log.read_range(number)]
    assert trace_of(stored.value) == append.traceparent
    assert spans.current() is None


async def test_a_request_that_is_not_sampled_leaves_nothing(
    endpoint: HotPath, memory_log: MemoryLog, sender: Sender
) -> None:
    assert (await post(endpoint, an_event())).status == 202
    assert (await call(endpoint, method="OPTIONS", headers={"traceparent": PARENT})).status == 204
    assert (await call(endpoint, method="BREW", headers={"traceparent": PARENT})).status == 405

    assert sender.made == []
    assert len(records_in(memory_log)) == 1


async def test_a_refusal_is_a_span_of_its_status(endpoint: HotPath, sender: Sender) -> None:
    answer = await call(endpoint, b"{", headers={"traceparent": PARENT})

    [request] = sender.made
    assert request.attributes["http.response.status_code"] == answer.status == 400


async def test_pages_of_other_origins_may_send_the_header(endpoint: HotPath) -> None:
    preflight = await call(endpoint, method="OPTIONS", headers={"origin": "https://www.shop.example"})

    assert "traceparent" in (preflight.header("access-control-allow-headers") or "")


def test_steps_follow_each_other_on_the_clock_of_the_epoch(sender: Sender) -> None:
    whole = sender.keep("list", None, {}, "internal")
    now_ns = time.perf_counter_ns()

    spans.add_steps(whole, [("first", now_ns - 30), ("second", now_ns - 10)], end_ns=now_ns)

    first, second = sender.made[1:]
    assert (first.name, second.name) == ("first", "second")
    assert first.start_ns is not None
    assert (first.end_ns, second.end_ns) == (first.start_ns + 20, first.start_ns + 30)
    assert second.start_ns == first.end_ns
    assert abs(first.start_ns - time.time_ns()) < 60 * 10**9


def test_a_thread_works_for_the_span_that_it_was_given(sender: Sender) -> None:
    assert spans.carried(spans.current) is spans.current  # nothing is copied where nothing is traced
    span = sender.keep("request", None, {}, "server")
    spans.set_current(span)
    found: list[object] = []
    work = spans.carried(lambda: found.append(spans.current()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert found == [span]
