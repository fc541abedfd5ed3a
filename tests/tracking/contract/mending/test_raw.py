from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tracking.contract.events import MAX_EVENT_BYTES, CustomEvent, Purchase, ViewItemList
from tracking.contract.mending.event import Useless
from tracking.contract.mending.raw import is_foreign, mend_raw

BASE = {"event_id": "event-0001", "ts": 1_795_000_000_000}


def raw(name: str, params: Any) -> bytes:
    return msgspec.json.encode({**BASE, "event": name, "params": params})


def test_a_long_list_with_many_words_is_kept_without_its_words() -> None:
    wordy = [
        {"item_id": f"SKU-{n}", "item_name": "Waterproof jacket " * 12, "price": 9.5, "index": n} for n in range(150)
    ]

    result = mend_raw(raw("view_item_list", {"item_list_id": "all", "items": wordy}), prefix="events[0]")

    assert isinstance(result.event, ViewItemList)
    assert len(result.event.params.items) == 150
    assert (result.event.params.items[7].item_id, result.event.params.items[7].index) == ("SKU-7", 7)
    assert [(mend.path, mend.done) for mend in result.mends] == [("events[0].params.items", "cut")]
    assert len(msgspec.json.encode(result.event)) <= MAX_EVENT_BYTES


def test_numbers_that_are_none_are_nothing() -> None:
    data = raw("purchase", {"transaction_id": "T1", "value": 1, "items": [{"item_id": "A"}]})

    result = mend_raw(data.replace(b'"value":1', b'"value":NaN'), prefix="")

    assert isinstance(result.event, Purchase)
    assert result.event.params.value is None


def test_control_characters_go_out_of_the_shops_own_events() -> None:
    result = mend_raw(raw("sized_up", {"a\x00": ["b\x00c"]}), prefix="")

    assert isinstance(result.event, CustomEvent)
    assert result.event.params == {"a": ["bc"]}


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"7", raw("own", {"a": "x" * MAX_EVENT_BYTES}), b'{"a":' * 60 + b"1" + b"}" * 60]
)
def test_what_has_no_reading_is_useless(data: bytes) -> None:
    with pytest.raises(Useless):
        mend_raw(data, prefix="")


@pytest.mark.parametrize(
    ("name", "params", "foreign"),
    [("view_search_results", {}, True), ("eec", {"ecommerce": {}}, True), ("eec", {}, False)],
)
def test_what_other_systems_say_is_told_from_the_shops_own_events(name: str, params: Any, foreign: bool) -> None:
    assert is_foreign(CustomEvent(event=name, event_id="event-0001", occurred_at_ms=1, params=params)) is foreign
