"""Fields of Google Analytics 4 that the types of the SDK name: the server takes each, and drops no event for one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.tracking.web_process import ROOT
from tracking.contract.events import KNOWN_EVENTS
from tracking.contract.parsing import parse_envelope
from tracking.contract.schema import json_schema

TYPES = (ROOT / "sdk/rec.d.ts").read_text()


def named(interface: str) -> dict[str, str]:
    body = re.search(rf"^interface {interface} {{\n(.*?)\n}}", TYPES, re.DOTALL | re.MULTILINE)
    assert body is not None, interface
    return dict(re.findall(r"^  (\w+)\?: (.*);$", body[1], re.MULTILINE))


def sample(kind: str) -> Any:
    return 7 if kind.startswith("number") else "text"


@pytest.mark.parametrize("name", sorted(set(KNOWN_EVENTS) - {"identify"}))
def test_the_server_takes_each_of_them_and_leaves_it_aside(name: str) -> None:
    of_event = {field: sample(kind) for field, kind in named("OfEvent").items()}
    item = {"item_id": "SKU1", **{field: sample(kind) for field, kind in named("OfItem").items()}}
    params = {**of_event, "items": [item], "transaction_id": "T1", "search_term": "boots"}
    event = {"event": name, "event_id": "event-0001", "ts": 1_800_000_000_000, "params": params}

    parsed = parse_envelope(json.dumps({"anonymous_id": "a" * 32, "events": [event]}).encode(), max_events=1)

    assert parsed.rejected == []


def test_no_field_of_the_contract_is_declared_a_second_time() -> None:
    contract = json_schema()["$defs"]["EventItem"]["properties"].keys()

    assert not named("OfItem").keys() & contract
