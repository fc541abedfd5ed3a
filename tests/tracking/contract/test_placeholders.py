"""What shops send where they have no user id is nobody's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from tracking.contract import parsing, placeholders
from tracking.contract.parsing import ParsedEnvelope, parse_envelope
from tracking.contract.placeholders import (
    PLACEHOLDER_IDS,
    PLACEHOLDER_ORDERS,
    PLACEHOLDER_USER_IDS,
    are_ids_tidy,
    is_placeholder,
    untidy_id,
)


class Line(Struct):
    item_id: str


class Order(Struct):
    transaction_id: str | None
    items: list[Line]


class Items(Struct):
    items: list[Line]


class Bought(Struct):
    params: Order


class Viewed(Struct):
    params: Items


class Seen(Struct):
    pass


@pytest.mark.parametrize("user_id", sorted(PLACEHOLDER_USER_IDS))
@pytest.mark.parametrize("form", ["{}", " {} ", '"{}"', "'{}'"])
def test_a_placeholder_is_nobody_in_any_spelling(user_id: str, form: str) -> None:
    assert is_placeholder(form.format(user_id.upper()))


@pytest.mark.parametrize("user_id", ["42", "10", "nullable", "guest-7", "anna"])
def test_an_id_is_somebody(user_id: str) -> None:
    assert not is_placeholder(user_id)


def parsed(name: str, params: Any, *, is_strict: bool = False) -> ParsedEnvelope:
    event = {"event": name, "event_id": "event-0001", "ts": 1_795_000_000_000, "params": params}
    body = json.dumps({"anonymous_id": "a" * 32, "events": [event]}).encode()
    return parse_envelope(body, max_events=1, is_strict=is_strict)


def spelled(words: frozenset[str]) -> st.SearchStrategy[str]:
    """Return placeholders in any case, with space around them."""
    form = st.sampled_from([str, str.upper, str.title])
    space = st.sampled_from(["", " ", "\t", "\u00a0"])
    return st.builds(
        lambda word, form, before, after: before + form(word) + after,
        st.sampled_from(sorted(words)),
        form,
        space,
        space,
    )


@given(order=spelled(PLACEHOLDER_ORDERS), name=st.sampled_from(["purchase", "refund"]), is_strict=st.booleans())
def test_an_order_without_an_id_of_its_own_is_refused(order: str, name: str, is_strict: bool) -> None:
    found = parsed(name, {"transaction_id": order, "items": [{"item_id": "A"}]}, is_strict=is_strict)

    assert [one.field for one in found.rejected] == ["events[0].params.transaction_id"]
    assert "stands for no id" in found.rejected[0].message or not order.strip()


@pytest.mark.slow
@given(item_id=spelled(PLACEHOLDER_IDS))
def test_an_item_without_an_id_of_its_own_is_left_out_and_the_others_stay(item_id: str) -> None:
    lines = [{"item_id": item_id, "price": 1}, {"item_id": "A", "price": 2}]

    found = parsed("view_item", {"items": lines})
    event: Any = found.groups[0].good[0][1]

    assert [item.item_id for item in event.params.items] == ["A"]
    assert any(mend.path.startswith("events[0].params.items[0]") for mend in found.mends)
    assert parsed("view_item", {"items": lines[:1]}).rejected
    assert parsed("view_item", {"items": lines}, is_strict=True).rejected


@pytest.mark.parametrize("item_id", [" A", "A\n", "\tA "])
def test_space_around_an_id_is_not_part_of_it(item_id: str) -> None:
    found = parsed("purchase", {"transaction_id": f" {item_id}1", "items": [{"item_id": item_id}]})
    event: Any = found.groups[0].good[0][1]

    assert (event.params.transaction_id, event.params.items[0].item_id) == (f" {item_id}1".strip(), "A")
    assert len(found.mends) == 2


@pytest.mark.parametrize("item_id", ["0", "id", "guest", "user", "nullable", "none-1", "A B"])
def test_odd_ids_of_items_are_ids(item_id: str) -> None:
    assert not parsed("view_item", {"items": [{"item_id": item_id}]}).mends


ids = st.text(max_size=12) | spelled(PLACEHOLDER_ORDERS) | st.sampled_from(["A", " A", "42"])


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from(["viewed", "bought", "seen"]), ids, st.lists(ids, max_size=3))))
def test_events_have_tidy_ids_where_each_of_them_has(told: list[tuple[str, str, list[str]]]) -> None:
    events: list[Any] = []
    for name, order, item_ids in told:
        items = [Line(item_id=one) for one in item_ids]
        if name == "viewed":
            events.append(Viewed(Items(items)))
        elif name == "bought":
            events.append(Bought(Order(order or None, items)))
        else:
            events.append(Seen())

    assert are_ids_tidy(events) is all(untidy_id(event) is None for event in events)


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["view_item", "purchase", "page_view", "identify", "wheel_spun"]),
            ids,
            st.lists(ids, max_size=3),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_the_quick_reading_of_a_request_is_that_of_each_event(told: list[tuple[str, str, list[str]]]) -> None:
    """What is decoded as a whole list, and what is decoded and mended one by one, is the same to whoever sent it."""
    events = [
        {
            "event": name,
            "event_id": f"event-{number:04}",
            "ts": 1_795_000_000_000,
            "params": {}
            if name in ("page_view", "identify")
            else {"transaction_id": order, "items": [{"item_id": one} for one in item_ids]},
        }
        for number, (name, order, item_ids) in enumerate(told)
    ]
    body = json.dumps({"anonymous_id": "a" * 32, "events": events}).encode()

    quick = parse_envelope(body, max_events=5, is_strict=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "_parse_at_once", lambda raws: None)
        whole = parse_envelope(body, max_events=5, is_strict=False)

    assert quick == whole


def test_of_endless_ids_a_bounded_number_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placeholders, "MAX_REMEMBERED", 100)
    placeholders._tidy_items.clear()

    assert all(are_ids_tidy([Viewed(Items([Line(item_id=f"sku-{number}")]))]) for number in range(1_000))
    assert not are_ids_tidy([Viewed(Items([Line(item_id="undefined")]))])
    assert 0 < len(placeholders._tidy_items) <= 100
