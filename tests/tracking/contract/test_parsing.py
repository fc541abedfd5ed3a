"""Bytes to events and back: every event of the contract survives, and no body, however mangled, does any harm."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import random
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.tracking.asgi_client import call
from tests.tracking.conftest import PUBLISHABLE, SECRET, an_event
from tracking.contract.events import KNOWN_EVENTS, MAX_EVENT_BYTES, SCHEMA_VERSION, CustomEvent, EventRecord
from tracking.contract.parsing import encode_record, parse_envelope, parse_event, parse_record
from tracking.contract.placeholders import PLACEHOLDER_ORDERS
from tracking.exceptions import FutureSchema, InvalidEvent


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Return values that the contract's type allows, as JSON would carry them."""
    if isinstance(kind, msgspec.inspect.StrType):
        if kind.pattern:
            return st.from_regex(kind.pattern, fullmatch=True).filter(
                lambda text: (kind.min_length or 0) <= len(text) <= (kind.max_length or 10_000)
            )
        alphabet = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
        return st.text(alphabet, min_size=kind.min_length or 0, max_size=min(kind.max_length or 40, 40))
    if isinstance(kind, msgspec.inspect.IntType):
        return st.integers(kind.ge if kind.ge is not None else -(2**53), kind.le if kind.le is not None else 2**53)
    if isinstance(kind, msgspec.inspect.FloatType):
        return st.floats(kind.ge, kind.le, allow_nan=False, allow_infinity=False)
    if isinstance(kind, msgspec.inspect.BoolType):
        return st.booleans()
    if isinstance(kind, msgspec.inspect.NoneType):
        return st.none()
    if isinstance(kind, msgspec.inspect.LiteralType):
        return st.sampled_from(kind.values)
    if isinstance(kind, msgspec.inspect.UnionType):
        return st.one_of([values(one) for one in kind.types])
    if isinstance(kind, msgspec.inspect.VarTupleType):
        return st.lists(values(kind.item_type), min_size=kind.min_length or 0, max_size=3)
    if isinstance(kind, msgspec.inspect.DictType):
        return st.dictionaries(values(kind.key_type), values(kind.value_type), max_size=3)
    if isinstance(kind, msgspec.inspect.AnyType):
        return st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**53), 2**53)
            | st.text(max_size=10).filter(lambda t: "\0" not in t),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=5,
        )
    assert isinstance(kind, msgspec.inspect.StructType), f"{kind} has no strategy yet"
    return structs(kind.cls)


def structs(cls: type) -> st.SearchStrategy[dict[str, Any]]:
    info = msgspec.inspect.type_info(cls)
    assert isinstance(info, msgspec.inspect.StructType)
    required = {one.encode_name: values(one.type) for one in info.fields if one.required}
    for name in {"item_id", "transaction_id"} & required.keys():
        required[name] = required[name].filter(lambda text: text.strip().lower() not in PLACEHOLDER_ORDERS)
    optional = {one.encode_name: values(one.type) for one in info.fields if not one.required}
    if info.tag_field:
        required[info.tag_field] = st.just(info.tag)
    return st.fixed_dictionaries(required, optional=optional)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KNOWN_EVENTS))
def test_every_event_survives_json_and_back(name: str) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
    @given(structs(KNOWN_EVENTS[name]))
    def survives(fields: dict[str, Any]) -> None:
        event = parse_event(json.dumps(fields).encode())
        assert isinstance(event, KNOWN_EVENTS[name])
        record = EventRecord(v=SCHEMA_VERSION, site="shop", received_at_ms=1, anonymous_id="a" * 32, events=(event,))
        again = parse_record(encode_record(record))
        assert again == record
        sent, kept = dict(fields), msgspec.to_builtins(again.events[0])
        for name_of, value in kept.items():
            if name_of != "params":
                assert sent[name_of] == value

    survives()


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(structs(CustomEvent))
def test_custom_events_survive_json_and_back(fields: dict[str, Any]) -> None:
    try:
        event = parse_event(json.dumps(fields).encode())
    except InvalidEvent:
        assume(False)
    assert msgspec.json.decode(msgspec.json.encode(event), type=type(event)) == event


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"event_id": "short"}, "events[0].event_id", "length"),
        ({"ts": -1}, "events[0].ts", ">= 0"),
        ({"ts": "now"}, "events[0].ts", "int"),
        ({"ts": 1e400}, "body", "JSON"),
        ({"params": {"items": []}}, "events[0].params.items", "length"),
        ({"params": {"items": [{"item_id": "x"}] * 201}}, "events[0].params.items", "length"),
        ({"params": {"items": [{}]}}, "events[0].params.items[0].item_id", "required"),
        ({"params": {"items": [{"item_id": "a\0b"}]}}, "events[0].params.items[0].item_id", "U+0000"),
        ({"params": {"items": [{"item_id": "x", "price": -1}]}}, "events[0].params.items[0].price", ">= 0"),
        ({"params": {"items": [{"item_id": "x"}], "currency": "euro"}}, "events[0].params.currency", "regex"),
        ({"event": "Add To Cart"}, "events[0].event", ""),
        ({"event": "add_to_crt"}, "events[0].event", "add_to_cart"),
        ({"event": "own", "params": {"x": "y" * MAX_EVENT_BYTES}}, "events[0]", "bytes"),
    ],
)
def test_a_refusal_names_the_field_and_the_reason(change: dict[str, Any], field: str, reason: str) -> None:
    body = json.dumps({"events": [an_event(**change)]}).encode()
    if field == "body":
        with pytest.raises(InvalidEvent, match=reason):
            parse_envelope(body.replace(b"Infinity", b"NaN"), max_events=10)
        return
    [rejected] = parse_envelope(body, max_events=10).rejected
    assert rejected.field == field
    assert reason in rejected.message


