"""Items as cards: prices, titles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue.items import NEVER, paid_minor, price_until_us
from features.models import Item
from tests.features.catalogue.making import row, snapshot


def test_card_shows_prices_in_the_main_unit_of_their_currency() -> None:
    catalogue = snapshot(
        row(1, price_minor=1_299, sale_price_minor=999),
        row(2, price_minor=1_299, currency="JPY"),
        row(3, price_minor=None),
    )

    first, second, third = (catalogue.card(f"i{number}") for number in (1, 2, 3))
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.price, first.sale_price) == (12.99, 9.99)
    assert (second.price, second.sale_price) == (1_299.0, None)
    assert third.price is None
    np.testing.assert_allclose(catalogue.price, [9.99, 1_299, np.nan], rtol=1e-6)
    assert catalogue.is_on_sale.tolist() == [True, False, False]
    assert catalogue.price.dtype == np.float32


def test_title_is_given_in_the_language_asked_for() -> None:
    catalogue = snapshot(row(1, titles={"de": "Becher", "fr-CA": "Tasse"}))

    def title(locale: str | None) -> str:
        card = catalogue.card("i1", locale=locale)
        assert card is not None
        return card.title

    assert [title(locale) for locale in ("de-AT", "fr-CA", "es", None)] == ["Becher", "Tasse", "Item 1", "Item 1"]


def test_a_sale_counts_from_its_beginning_until_its_end() -> None:
    item = row(1, price_minor=1_000, sale_price_minor=700, sale_starts_us=10, sale_ends_us=20)

    paid = {at_us: paid_minor(item, at_us=at_us) for at_us in (9, 10, 19, 20)}

    assert paid == {9: 1_000, 10: 700, 19: 700, 20: 1_000}


@given(st.none() | st.integers(0, 20), st.none() | st.integers(0, 20), st.integers(-2, 22), st.integers(0, 24))
def test_until_its_time_a_price_stays_as_it_is(starts: int | None, ends: int | None, at_us: int, later: int) -> None:
    item = row(1, price_minor=1_000, sale_price_minor=700, sale_starts_us=starts, sale_ends_us=ends)

    until = price_until_us(item, at_us=at_us)

    assert until > at_us
    if at_us + later < until:
        assert paid_minor(item, at_us=at_us + later) == paid_minor(item, at_us=at_us)
    assert until != NEVER or paid_minor(item, at_us=NEVER - 1) == paid_minor(item, at_us=at_us)


@given(st.none() | st.integers(0, 20), st.none() | st.integers(0, 20), st.integers(-2, 22))
def test_the_database_and_the_memory_say_the_same_price(starts: int | None, ends: int | None, at_s: int) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    period = [None if second is None else epoch + timedelta(seconds=second) for second in (starts, ends)]
    stored = Item(price_minor=1_000, sale_price_minor=700, sale_starts_at=period[0], sale_ends_at=period[1])
    read = row(
        1,
        price_minor=1_000,
        sale_price_minor=700,
        sale_starts_us=None if starts is None else starts * 1_000_000,
        sale_ends_us=None if ends is None else ends * 1_000_000,
    )

    assert stored.paid_minor(at=epoch + timedelta(seconds=at_s)) == paid_minor(read, at_us=at_s * 1_000_000)
