"""The client refuses what the server would refuse, in the same words, and nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recsite_client import InvalidEvent
from recsite_client.validation import check_event

from tests.tracking.conftest import an_event
from tracking.contract.events import KNOWN_EVENTS, MAX_EVENT_BYTES
from tracking.contract.parsing import parse_event
from tracking.exceptions import InvalidEvent as RefusedByServer

PARAMS = {"items": [{"item_id": "SKU1"}], "transaction_id": "T1", "search_term": "boots", "user_id": "42"}
EXAMPLES: dict[str, dict[str, Any]] = {name: an_event(name, params=PARAMS) for name in KNOWN_EVENTS}


def deep(levels: int) -> msgspec.Raw:
    return msgspec.Raw(b'{"a":' * levels + b"1" + b"}" * levels)


def said_by_server(event: bytes) -> tuple[str, str, str] | None:
    try:
        parse_event(event)
    except RefusedByServer as error:
        return error.field, error.reason, error.code
    return None


def said_by_client(event: bytes) -> tuple[str, str, str] | None:
    try:
        check_event(event)
    except InvalidEvent as error:
        return error.field, error.reason, error.code
    return None


@pytest.mark.parametrize("name", sorted(KNOWN_EVENTS))
def test_every_kind_of_event_passes_both(name: str) -> None:
    event = msgspec.json.encode(EXAMPLES[name])

    assert said_by_client(event) is said_by_server(event) is None


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (an_event("view_item", params={}), "invalid_event"),
        (an_event("view_item", params={"items": []}), "invalid_event"),
        (an_event("view_item", params={"items": [{"item_id": ""}]}), "invalid_event"),
        (an_event("view_item", params={"items": [{"item_id": "a", "price": -1}]}), "invalid_event"),
        (an_event("view_item", event_id="short"), "invalid_event"),
        (an_event("view_item", ts=1.5), "invalid_event"),
        (an_event("purchase", params={"items": [{"item_id": "a"}]}), "invalid_event"),
        (an_event("view_itm"), "unknown_event"),
        (an_event("Not A Name"), "invalid_event"),
        (an_event("wheel_spun", params=deep(40)), "invalid_event"),
        (an_event("wheel_spun", params=deep(2_000)), "too_deep"),
        (an_event("wheel_spun", params={"a": ["b", {"c": "d\0"}]}), "invalid_character"),
        (an_event("wheel_spun", params={"a": "b" * MAX_EVENT_BYTES}), "event_too_large"),
        ({"event": "view_item"}, "invalid_event"),
        ({}, "invalid_event"),
    ],
)
def test_a_mistake_is_named_as_the_server_would_name_it(event: dict[str, Any], code: str) -> None:
    body = msgspec.json.encode(event)

    told = said_by_client(body)

    assert told is not None
    assert told[2] == code
    assert told == said_by_server(body)


texts = st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from([*KNOWN_EVENTS, "wheel_spun", "view_itm", ""]),
    field=st.sampled_from(["params", "event_id", "ts", "url", "session_id", "params.items", "params.value"]),
    value=values,
)
def test_no_change_of_an_event_is_judged_differently(name: str, field: str, value: Any) -> None:
    event = {**EXAMPLES.get(name, an_event("wheel_spun")), "event": name}
    if field.startswith("params."):
        event["params"] = {**event["params"], field.removeprefix("params."): value}
    else:
        event[field] = value
    body = msgspec.json.encode(event)

    assert said_by_client(body) == said_by_server(body)