def test_unknown_fields_of_our_major_version_pass() -> None:
    envelope = {"v": "1.99", "new": 1, "events": [an_event(new=[2])]}
    assert parse_envelope(json.dumps(envelope).encode(), max_events=10).rejected == []


@pytest.mark.parametrize("version", ["2.0", "11.3"])
def test_a_higher_major_version_is_told_apart_even_when_its_shape_is_new(version: str) -> None:
    for envelope in ({"v": version, "events": [an_event()]}, {"v": version, "events": {"shape": "new"}}):
        with pytest.raises(FutureSchema):
            parse_envelope(json.dumps(envelope).encode(), max_events=10)


def mutated(body: bytes, dice: random.Random) -> bytes:
    """Return ``body`` with something wrong."""
    data = bytearray(body)
    match dice.randrange(8):
        case 0:
            for _ in range(dice.randint(1, 20)):
                data[dice.randrange(len(data))] = dice.randrange(256)
        case 1:
            del data[dice.randrange(len(data)) :]
        case 2:
            at = dice.randrange(len(data))
            data[at:at] = dice.choice(
                [b"\xff", b"\0", b"\\u0000", b"\\ud800", b"NaN", b"1e999", b"[" * 500, b'{"a":' * 300]
            )
        case 3:
            tree = json.loads(body)
            node = tree
            while isinstance(node, (dict, list)) and node:
                name = dice.choice(list(node) if isinstance(node, dict) else range(len(node)))
                if dice.random() < 0.4 or not isinstance(node[name], (dict, list)):
                    node[name] = dice.choice([None, -1, 1e308, "", "x" * 5000, [], {}, [[]], True, {"a": [1]}])
                    break
                node = node[name]
            data = bytearray(json.dumps(tree).encode())
        case 4:
            data = bytearray(gzip.compress(bytes(data)))
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        case 5:
            data = bytearray(dice.randbytes(dice.randrange(2_000)))
        case 6:
            start, end = sorted(dice.randrange(len(data)) for _ in range(2))
            data[start:end] = data[start:end] * dice.randint(0, 4)
        case _:
            data = bytearray(bytes(data).replace(b":", dice.choice([b"", b",", b"::"]), dice.randint(1, 3)))
    return bytes(data)


@pytest.mark.slow
async def test_ten_thousand_mangled_bodies_do_no_harm(endpoint, caplog) -> None:
    dice = random.Random(20_231)
    good = json.dumps(
        {
            "key": PUBLISHABLE, "anonymous_id": "a" * 32, "sent_at": 1_700_000_000_000, "ctx": {"lang": "en"},
            "events": [an_event(), an_event("page_view"), an_event("own_event", params={"a": {"b": [1, 2]}})],
        }
    ).encode()  # fmt: skip
    statuses: dict[int, int] = {}
    grown: list[int] = []
    tracemalloc.start()
    try:
        for number in range(10_000):
            key = dice.choice([PUBLISHABLE, PUBLISHABLE, SECRET])
            answer = await call(endpoint, mutated(good, dice), headers={"x-api-key": key})
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            if answer.status >= 400:
                assert {"error", "message", "field"} <= answer.json.keys()
            if number in (4_999, 9_999):
                await asyncio.sleep(0)  # sleep: the loop, which forgets the timers of answered requests
                gc.collect()  # a stream worker of another test may have made the collector lazy
                grown.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert set(statuses) <= {202, 400, 413}, statuses
    assert statuses[202] > 500, statuses
    assert statuses[400] > 3_000, statuses
    assert "Traceback" not in caplog.text
    assert grown[1] - grown[0] < 3_000_000 + 600 * statuses[202], grown  # what the log in memory keeps is its own


@pytest.mark.parametrize("untidy", [{}, {"ts": 1_795_000_000_000.0}, {"event_id": "x"}, {"params": None}, {"url": 7}])
@pytest.mark.parametrize("name", ["view_itm", "add_to_crt", "purchse", "view_items"])
def test_a_mistyped_name_is_refused_however_untidy_the_event_is_otherwise(name: str, untidy: dict[str, Any]) -> None:
    """Else it would pass for an event of the shop's own, and move nothing without a word."""
    event = {"event": name, "event_id": "event-0001", "ts": 1_795_000_000_000, "params": {}, **untidy}
    body = json.dumps({"anonymous_id": "a" * 32, "events": [event]}).encode()

    found = parse_envelope(body, max_events=1, is_strict=False)

    assert [(one.error, "did you mean" in one.message) for one in found.rejected] == [("unknown_event", True)]
