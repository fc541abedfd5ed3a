"""Every spelling of availability has a meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.feeds.availability import availability_of


@pytest.mark.parametrize(
    ("meaning", "words"),
    [
        ("in_stock", "in stock|In_Stock|INSTOCK|https://schema.org/InStock|http://schema.org/LimitedAvailability/|"
         "OnlineOnly|true|1|yes|Auf Lager|sofort lieferbar|limited stock|En stock|disponible|op voorraad|skladem|"
         "na stanie|\u0412 наличии|i lager|12|Only 3 left|Ships in 2 days|Lieferbar in 3 Tagen"),
        ("out_of_stock", "out of stock|OutOfStock|sold-out|schema.org/SoldOut|discontinued|0|no|false|"
         "temporarily out of stock|nicht auf Lager|ausverkauft|Rupture de stock|agotado|esaurito|uitverkocht|"
         "Нет в наличии|currently unavailable|Reserved|InStoreOnly|not available online"),
        ("preorder", "preorder|pre-order|PreOrder|PreSale|Vorbestellbar|precommande|coming soon"),
        ("backorder", "backorder|BackOrder|back-order|available for order|MadeToOrder|onbackorder|sur commande|"
         "под заказ"),
    ],
)  # fmt: skip
def test_a_spelling_has_a_meaning(meaning: str, words: str) -> None:
    words = words.replace("|precommande", "|précommande")

    assert {word: availability_of(word) for word in words.split("|")} == dict.fromkeys(words.split("|"), meaning)


def test_what_is_no_text_has_one_too() -> None:
    assert [availability_of(value) for value in (True, False, 3, 0, float("nan"))] == [
        "in_stock", "out_of_stock", "in_stock", "out_of_stock", None,
    ]  # fmt: skip


@given(st.sampled_from(["in stock", "out of stock", "preorder", "backorder"]), st.data())
def test_case_blanks_and_marks_do_not_matter(word: str, data: st.DataObject) -> None:
    joined = data.draw(st.sampled_from([" ", "_", "-", "  "])).join(word.split())
    written = "".join(data.draw(st.sampled_from([one.lower(), one.upper()])) for one in joined)

    assert availability_of(f" {written.title() if data.draw(st.booleans()) else joined} ") == word.replace(" ", "_")


def test_a_word_without_a_meaning_has_none() -> None:
    assert availability_of("perhaps") is None
