"""Money in several currencies: what orders said is what was converted and what stands apart, to the minor unit."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.definitions import DAY_MS
from features.money import Quote, Rates, SiteMoney, times, to_minor
from features.state import attribution, windows
from features.state.purchases import hash64
from tests.features.making import NOW_MS, States, event, record

TODAY = NOW_MS // DAY_MS
RATES = [
    Quote(TODAY, "USD", "EUR", Decimal("0.8625")), Quote(TODAY, "EUR", "JPY", Decimal("180.42")),
    Quote(TODAY, "KWD", "EUR", Decimal("2.8137")),
]  # fmt: skip
CURRENCIES = (None, "EUR", "USD", "JPY", "KWD", "BTC")


def site_money(n_rates: int, currency: str = "EUR") -> SiteMoney:
    return SiteMoney(currency, Rates(RATES[:n_rates]))


def bought(order: str, currency: str | None, value: float, *, at_ms: int = NOW_MS, **more: Any) -> dict[str, Any]:
    params = {"transaction_id": order, "value": value, "items": [{"item_id": "a", "price": value}], **more}
    return event("purchase", at_ms=at_ms, **params, **({} if currency is None else {"currency": currency}))


def refunded(order: str, currency: str | None, value: float) -> dict[str, Any]:
    return event(
        "refund",
        at_ms=NOW_MS,
        transaction_id=order,
        value=value,
        **({} if currency is None else {"currency": currency}),
    )


def sold(states: States) -> Counter[str]:
    """Return the revenue of items, and that of placements by currency."""
    found: Counter[str] = Counter()
    for effect in states.effects.items:
        if effect.metric == windows.PURCHASES:
            found["items"] += effect.revenue
    for one in states.effects.placements:
        if one.metric == attribution.REVENUE:
            found[attribution.currency_of(one.label) or "placements"] += one.amount
    return found


def test_yen_never_stand_as_euros() -> None:
    states = States().apply(record(bought("t1", "JPY", 6_000.0), bought("t2", "EUR", 12.5)))
    profile = states.profile
    assert (profile.orders, profile.revenue, profile.apart) == (2, 1_250, {"JPY": [1, 6_000, 0]})
    assert sum(revenue for _, revenue in profile.days.values()) == 1_250
    assert sold(states) == {"items": 1_250}


def test_yen_are_converted_at_the_rate_of_the_day() -> None:
    states = States()
    states.money_of = lambda site: site_money(3)
    states.apply(record(bought("t1", "JPY", 6_000.0)))
    assert (states.profile.revenue, states.profile.apart) == (3_326, {})  # 6,000 / 180.42 = 33.2557
    assert sold(states) == {"items": 3_326}


@pytest.mark.parametrize(
    ("site", "currency", "value", "revenue"),
    [
        ("JPY", None, 6_000.0, 6_000),
        ("JPY", "JPY", 6_000.0, 6_000),
        ("KWD", None, 1.25, 1_250),
        ("EUR", None, 1.25, 125),
    ],
)
def test_a_site_counts_in_the_minor_units_of_its_currency(
    site: str, currency: str | None, value: float, revenue: int
) -> None:
    states = States()
    states.money_of = lambda _: SiteMoney(site)
    states.apply(record(bought("t1", currency, value)))
    assert (states.profile.revenue, states.profile.apart) == (revenue, {})


def test_a_refund_without_a_currency_is_in_that_of_its_order() -> None:
    states = States().apply(record(bought("t1", "JPY", 6_000.0), refunded("t1", None, 1_500.0)))
    assert states.profile.apart == {"JPY": [1, 6_000, 1_500]}


def test_a_whole_refund_leaves_nothing_whatever_became_of_the_rates() -> None:
    states = States()
    states.money_of = lambda site: site_money(1)
    states.apply(record(bought("t1", "USD", 19.99)))
    states.money_of = lambda site: SiteMoney("EUR", Rates([Quote(TODAY, "USD", "EUR", Decimal("0.5"))]))
    states.apply(record(event("refund", at_ms=NOW_MS, transaction_id="t1")))
    assert states.profile.revenue == states.profile.refunded == 1_000
    assert sold(states) == {"items": 0}
    assert states.profile.days[TODAY][1] == 0


def test_attributed_revenue_stands_apart_under_its_list() -> None:
    click = event("select_item", at_ms=NOW_MS - 5, item_list_id="home", items=["a"])
    states = States().apply(record(click, bought("t1", "JPY", 6_000.0)))
    assert sold(states) == {"items": 0, "JPY": 6_000}
    labels = {one.label for one in states.effects.placements if one.metric == attribution.ORDERS}
    assert labels == {"home|||"}
    states.money_of = lambda site: site_money(3)
    states.apply(record(bought("t1", "JPY", 6_000.0)))  # heard of again, with a rate
    assert sold(states) == {"items": 3_326, "JPY": 0, "placements": 3_326}
    assert states.profile.apart == {}


REPORTS = st.tuples(
    st.sampled_from(["t1", "t2", "t3", "t4"]),
    st.sampled_from(["purchase", "purchase", "refund"]),
    st.sampled_from([0.5, 1.005, 19.99, 100.0]),
    st.integers(0, 3),  # how many rates are known by then
    st.booleans(),  # whether it is sent twice
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(REPORTS, max_size=12), st.lists(st.sampled_from(CURRENCIES), min_size=4, max_size=4))
def test_money_is_conserved_by_currency(
    reports: list[tuple[str, str, float, int, bool]], currencies: list[str | None]
) -> None:
    """Each order has one currency and one value; refunds give parts of it back; rates come and go between reports."""
    states = States()
    values = dict(zip(("t1", "t2", "t3", "t4"), (19.99, 1.005, 6_000.0, 0.125), strict=True))
    currency_of = dict(zip(values, currencies, strict=True))
    placed: set[str] = set()
    back: dict[str, set[int]] = {order: set() for order in values}
    factors: dict[str, float] = {}
    for order, kind, amount, n_rates, is_twice in reports:
        money, currency = site_money(n_rates), currency_of[order]
        states.money_of = lambda site, money=money: money
        one = bought(order, currency, values[order]) if kind == "purchase" else refunded(order, currency, amount)
        for _ in range(1 + is_twice):
            states.apply(record(one))
        if kind == "purchase":
            placed.add(order)
        else:
            back[order].add(to_minor(amount, currency or "EUR"))
        if order in placed:
            factors[order] = money.factor(currency if currency != "BTC" else "XXX", NOW_MS) or 0.0

    profile, accepted, converted, apart = states.profile, Counter(), Counter(), {}
    revenue = given_back = 0
    for order in placed:
        currency = currency_of[order] or "EUR"
        value = to_minor(values[order], currency)
        refunds = min(value, sum(back[order]))
        accepted[currency] += value - refunds
        if factors[order]:
            converted[currency] += value - refunds
            revenue += times(value, factors[order])
            given_back += times(refunds, factors[order])
        else:
            sums = apart.setdefault("XXX" if currency == "BTC" else currency, [0, 0, 0])
            for index, number in enumerate((1, value, refunds)):
                sums[index] += number
    assert sum(sums[1] for sums in profile.days.values()) == revenue - given_back
    for order in back.keys() - placed:  # of an order that nobody reported, as the refunds say
        currency, refunds = currency_of[order] or "EUR", sum(back[order])
        if currency == "EUR":
            given_back += refunds
        elif refunds:
            apart.setdefault("XXX" if currency == "BTC" else currency, [0, 0, 0])[2] += refunds
            accepted[currency] -= refunds
    assert (profile.orders, profile.revenue, profile.refunded) == (len(placed), revenue, given_back)
    assert profile.apart == apart
    for currency in accepted:
        _, value, refunds = profile.apart.get("XXX" if currency == "BTC" else currency, (0, 0, 0))
        assert accepted[currency] == converted[currency] + value - refunds
    assert all(states.orders.get(hash64(order)) for order in placed)


def test_a_replay_by_the_same_table_counts_the_same() -> None:
    reports = [bought("t1", "USD", 19.99), bought("t2", "JPY", 6_000.0), refunded("t1", "USD", 5.0)]
    streamed, replayed = States(), States()
    for one in (streamed, replayed):
        one.money_of = lambda site: site_money(3)
    for report in reports:
        streamed.apply(record(report))
    replayed.apply(*(record(report) for report in reversed(reports)))
    assert streamed.orders == replayed.orders
    for name in ("revenue", "refunded", "days", "apart"):
        assert getattr(streamed.profile, name) == getattr(replayed.profile, name)
