"""Values of a row: taken as shops and Google write them, or refused by their field."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.feeds.values import BadValue, item_changes


def changes(**raw: Any) -> dict[str, Any]:
    return item_changes({"item_id": "i1", **raw}, currency="EUR")


@pytest.mark.parametrize(
    ("written", "minor", "currency"),
    [
        ("12.99 EUR", 1299, "EUR"), ("EUR 12.99", 1299, "EUR"), ("12.99", 1299, "EUR"), (12.99, 1299, "EUR"),
        (7, 700, "EUR"), ("500 JPY", 500, "JPY"), ("1.250 KWD", 1250, "KWD"), ("0.005 EUR", 0, "EUR"),
    ],
)  # fmt: skip
def test_prices_are_read_as_google_writes_them(written: object, minor: int, currency: str) -> None:
    assert changes(price=written) == {"item_id": "i1", "price_minor": minor, "currency": currency}


@pytest.mark.parametrize("written", ["12,99", "1,299.00 EUR", "-1", "free", "NaN", "1e3", True, ["1"], "9" * 20])
def test_a_price_is_never_guessed(written: object) -> None:
    with pytest.raises(BadValue) as refused:
        changes(price=written)
    assert refused.value.field == "price"


def test_prices_in_two_currencies_are_refused() -> None:
    with pytest.raises(BadValue, match="is not in EUR"):
        changes(price="12 EUR", sale_price="9 USD")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "javascript:alert(1)"), ("url", "//evil.example/x"), ("image_url", "data:image/png;base64,AAAA"),
        ("availability", "maybe"), ("stock", "3.5"), ("stock", "many"), ("title", "x" * 501), ("title", "a\x00b"),
        ("attributes", "[1]"), ("attributes", "{"), ("is_active", "perhaps"), ("tags", [str(n) for n in range(51)]),
        ("first_seen_at", "yesterday"), ("titles", {"not a locale": "x"}), ("title", "a\ud800b"),
        ("titles", {"de": "\x00"}), ("attributes", {"a": float("nan")}), ("attributes", {"\udfff": 1}),
        ("currency", "Euro"),
    ],
)  # fmt: skip
def test_bad_values_name_their_field(field: str, value: object) -> None:
    with pytest.raises(BadValue) as refused:
        changes(**{field: value})
    assert refused.value.field == field


def test_googles_names_become_ours() -> None:
    raw = {
        "g:id": "SKU", "g:title": "Mug", "link": "https://shop.example/m", "g:image_link": "https://shop.example/m.jpg",
        "g:availability": "in stock", "g:price": "19.00 EUR", "g:product_type": "Kitchen > Mugs",
        "g:item_group_id": "G",
        "g:google_product_category": "Home & Garden > Kitchen", "g:color": "red", "title_de": "Becher",
        "g:mystery": "?",
    }  # fmt: skip
    ignored: set[str] = set()

    found = item_changes(raw, currency="USD", ignored=ignored)

    assert found == {
        "item_id": "SKU", "title": "Mug", "url": "https://shop.example/m", "image_url": "https://shop.example/m.jpg",
        "availability": "in_stock", "price_minor": 1900, "currency": "EUR",
        "category": "Kitchen > Mugs",
        "group_id": "G", "attributes": {"color": "red"}, "titles": {"de": "Becher"},
    }  # fmt: skip
    assert ignored == {"mystery"}


@pytest.mark.slow
@pytest.mark.slow
@given(
    st.dictionaries(
        st.text(max_size=20), st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.lists(st.text()))
    )
)
@settings(max_examples=300)
def test_whatever_a_row_holds_it_is_taken_or_refused_with_a_reason(raw: dict[str, Any]) -> None:
    with contextlib.suppress(BadValue):
        assert item_changes({**raw, "item_id": "i1"}, currency="EUR")["item_id"] == "i1"
