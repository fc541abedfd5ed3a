"""Names of columns: whoever writes them, and what they are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.feed_files.dialects.languages import language_of
from features.feed_files.names import normalised
from features.feeds.names import ALIASES, looks_like_price, meaning_of


@given(st.sampled_from(sorted(ALIASES)), st.sampled_from(["g:{}", " {} ", "{}", "\ufeff{}", "*{}"]), st.booleans())
def test_prefix_case_and_blanks_do_not_matter(name: str, form: str, is_title: bool) -> None:
    written = form.format(name.replace("_", " ").title() if is_title else name.replace("_", "-"))

    assert meaning_of(written) == meaning_of(name)


@given(st.text(max_size=30))
def test_a_normalised_name_stays_as_it_is(name: str) -> None:
    assert normalised(normalised(name)) == normalised(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("title_de", ("title", "de", "")), ("name-de_DE", ("title", "de-DE", "")), ("title[fr]", ("title", "fr", "")),
        ("title:pt-BR", ("title", "pt-BR", "")), ("name_id", ("name_id", "", "")), ("title_tag", ("title_tag", "", "")),
        ("price_eur", ("price", "", "EUR")), ("Price (USD)", ("price", "", "USD")),
        ("price_old", ("price_old", "", "")),
    ],
)  # fmt: skip
def test_languages_and_currencies_are_read_from_names(name: str, expected: tuple[str, str, str]) -> None:
    assert tuple(meaning_of(name)) == expected


@pytest.mark.parametrize(
    "name", ["Preis", "VK Preis", "Verkaufspreis", "Prix TTC", "precio", "Цена", "price_old", "Pris", "cena"]
)
def test_what_looks_like_the_price(name: str) -> None:
    assert looks_like_price(name)


@pytest.mark.parametrize(
    "name",
    [
        "unit_pricing_measure",
        "unit_price",
        "price_per_kg",
        "Grundpreis",
        "shipping_price",
        "price_type",
        "title",
        "discount",
    ],
)
def test_what_is_no_price(name: str) -> None:
    assert not looks_like_price(name)


@pytest.mark.parametrize(
    ("written", "language"),
    [
        ("de_DE", "de-DE"),
        ("german", "de"),
        ("DE", "de"),
        ("fr_store", "fr"),
        ("de-at-shop", "de-AT"),
        ("outlet", ""),
        ("default", ""),
    ],
)
def test_languages_are_known_by_what_systems_call_them(written: str, language: str) -> None:
    assert language_of(written) == language
