"""Values of a row: taken as shops and Google write them, or refused by their field."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.feed_files.report import FeedReport
from features.feeds.mends import Mends
from features.feeds.values import FIELDS, BadValue, Understanding, item_changes


def changes(**raw: Any) -> dict[str, Any]:
    return item_changes({"item_id": "i1", **raw}, understanding=Understanding(currency="EUR"))


def mended(raw: dict[str, Any], *, decimal: Any = None) -> tuple[dict[str, Any], FeedReport]:
    report = FeedReport()
    found = item_changes(raw, understanding=Understanding(currency="EUR", decimal=decimal), mends=Mends(report, 1))
    return found, report


@pytest.mark.parametrize(
    ("written", "minor", "currency"),
    [
        ("12.99 EUR", 1299, "EUR"), ("EUR 12.99", 1299, "EUR"), ("12.99", 1299, "EUR"), (12.99, 1299, "EUR"),
        (7, 700, "EUR"), ("500 JPY", 500, "JPY"), ("1.250 KWD", 1250, "KWD"), ("0.005 EUR", 0, "EUR"),
    ],
)  # fmt: skip
def test_prices_are_read_as_google_writes_them(written: object, minor: int, currency: str) -> None:
    assert changes(price=written) == {"item_id": "i1", "price_minor": minor, "currency": currency}


@pytest.mark.parametrize("written", ["1,299", "-1", "dear", True, ["1"], "9" * 20, "12.99 or 13.99", "Infinity"])
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
        ("currency", "coins"),
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
    understanding = Understanding(currency="USD")

    found = item_changes(raw, understanding=understanding)

    assert found == {
        "item_id": "SKU", "title": "Mug", "url": "https://shop.example/m", "image_url": "https://shop.example/m.jpg",
        "availability": "in_stock", "price_minor": 1900, "currency": "EUR",
        "category": "Kitchen > Mugs",
        "group_id": "G", "attributes": {"color": "red"}, "titles": {"de": "Becher"},
    }  # fmt: skip
    assert understanding.ignored == {"mystery"}


@pytest.mark.slow
@given(
    st.dictionaries(
        st.text(max_size=20), st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.lists(st.text()))
    )
)
@settings(max_examples=300)
def test_whatever_a_row_holds_it_is_taken_or_refused_with_a_reason(raw: dict[str, Any]) -> None:
    with contextlib.suppress(BadValue):
        assert changes(**raw)["item_id"] == "i1"


@pytest.mark.slow
@given(
    st.dictionaries(
        st.sampled_from([*sorted(FIELDS), "title_de", "price_eur", "image_link", "color"]),
        st.one_of(
            st.none(),
            st.text(),
            st.integers(),
            st.floats(),
            st.booleans(),
            st.lists(st.text()),
            st.dictionaries(st.text(), st.integers() | st.text()),
        ),
    )
)
@settings(max_examples=300)
def test_a_row_of_a_file_is_refused_for_its_id_and_its_price_alone(raw: dict[str, Any]) -> None:
    good = {**raw, "item_id": "i1", "price": 9}
    good = {name: value for name, value in good.items() if name != "price_eur"}

    assert mended(good)[0]["item_id"] == "i1"


@pytest.mark.parametrize(("decimal", "minor"), [(",", 129_900), (".", 130)])
def test_the_decimal_separator_of_a_feed_settles_two_readings(decimal: str, minor: int) -> None:
    found, _ = mended({"item_id": "1", "price": "1.299"}, decimal=decimal)

    assert found["price_minor"] == minor


def test_two_readings_name_the_remedy() -> None:
    with pytest.raises(BadValue, match="--decimal"):
        mended({"item_id": "1", "price": "1.299"})


def test_a_row_keeps_its_price_whatever_else_is_wrong() -> None:
    raw = {
        "item_id": 39910.0, "title": float("nan"), "price": "19,99 €", "availability": "perhaps",
        "image_link": "data:x", "link": "3.jpg", "stock": "many", "tags": [str(n) for n in range(60)],
        "first_seen_at": "yesterday",
        "sale_price": "cheap",
    }  # fmt: skip

    found, report = mended(raw)

    assert (found["item_id"], found["price_minor"], len(found["tags"])) == ("39910", 1999, 50)
    assert found["sale_price_minor"] is None
    assert not found.keys() & {"title", "availability", "image_url", "url", "stock", "first_seen_at"}
    assert {one.field for one in report.mended.values()} >= {"title", "availability", "image_url", "tags", "sale_price"}


def test_a_sale_has_the_period_that_its_row_names_and_else_none() -> None:
    period, _ = mended(
        {"item_id": "1", "price": 9, "sale_price": 7, "sale_price_effective_date": "2026-01-01T00:00+0100/2026-02-01"}
    )
    without, _ = mended({"item_id": "1", "price": 9, "sale_price": 7})
    unreadable, _ = mended({"item_id": "1", "price": 9, "sale_price": 7, "sale_price_effective_date": "in spring"})

    assert period["sale_starts_at"].isoformat() == "2025-12-31T23:00:00+00:00"
    assert period["sale_ends_at"].isoformat() == "2026-02-02T00:00:00+00:00"
    assert (without["sale_price_minor"], without["sale_starts_at"], without["sale_ends_at"]) == (700, None, None)
    assert unreadable["sale_price_minor"] is None


def test_rows_in_another_language_than_the_first_are_translations() -> None:
    understanding = Understanding(currency="EUR")
    rows = [{"item_id": "1", "title": title, "price": 9, "locale": locale} for title, locale in
            [("Mug", "en_US"), ("Becher", "de_DE"), ("Pot", "en_US")]]  # fmt: skip

    found = [item_changes(row, understanding=understanding) for row in rows]

    assert [one.get("title") for one in found] == ["Mug", None, "Pot"]
    assert found[1] == {"item_id": "1", "titles": {"de-DE": "Becher"}}


def test_a_feed_of_translations_changes_titles_alone() -> None:
    found = item_changes(
        {"item_id": "1", "title": "Becher", "price": 99}, understanding=Understanding(currency="EUR", locale="de")
    )

    assert found == {"item_id": "1", "titles": {"de": "Becher"}}


@given(st.integers(1, 500), st.integers(0, 500))
def test_a_sale_costs_something_and_less_than_the_price(price: int, sale: int) -> None:
    found, report = mended({"item_id": "A", "price": price, "sale_price": sale})
    assert found["price_minor"] == price * 100
    assert found["sale_price_minor"] == (sale * 100 if 0 < sale < price else None)
    assert bool(report.mended) == (not 0 < sale < price)


@pytest.mark.parametrize(
    ("written", "item_id"),
    [('="0071"', "0071"), ("'0071", "0071"), ("39910.0", "39910"), ("\u200bA ", "A"), ("Cafe\u0301", "Caf\u00e9")],
)
def test_an_id_is_read_without_the_marks_of_programs(written: str, item_id: str) -> None:
    assert mended({"item_id": written, "price": 1})[0]["item_id"] == item_id


@pytest.mark.parametrize("nothing", ["#N/A", "#REF!", "\\N", "NaN", "null"])
def test_what_says_nothing_sets_nothing(nothing: str) -> None:
    found, _ = mended({"item_id": "A", "price": 1, "title": nothing, "brand": nothing})
    assert found.keys() == {"item_id", "price_minor", "currency"}


def test_objects_of_a_program_are_known_by_their_name_and_address() -> None:
    found, _ = mended(
        {"item_id": "A", "price": {"amount": "5.00", "currency": "USD"}, "brand": {"name": "Bo"},
         "tags": [{"name": "new"}], "categories": [{"name": "Shoes"}, {"name": "Men"}], "images": [{"src": "https://s.example/1.jpg"}]}
    )  # fmt: skip
    assert (found["price_minor"], found["currency"], found["brand"], found["tags"]) == (500, "USD", "Bo", ["new"])
    assert (found["category"], found["image_url"]) == ("Shoes > Men", "https://s.example/1.jpg")
