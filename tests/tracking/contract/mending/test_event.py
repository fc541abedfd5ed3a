from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracking.contract.mending.test_values import JSON
from tracking.contract.events import KNOWN_EVENTS, MAX_ITEMS, Event, EventRecord
from tracking.contract.mending.amounts import NOTHING
from tracking.contract.mending.event import FIELDS, Useless, mend_event
from tracking.contract.parsing import encode_record, parse_record

A = {"item_id": "A"}
BASE = {"event_id": "event-0001", "ts": 1_795_000_000_000}


def mended(name: str, params: Any, **base: Any) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """Return the event as JSON and what was done to which field."""
    result = mend_event({**BASE, **base, "event": name, "params": params})
    return msgspec.json.decode(msgspec.json.encode(result.event)), {(mend.field, mend.done) for mend in result.mends}


def items(name: str, params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = mended(name, params)[0]["params"]["items"]
    return found


@pytest.mark.parametrize(
    "item",
    [
        {"item_id": "7"}, {"id": "7"}, {"id": 7}, {"sku": "7"}, {"productId": 7.0}, {"item_name": "7"},
        {"name": "7"}, {"ID": "7"}, {"item_id": "", "id": "7"}, {"item_id": "7", "id": "8", "sku": "9"}, "7", 7,
    ],
)  # fmt: skip
def test_an_item_is_known_by_each_of_its_usual_names(item: Any) -> None:
    assert items("view_item", {"items": [item]})[0]["item_id"] == "7"


@pytest.mark.parametrize(
    "written",
    [
        [{"item_id": "A"}, {"item_id": "B"}],
        {"1": {"item_id": "A"}, "3": {"item_id": "B"}},
        [None, {"item_id": "A"}, None, {"item_id": "B"}],
        [[{"item_id": "A"}, {"item_id": "B"}]],
        [[{"item_id": "A"}], [{"item_id": "B"}]],
        {"A": {"price": 5}, "B": {"price": 6}},
        [{"product": {"id": "A"}, "quantity": 2}, {"item": {"sku": "B"}}],
        '[{"item_id": "A"}, {"item_id": "B"}]',
        ["A", "B"],
    ],
)
def test_items_in_other_shapes_are_items(written: Any) -> None:
    assert [item["item_id"] for item in items("view_cart", {"items": written})] == ["A", "B"]


def test_one_item_as_an_object_is_a_list_of_one() -> None:
    assert items("view_item", {"items": {"item_id": "A", "price": 40}}) == [{"item_id": "A", "price": 40.0}]
    assert items("view_item", {"item_id": "A", "price": 40}) == [{"item_id": "A", "price": 40.0}]


def test_more_items_than_the_contract_takes_are_cut_and_their_money_is_kept() -> None:
    lines = [{"item_id": f"S{number}", "price": 1} for number in range(MAX_ITEMS + 50)]

    event, done = mended("purchase", {"transaction_id": "T1", "items": lines})

    assert len(event["params"]["items"]) == MAX_ITEMS
    assert event["params"]["value"] == MAX_ITEMS + 50
    assert {("items", "cut"), ("value", "computed")} <= done


@pytest.mark.parametrize(
    ("lines", "money", "sold"),
    [
        ([{"item_id": "A", "price": 8, "quantity": 1.5}], 12, [("A", 12.0, 1)]),
        ([{"item_id": "A", "price": "8,00", "quantity": "0,25"}], 2, [("A", 2.0, 1)]),
        ([{**A, "price": 12, "quantity": "1.0000"}, {"item_id": "G", "price": 0, "quantity": 0}], 12, [("A", 12.0, 1)]),
        ([{"item_id": "A", "price": 10, "quantity": 2}, {"item_id": "SALE", "price": -3}], 17, [("A", 10.0, 2)]),
        ([{**A, "price": 10, "quantity": 2}, {**A, "price": 10, "quantity": -1}], 10, [("A", 10.0, 2)]),
    ],
)  # fmt: skip
def test_an_order_keeps_its_money_whatever_its_lines_are(
    lines: list[dict[str, Any]], money: float, sold: list[tuple[str, float, int]]
) -> None:
    params = mended("purchase", {"transaction_id": "T1", "items": lines})[0]["params"]

    total = params.get("value", sum(line["price"] * line.get("quantity", 1) for line in params["items"]))
    assert total == money
    assert [(line["item_id"], line["price"], line.get("quantity", 1)) for line in params["items"]] == sold


@pytest.mark.parametrize(
    ("push", "name", "expected"),
    [
        (
            ("seen", {"ecommerce": {"currencyCode": "EUR", "detail": {"products": [{"id": "A", "price": "9.00"}]}}}),
            "view_item",
            {"currency": "EUR", "items": [{"item_id": "A", "price": 9.0}]},
        ),
        (
            ("orderDone", {"purchase": {"actionField": {"id": "T9", "revenue": "9.00"}, "products": [{"id": "A"}]}}),
            "purchase",
            {"transaction_id": "T9", "value": 9.0, "items": [{"item_id": "A"}]},
        ),
        (
            ("x", {"ecommerce": {"impressions": [{"id": "A", "position": 3}]}}),
            "view_item_list",
            {"items": [{"item_id": "A", "index": 3}]},
        ),
        (("view_item", {"view_item": {"items": [{"item_id": "A"}]}}), "view_item", {"items": [{"item_id": "A"}]}),
        (("view_search_results", {"search_term": "boots"}), "search", {"search_term": "boots"}),
        (("refund", {"transaction_id": "T9", "value": "-5,00"}), "refund", {"transaction_id": "T9", "value": 5.0}),
    ],
)  # fmt: skip
def test_other_generations_of_analytics_are_read(push: tuple[str, Any], name: str, expected: dict[str, Any]) -> None:
    event, _ = mended(*push)

    assert (event["event"], event["params"]) == (name, expected)


def test_a_currency_is_read_in_any_case_and_taken_from_items_that_agree() -> None:
    lower, _ = mended("purchase", {"transaction_id": "T1", "currency": "eur", "items": [{"item_id": "A"}]})
    of_items, _ = mended("purchase", {"transaction_id": 1, "items": [{"item_id": "A", "currency": "usd"}]})

    assert [lower["params"]["currency"], of_items["params"]["currency"]] == ["EUR", "USD"]


@pytest.mark.parametrize("written", ["euros!", "bitcoin", "Gold coins", "EURX", "€uro/EUR"])
def test_a_currency_that_is_none_is_not_taken_for_a_missing_one(written: str) -> None:
    event, done = mended("purchase", {"transaction_id": "T1", "currency": written, "items": [{"item_id": "A"}]})
    assert event["params"]["currency"] == "XXX"  # its amounts stand apart and are never added to the site's
    assert ("currency", "reread") in done


@pytest.mark.parametrize("written", ["", "undefined", "null", "NaN", "(not set)", "-", 0, 978, [], {}, "$", "kr", "??"])
def test_a_currency_that_says_nothing_is_missing(written: object) -> None:
    event, _ = mended("purchase", {"transaction_id": "T1", "currency": written, "items": [{"item_id": "A"}]})
    assert "currency" not in event["params"]


def test_a_category_that_is_a_path_fills_the_levels() -> None:
    path = " > ".join(
        ["Home and garden", "Kitchen and dining", "Tableware", "Drinkware", "Mugs", "Stoneware", "B" * 40]
    )

    (long,), (listed,) = (
        items("view_item", {"items": [{"item_id": "A", "item_category": written}]})
        for written in (path, ["Shoes", "Boots"])
    )

    assert [long[f"item_category{n}"] for n in ("", 2, 3)] == ["Home and garden", "Kitchen and dining", "Tableware"]
    assert [listed["item_category"], listed["item_category2"]] == ["Shoes", "Boots"]


def test_an_event_without_an_id_gets_the_same_one_whenever_it_is_sent_again() -> None:
    first, again, other = (
        mend_event({"ts": BASE["ts"] + extra, "event": "page_view", "params": {}}).event.event_id for extra in (0, 0, 1)
    )

    assert first == again != other


@pytest.mark.parametrize(
    ("event", "field", "reason"),
    [
        ({**BASE, "event": "purchase", "params": {"items": [A]}}, "params.transaction_id", "required"),
        ({**BASE, "event": "refund", "params": {"transaction_id": ""}}, "params.transaction_id", "required"),
        ({**BASE, "event": "view_item", "params": {"items": [{"price": 1}]}}, "params.items", "no item"),
        ({**BASE, "event": "view_item", "params": None}, "params.items", "required"),
        ({"event": "page_view", "event_id": "event-0001"}, "ts", "milliseconds"),
        ({**BASE, "event": "page_view", "ts": "soon"}, "ts", "milliseconds"),
        (dict(BASE), "event", "missing"),
        ({**BASE, "event": "Sale!", "params": {}}, "event", "regex"),
    ],
)  # fmt: skip
def test_what_lacks_identity_is_useless_and_says_why(event: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(Useless, match=reason) as raised:
        mend_event(event)

    assert raised.value.field == field


def test_every_mend_says_path_value_and_remedy() -> None:
    result = mend_event(
        {**BASE, "event": "view_item", "params": {"items": [{"item_id": "A", "price": "1,299"}]}}, prefix="events[3]"
    )

    (mend,) = result.mends
    assert (mend.path, mend.value, mend.done, mend.became) == (
        "events[3].params.items[0].price",
        '"1,299"',
        "dropped",
        None,
    )
    assert "1299.00 or 1.299" in mend.remedy


@pytest.mark.slow
@given(st.fixed_dictionaries({}, optional={"items": JSON, "value": JSON}))
def test_a_refund_that_names_a_part_is_never_of_everything(params: dict[str, Any]) -> None:
    try:
        event, _ = mended("refund", {"transaction_id": "T1", **params})
    except Useless:
        return
    says = [value for value in params.values() if value not in (None, "", [], {}) and value == value]
    says = [value for value in says if not isinstance(value, str) or value.strip().lower() not in ("", *NOTHING)]
    assert not says or event["params"].keys() & {"items", "value"}


@pytest.mark.parametrize(
    "part",
    [
        {"items": [{"item_id": "A", "price": -20}]}, {"items": [{"item_id": "A", "price": "-20,00", "quantity": "-1"}]},
        {"items": ["A"], "value": "-20.00"}, {"products": [{"id": "A", "price": 20}]},
    ],
)  # fmt: skip
def test_what_a_refund_gives_back_may_be_written_below_zero(part: dict[str, Any]) -> None:
    params = mended("refund", {"transaction_id": "T1", **part})[0]["params"]
    assert params.get("value", params["items"][0].get("price")) == 20.0
    assert params["items"][0]["item_id"] == "A"


CODES = st.sampled_from(["EUR", "USD", "JPY", "KWD", "CHF"])


@pytest.mark.slow
@given(CODES, CODES, st.integers(1, 999), st.booleans())
def test_an_amount_never_appears_under_another_currency(said: str, event: str, amount: int, is_before: bool) -> None:
    written = f"{said} {amount}" if is_before else f"{amount}{said}"
    order = {"transaction_id": "T1", "items": [{"item_id": "A", "price": written}], "value": written}

    alone, beside = (mended("purchase", {**order, **more})[0]["params"] for more in ({}, {"currency": event}))

    assert (alone["currency"], alone["value"], alone["items"][0]["price"]) == (said, amount, amount)
    assert beside["currency"] == event
    assert ("value" in beside, "price" in beside["items"][0]) == (said == event, said == event)


@pytest.mark.parametrize(
    ("event", "params"),
    [
        ({"items": ["A"], "value": 5}, None),
        ({}, {"data": {"items": ["A"], "value": 5}}),
        ({}, {"eventModel": {"items": ["A"], "value": 5}}),
        ({}, {"content_ids": ["A"], "value": {"amount": "5.00", "currencyCode": "EUR"}}),
        ({}, {"lineItems": [{"sku": "A"}], "orderTotal": "5,00"}),
        ({}, {"items": ["A"], "value": ["&euro;5.00"]}),
        ({}, {"items": [{"id": {"id": "A"}}], "value": "<b>5,00</b> € incl. VAT"}),
    ],
)
def test_fields_are_found_wherever_a_shop_puts_them(event: dict[str, Any], params: Any) -> None:
    told = {**BASE, **event, "event": "view_item"} | ({} if params is None else {"params": params})
    found = msgspec.json.decode(msgspec.json.encode(mend_event(told).event))["params"]
    assert (found["items"][0]["item_id"], found["value"]) == ("A", 5.0)


@pytest.mark.parametrize("written", ["2 pcs", "2x", "x 2", "2 Stk.", "2,0", "\u0662"])
def test_pieces_are_counted_however_they_are_written(written: str) -> None:
    (line,) = items("add_to_cart", {"items": [{"item_id": "A", "quantity": written}]})
    assert line["quantity"] == 2


TIDY = {
    "purchase": {"transaction_id": "T1", "currency": "EUR", "value": 30.5, "items": [{**A, "price": 9.5}]},
    "view_item_list": {"item_list_id": "home", "items": [{"item_id": "A", "index": 0, "rec_id": "r"}]},
    "refund": {"transaction_id": "T1", "value": 5.0},
    "identify": {"user_id": "u1", "traits": {"city": "Ulm"}},
    "search": {"search_term": "boots", "results": 3},
    "page_view": {"page_title": "Home"},
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(TIDY))
def test_a_tidy_event_is_left_as_it_is(name: str) -> None:
    event = {**BASE, "event": name, "session_id": "s", "url": "https://shop.example/", "params": TIDY[name]}

    result = mend_event(copy.deepcopy(event))

    assert result.mends == ()
    assert result.event == msgspec.convert(event, Event)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(sorted(KNOWN_EVENTS)),
    st.dictionaries(
        st.sampled_from(["items", "value", "currency", "transaction_id", "search_term", "user_id", "traits", "x"]), JSON
    ),
    st.dictionaries(st.sampled_from(["event_id", "session_id", "url", "session_number", "page_view_id"]), JSON),
)  # fmt: skip
def test_any_event_is_mended_or_useless_and_what_is_mended_can_be_logged(
    name: str, params: dict[str, Any], base: dict[str, Any]
) -> None:
    try:
        result = mend_event({"ts": BASE["ts"], **base, "event": name, "params": params})
    except Useless:
        return
    record = EventRecord(v="1.0", site="s", received_at_ms=1, anonymous_id="a" * 16, events=(result.event,))  # type: ignore[arg-type]
    assert parse_record(encode_record(record)) == record


def test_mends_are_counted_under_names_of_the_contract_alone() -> None:
    result = mend_event(
        {**BASE, "event": "View-Item", "params": {"items": [{"I d": "A", "price": "?"}], "traits": 1, "ecommerce": {}}}
    )

    assert {mend.field for mend in result.mends} == {"event", "params", "item_id", "price"}
    assert {mend.field for mend in result.mends} <= FIELDS
