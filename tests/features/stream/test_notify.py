"""Announcements name users by site; what is traced stands beside them, where older listeners find nobody."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.core.validators import slug_re

from features.stream.notify import TRACES, traced_users, traces_of
from tests.features.conftest import World
from tests.features.making import event, record, wire
from tests.tracking.traces.test_spans import Sender
from tracking.traces import spans
from tracking.traces.context import with_trace

TRACEPARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
ANNA, BOB = ("shop", "u:anna with a blank"), ("shop", "a:" + "b" * 32)


def test_a_trace_is_found_again_by_its_user_and_only_where_something_changed() -> None:
    lines = traces_of([(ANNA, TRACEPARENT), (BOB, TRACEPARENT)], [ANNA])

    assert traced_users({"shop": [ANNA[1]], TRACES: lines}) == {ANNA: TRACEPARENT}
    assert traced_users({"shop": [ANNA[1]]}) == {}


def test_no_site_has_the_name_under_which_traces_stand() -> None:
    assert re.match(slug_re, TRACES) is None


@pytest.mark.redis
def test_a_worker_follows_the_trace_of_a_record_and_announces_its_own_span(
    worlds: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender()
    monkeypatch.setattr(spans, "sender", sender)
    world = worlds("memory", partitions=1)
    key, value = wire(record(event("view_item", items=["a"]), anonymous_id="b" * 32))
    world.fill([(key, with_trace(value, TRACEPARENT)), wire(record(event("view_item", items=["a"]), user_id="anna"))])

    world.drain()

    [applied] = sender.made
    assert (applied.name, applied.kind, applied.is_ended) == ("apply", "consumer", True)
    assert applied.attributes == {"recsite.site": "shop", "recsite.partition": 0, "recsite.records": 2}
    [changed] = world.changed
    assert set(changed) == {"shop", TRACES}
    assert traced_users(changed) == {BOB: applied.traceparent}


@pytest.mark.redis
def test_without_a_taker_of_spans_a_trace_in_a_record_is_left_alone(worlds: Callable[..., World]) -> None:
    world = worlds("memory", partitions=1)
    key, value = wire(record(event("view_item", items=["a"]), anonymous_id="b" * 32))
    world.fill([(key, with_trace(value, TRACEPARENT))])

    world.drain()

    assert world.ledger() == {"applied": 1}
    assert [set(changed) for changed in world.changed] == [{"shop"}]
