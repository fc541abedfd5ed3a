"""Items as cards: prices, titles."""

from __future__ import annotations

import numpy as np

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
