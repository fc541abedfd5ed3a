"""Traceparents in headers and in records: read as W3C says, and nothing of a sender's is taken for one."""

from __future__ import annotations

import json

import msgspec
import pytest

from tests.features.making import event, record
from tracking.contract.parsing import encode_record, parse_record
from tracking.traces.context import Caller, read_traceparent, trace_of, with_trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{SPAN}-01"


def test_a_traceparent_is_read_and_written_back() -> None:
    assert read_traceparent(SAMPLED.encode()) == Caller(int(TRACE, 16), int(SPAN, 16), True)
    assert Caller(int(TRACE, 16), int(SPAN, 16), True).traceparent == SAMPLED
    unsampled = read_traceparent(f"00-{TRACE}-{SPAN}-02".encode())
    assert unsampled is not None
    assert not unsampled.is_sampled


def test_a_later_version_may_say_more() -> None:
    assert read_traceparent(f"01-{TRACE}-{SPAN}-01-more".encode()) == read_traceparent(SAMPLED.encode())


@pytest.mark.parametrize(
    "value",
    [
        None, b"", b"00", SAMPLED.upper().encode(), f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(), f"ff-{TRACE}-{SPAN}-01".encode(), f"{SAMPLED}-more".encode(),
        f"00-{TRACE}-{SPAN}-1".encode(), b"\xff" * 55, f"{SAMPLED}\n{SAMPLED}".encode(),
    ],
)  # fmt: skip
def test_what_is_none_is_taken_for_none(value: bytes | None) -> None:
    assert read_traceparent(value) is None


def test_a_record_carries_a_trace_and_is_the_same_record_to_all_that_read_it() -> None:
    plain = encode_record(record(event("view_item", items=["a"])))
    carried = with_trace(plain, SAMPLED)

    assert trace_of(plain) == ""
    assert trace_of(carried) == SAMPLED
    assert json.loads(carried) == {**json.loads(plain), "trace": SAMPLED}
    assert parse_record(carried) == parse_record(plain)


def test_no_text_of_a_sender_is_taken_for_a_trace() -> None:
    text = f'x","trace":"{SAMPLED}"}}'
    for name in (text, f',"trace":"{SAMPLED}', SAMPLED):
        said = encode_record(record(event("view_item", items=[name[:128]]), anonymous_id="a" * 32))
        assert trace_of(said) == ""
    assert trace_of(msgspec.json.encode({"trace": "y" * 55})) == ""
    assert trace_of(b"") == ""
