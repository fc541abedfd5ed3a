"""What a refusal says: field, value and remedy, for each field of the contract and each kind of bad value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from tests.tracking.contract.mending.test_values import JSON
from tracking.contract.events import KNOWN_EVENTS, RawEnvelope
from tracking.contract.parsing import parse_envelope
from tracking.contract.refusals import MAX_SHOWN, explained, shown
from tracking.contract.schema import json_schema
from tracking.exceptions import InvalidEvent

SCHEMA = json_schema()
DEFINITIONS: dict[str, Any] = SCHEMA["$defs"]
NOW_MS = 1_795_000_000_000
TIDY: dict[str, Any] = {
    "transaction_id": "T1", "items": [{"item_id": "A"}], "search_term": "x", "user_id": "u1",
}  # fmt: skip
WRONG_TYPES = {
    "string": [5, True, ["x"], {"x": 1}], "integer": ["x", 1.5, [1], {}], "number": ["x", True, [1], {}],
    "boolean": ["yes", 1, []], "array": ["x", 5, {"x": 1}], "object": ["x", 5, [1]],
}  # fmt: skip
REMEDIES = {
    "string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "array": "a list", "object": "an object",
}  # fmt: skip


def bad_values(schema: dict[str, Any]) -> Iterator[tuple[Any, list[str]]]:
    """Yield values that a schema does not take, each with what the message has to name."""
    options = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    if len(options) != 1 or "$ref" in options[0]:
        return
    (one,) = options
    if "enum" in one:
        yield "toaster", [f'"{value}"' for value in one["enum"]]
        return
    remedy = REMEDIES[one["type"]]
    for value in WRONG_TYPES[one["type"]]:
        yield value, [remedy]
    if "maxLength" in one:
        yield "x" * (one["maxLength"] + 1), [remedy, str(one["maxLength"])]
    if one.get("minLength"):
        yield "", [remedy, str(one["minLength"])]
    if "pattern" in one:
        yield "?" * one.get("minLength", 3), [remedy, one["pattern"]]
    if "minimum" in one:
        yield one["minimum"] - 1, [remedy, f"{one['minimum']:.15g}"]
    if "maximum" in one:
        yield one["maximum"] + 1, [remedy, f"{one['maximum']:.15g}"]
    if one.get("minItems"):
        yield [], [remedy, str(one["minItems"])]


def cases() -> Iterator[Any]:
    """Yield (definition, path inside what it stands in, bad value, words)."""
    for name, definition in DEFINITIONS.items():
        if name in ("EventRecord", "RawGroup", "AnyEvent", "CustomEvent"):
            continue
        for field, schema in definition.get("properties", {}).items():
            if field in ("event", "events", "records"):
                continue
            for value, words in bad_values(schema):
                yield pytest.param(name, field, value, words, id=f"{name}-{field}-{str(value)[:12]}")


def envelope_with(name: str, field: str, value: Any) -> tuple[dict[str, Any], str]:
    """Return a request that is right but for one field of one definition, and where that field stands."""
    body: dict[str, Any] = {"events": []}
    if name in ("RawEnvelope", "Context"):
        (body if name == "RawEnvelope" else body.setdefault("ctx", {}))[field] = value
        body["events"] = [{"event": "page_view", "event_id": "event-0001", "ts": NOW_MS}]
        return body, field if name == "RawEnvelope" else f"ctx.{field}"
    wanted = "ItemsParams" if name == "EventItem" else name
    tag, kind = next((tag, one) for tag, one in KNOWN_EVENTS.items() if wanted in (one.__name__, _params_of(one)))
    params = {
        key: deepcopy(each) for key, each in TIDY.items() if key in DEFINITIONS[_params_of(kind)].get("required", [])
    }
    event = {"event": tag, "event_id": "event-0001", "ts": NOW_MS, "params": params}
    if name == "EventItem":
        params["items"][0][field] = value
        path = f"params.items[0].{field}"
    else:
        path = f"params.{field}" if name != kind.__name__ else field
        (params if name != kind.__name__ else event)[field] = value
    return {"events": [event]}, f"events[0].{path}"


def _params_of(kind: type[Struct]) -> str:
    return next(str(one.type.__name__) for one in msgspec.structs.fields(kind) if one.name == "params")


@pytest.mark.parametrize(("name", "field", "value", "words"), list(cases()))
def test_a_refusal_names_field_value_and_remedy(name: str, field: str, value: Any, words: list[str]) -> None:
    body, path = envelope_with(name, field, value)

    try:
        (refused,) = parse_envelope(json.dumps(body).encode(), max_events=10).rejected
        at, message = refused.field, refused.message
    except InvalidEvent as error:
        at, message = error.field, error.reason

    assert at == path or (at.startswith(path) and isinstance(value, list))
    assert shown(value) in message or (isinstance(value, list) and shown(value[0]) in message)
    assert "; send " in message
    assert [word for word in words if word not in message] == []


def test_there_is_a_case_for_each_field_that_has_bounds() -> None:
    fields = {(case.values[0], case.values[1]) for case in cases()}
    assert {
        ("PurchaseParams", "transaction_id"),
        ("EventItem", "price"),
        ("Context", "vw"),
        ("RawEnvelope", "v"),
    } <= fields
    assert len(fields) > 60


def test_a_missing_field_says_what_to_send() -> None:
    body: dict[str, Any] = {
        "events": [{"event": "purchase", "event_id": "event-0001", "ts": NOW_MS, "params": {"items": ["x"]}}]
    }
    del body["events"][0]["params"]["items"][0]
    (refused,) = parse_envelope(json.dumps(body).encode(), max_events=10).rejected
    assert refused.field in ("events[0].params.transaction_id", "events[0].params.items")
    assert "send a" in refused.message


class Nested(Struct):
    """A contract with everything that a path can lead through."""

    by_name: dict[str, list[int]] = {}


@pytest.mark.slow
@given(st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_whatever_was_sent_has_words(sent: dict[str, Any]) -> None:
    for kind in (RawEnvelope, Nested):
        path, reason = explained("Expected `int`, got `str` - at `$.by_name[...][0]`", kind, sent)
        assert path == "by_name[...][0]"
        assert "; send " in reason
    assert len(shown(sent)) <= MAX_SHOWN
