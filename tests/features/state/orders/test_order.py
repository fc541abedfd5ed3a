"""What is known of an order: the same in whatever order, groups and number reports come; and how it is stored."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.exceptions import UnknownState
from features.money import SiteMoney
from features.state.orders import order as orders
from features.state.orders.order import KEEP_LINES, KEEP_REFUNDS, Order, currency_code, currency_of, join
from features.state.orders.standing import settle, standing
from tests.features.making import MINUTE_MS, NOW_MS
from tests.features.state.orders.test_standing import line, said

SOURCES = st.sampled_from(["browser", "import", "server"])
ITEMS = st.lists(
    st.builds(
        line, st.sampled_from("abcd"), st.sampled_from([None, 0.0, 1.25, 20.0]), st.integers(1, 3)
    ),
    min_size=1,
    max_size=3,
)  # fmt: skip
AMOUNTS = st.sampled_from([None, None, 0.0, 2.5, 20.0, 99.0])
CURRENCIES = st.sampled_from([None, "EUR", "EUR", "USD"])


@st.composite
def reports(draw: Any) -> Order:
    """Return what one purchase, refund or click says."""
    kind = draw(st.sampled_from(["purchase", "purchase", "refund", "click"]))
    at_ms = NOW_MS + MINUTE_MS * draw(st.integers(0, 5))
    if kind == "click":
        return Order(clicks=[(at_ms, draw(st.sampled_from("abcd")), draw(st.sampled_from(["home", "cart"])))])
    params: dict[str, Any] = {"value": draw(AMOUNTS), "currency": draw(CURRENCIES)}
    if kind == "refund":
        params["refund_id"] = draw(st.sampled_from([None, "R1", "R2"]))
    if kind == "purchase" or draw(st.booleans()):
        params["items"] = draw(ITEMS)
        if kind == "purchase" and draw(st.booleans()):
            params["items"][0]["rec_id"] = draw(st.sampled_from(["home", "cart"]))
    return said(kind, draw(SOURCES), at_ms, **{name: value for name, value in params.items() if value is not None})


def known(*several: Order) -> bytes:
    order = Order()
    for one in several:
        join(order, copy.deepcopy(one))
    return orders.encode(order)


@pytest.mark.slow
@given(st.lists(reports(), min_size=1, max_size=8), st.data())
def test_reports_join_in_any_order_any_groups_and_however_often(several: list[Order], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(several), max_size=4))
    shuffled = data.draw(st.permutations([*several, *again]))
    cut = data.draw(st.integers(0, len(shuffled)))
    groups = [orders.decode(known(*shuffled[:cut])), orders.decode(known(*shuffled[cut:]))]

    assert known(*groups) == known(*shuffled) == known(*several)


@pytest.mark.slow
@given(st.lists(reports(), min_size=1, max_size=8))
def test_refunds_never_exceed_the_order_and_a_whole_one_leaves_nothing(several: list[Order]) -> None:
    order = orders.decode(known(*several))
    settle(order, SiteMoney("EUR"))
    before = standing(order, site_currency="EUR")
    assert before.refunded >= 0
    assert before.refunded <= before.value or not before.orders
    assert all(pieces >= 0 and worth >= 0 for pieces, worth in before.lines.values())

    join(order, said("refund"))

    settle(order, SiteMoney("EUR"))
    after = standing(order, site_currency="EUR")
    assert after.value == before.value
    assert after.refunded == (after.value if after.orders else before.refunded)
    assert set(after.lines.values()) <= {(0, 0)}


def test_what_anybody_may_send_stays_bounded() -> None:
    order = Order()
    for number in range(30):
        join(order, said(items=[line(f"{number}-{n}", 1.0) for n in range(40)], value=float(number)))
        join(order, said("refund", items=[line(f"{number}-{n}") for n in range(40)]))
        join(order, said("refund", value=float(number)))

    assert len(order.lines) == KEEP_LINES
    assert len(order.refunds) <= KEEP_REFUNDS
    assert len(orders.encode(order)) < 40 * KEEP_LINES


def test_a_usual_order_is_small() -> None:
    usual = said(items=[line(f"SKU-{n:05}", 19.99, 2) for n in range(3)], value=119.94, currency="EUR")
    assert len(known(usual)) < 150


@pytest.mark.parametrize("currency", [None, "EUR", "JPY", "ZMW", "AED", "XXX"])
def test_a_currency_packs_into_a_number_and_back(currency: str | None) -> None:
    code = currency_code(currency)
    assert currency_of(code) == currency
    assert len(msgspec.msgpack.encode(code)) <= 3


@pytest.mark.parametrize("currency", ["ZZZ", "BTC", "XAU", "XTS"])
def test_what_has_no_minor_unit_is_one_currency(currency: str) -> None:
    assert currency_of(currency_code(currency)) == "XXX"


def test_an_order_of_a_newer_program_is_left_alone() -> None:
    with pytest.raises(UnknownState, match="version 2"):
        orders.decode(b"\x02")
