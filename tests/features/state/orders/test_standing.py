"""What an order counts for: its value once, its refunds within it, its lines as far as they are known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.money import SiteMoney
from features.state.orders.order import Order, join
from features.state.orders.reports import purchase_report, refund_report
from features.state.orders.standing import Standing, settle, standing
from tests.features.making import NOW_MS, event, record
from tracking.contract.events import Purchase, Refund


def heard(*reports: dict[str, Any]) -> Standing:
    """Return what an order counts for after these reports; ``source`` is of the record, ``kind`` of the event."""
    order = Order()
    for one in reports:
        join(order, said(**one))
    settle(order, SiteMoney("EUR"))
    return standing(order, site_currency="EUR")


def said(kind: str = "purchase", source: str = "browser", at_ms: int = NOW_MS, **params: Any) -> Order:
    (sent,) = record(event(kind, at_ms=at_ms, transaction_id="T", **params)).events
    if isinstance(sent, Refund):
        return refund_report(sent, source=source, site_currency="EUR")
    assert isinstance(sent, Purchase)
    return purchase_report(sent, source=source, label_of=lambda rec_id: rec_id, site_currency="EUR")


def line(item_id: str, price: float | None = None, quantity: int = 1) -> dict[str, Any]:
    return {"item_id": item_id, "quantity": quantity, **({} if price is None else {"price": price})}


A, B = line("a", 60.0), line("b", 20.0, 2)
BOTH = {"items": [A, B], "value": 95.0}


def test_a_report_again_counts_once() -> None:
    once = heard(BOTH)
    assert (once.orders, once.units, once.value) == (1, 3, 9_500)
    assert heard(BOTH, {**BOTH, "at_ms": NOW_MS + 60_000}, {**BOTH, "source": "server"}) == once


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [
        ({"items": [A], "value": 60.0}, {"items": [B], "value": 40.0}, 10_000),  # parts with their own values
        ({"items": [A], "value": 95.0}, {"items": [B], "value": 95.0}, 10_000),  # both of the whole: not doubled
        ({"items": [A], "value": 60.0}, BOTH, 9_500),  # the whole order completes a part
        ({"items": [line("a"), line("b", None, 2)]}, BOTH, 9_500),  # amounts that were missing
        ({"items": [A, B]}, {"items": [line("a"), line("b", None, 2)], "value": 95.0}, 9_500),
        (BOTH, {**BOTH, "value": 99.0}, 9_900),  # of the same source: the greater
        ({**BOTH, "value": 99.0}, {**BOTH, "source": "server"}, 9_500),  # the shop's server counts first
        ({**BOTH, "source": "import"}, {**BOTH, "value": 99.0}, 9_500),
        ({"items": [A], "source": "server", "value": 1.0}, BOTH, 9_500),  # of a part, it does not say what all is worth
    ],
)
def test_a_later_report_completes(first: dict[str, Any], second: dict[str, Any], value: int) -> None:
    assert heard(first, second).value == heard(second, first).value == value


def test_pieces_of_one_item_add_up_within_a_report_and_not_between_reports() -> None:
    report = {"items": [line("a", 10.0), line("a", 8.0, 2)]}
    assert heard(report, report).lines == {"a": (3, 2_600)}


def test_the_pieces_of_one_report_are_worth_what_another_says() -> None:
    order = heard({"items": [line("a", None, 3)], "source": "server"}, {"items": [line("a", 10.0, 1)]})
    assert (order.lines, order.value) == ({"a": (3, 3_000)}, 3_000)


@pytest.mark.parametrize(
    ("refunds", "refunded", "lines"),
    [
        ([{}], 9_500, {"a": (0, 0), "b": (0, 0)}),
        ([{}, {}], 9_500, {"a": (0, 0), "b": (0, 0)}),
        ([{"items": [line("b")]}], 2_000, {"a": (1, 6_000), "b": (1, 2_000)}),  # worth its share of the line
        ([{"items": [line("b", 20.0)]}], 2_000, {"a": (1, 6_000), "b": (1, 2_000)}),
        ([{"items": [line("b")]}, {"items": [line("b")]}], 2_000, {"a": (1, 6_000), "b": (1, 2_000)}),  # the same again
        ([{"items": [line("b", None, 9)]}], 4_000, {"a": (1, 6_000), "b": (0, 0)}),
        ([{"items": [line("b")], "value": 15.0}], 1_500, {"a": (1, 6_000), "b": (1, 2_500)}),
        ([{"items": [line("b")]}, {"value": 20.0}], 2_000, {"a": (1, 6_000), "b": (1, 2_000)}),  # in fewer words
        ([{"value": 10.0}], 1_000, {"a": (1, 5_400), "b": (2, 3_600)}),  # shared by the lines
        ([{"value": 10.0}, {"value": 20.0}], 3_000, {"a": (1, 4_200), "b": (2, 2_800)}),
        ([{"value": 5_000.0}], 9_500, {"a": (1, 0), "b": (2, 0)}),  # never more than the order
        ([{"items": [line("b")], "refund_id": n} for n in ("R1", "R2")], 4_000, {"a": (1, 6_000), "b": (0, 0)}),
        ([{"items": [line("b")], "refund_id": n} for n in ("R1", "R1")], 2_000, {"a": (1, 6_000), "b": (1, 2_000)}),
        (
            [{"items": [line("b")], "refund_id": "R1"}, {"items": [line("b")]}],
            2_000,
            {"a": (1, 6_000), "b": (1, 2_000)},
        ),
        ([{"value": 10.0, "refund_id": n} for n in ("R1", "R2")], 2_000, {"a": (1, 4_800), "b": (2, 3_200)}),
        ([{"value": 10.0, "refund_id": "R1"}, {"value": 10.0}], 1_000, {"a": (1, 5_400), "b": (2, 3_600)}),
        ([{"items": [line("other", 7.0)]}], 700, {"a": (1, 5_580), "b": (2, 3_720)}),
        ([{"items": [A]}, {}], 9_500, {"a": (0, 0), "b": (0, 0)}),
    ],
)
def test_refunds_lower_what_is_left(
    refunds: list[dict[str, Any]], refunded: int, lines: dict[str, tuple[int, int]]
) -> None:
    reports = [BOTH, *({"kind": "refund", **one} for one in refunds)]

    after = heard(*reports)

    assert after == heard(*reversed(reports))
    assert (after.value, after.units, after.refunded, after.lines) == (9_500, 3, refunded, lines)


def test_a_refund_of_an_order_that_nobody_reported_counts_as_it_says_until_somebody_does() -> None:
    assert heard({"kind": "refund", "value": 10.0}) == Standing(refunds=1, refunded=1_000)
    assert heard({"kind": "refund", "value": 10.0, "currency": "JPY"}) == Standing(refunds=1, refunded=10, apart="JPY")
    assert heard({"kind": "refund", "items": [A]}, {"kind": "refund"}).refunds == 2
    assert heard({"kind": "refund", "value": 999.0}, BOTH).refunded == 9_500


def test_an_amount_of_another_currency_is_none() -> None:
    page = {"items": [A, B], "currency": "EUR"}
    server = {"items": [line("a", 66.0), line("b", 22.0, 2)], "value": 110.0, "currency": "USD", "source": "server"}
    order = heard(page, server, {"kind": "refund", "value": 10.0, "currency": "EUR"})
    assert (order.apart, order.value, order.lines) == ("USD", 11_000, {"a": (1, 6_600), "b": (2, 4_400)})


def test_what_the_purchase_names_has_the_credit_else_the_last_click() -> None:
    order = said(items=[{**A, "rec_id": "home"}, B])
    join(order, Order(clicks=[(NOW_MS - 5, "a", "cart"), (NOW_MS - 9, "b", "cart"), (NOW_MS - 7, "b", "list")]))
    join(order, Order(clicks=[(NOW_MS + 1, "b", "after")]))
    assert standing(order, site_currency="EUR").labels == {"a": "home", "b": "list"}


@given(
    pieces=st.tuples(st.integers(1, 100_000), st.integers(1, 100_000)),
    prices=st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)),
    value=st.none() | st.floats(0, 1e9),
    is_first=st.booleans(),
)
def test_whoever_guesses_an_orders_id_changes_nothing_of_what_the_shops_server_says_of_it(
    pieces: tuple[int, int], prices: tuple[float, float], value: float | None, is_first: bool
) -> None:
    """As ``docs/threat-model.md`` says: from a page, first or later; what it adds are items that the server lacks."""
    true = {**BOTH, "source": "server"}
    names = zip("ab", prices, pieces, strict=True)
    guessed = {"items": [line(*one) for one in names], **({} if value is None else {"value": value})}
    more = {"items": [line("pushed", 1.0)]}

    assert heard(*((guessed, true) if is_first else (true, guessed))) == heard(true)
    with_more = heard(more, true)
    assert (with_more.lines["a"][0], with_more.lines["b"][0]) == (1, 2)
    assert with_more.units == heard(true).units + 1
