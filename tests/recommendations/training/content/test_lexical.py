"""Hashed n-grams against a slow and plain reading of the same; what is alike comes out alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.training.content import lexical
from recommendations.training.content.lexical import features_of, fit_lexical
from recommendations.training.content.text import ItemText, normal

WORDS = ("red", "blue", "green", "tea", "light", "holder", "mug", "boot", "lantern", "heart", "wooden", "glass")


def item(title: str, **more: object) -> ItemText:
    return ItemText(item_id=title, unit=title, title=title, **more)  # type: ignore[arg-type]


def counted(title: str) -> dict[tuple[str, int], float]:
    """Count words and n-grams of words with their blanks, as a person would."""
    found: dict[tuple[str, int], float] = {}
    for word in normal(title).split():
        found[word, 1] = found.get((word, 1), 0) + lexical.WORD_WEIGHT
        padded = f" {word} "
        for n in lexical.NGRAMS:
            for start in range(len(padded) - n + 1):
                gram = padded[start : start + n], n
                found[gram] = found.get(gram, 0) + 1
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="abcdé茶 -😀", max_size=25), min_size=1, max_size=6))
def test_features_are_those_of_a_plain_count_whatever_stands_beside_them(titles: list[str]) -> None:
    together = features_of([item(title) for title in titles])

    for number, title in enumerate(titles):
        alone = features_of([item(title)])
        assert (together[number] != alone).nnz == 0
        expected = counted(title)
        assert alone.sum() == pytest.approx(sum(expected.values()))
        assert alone.nnz <= len(expected)
        assert sorted(alone.data)[::-1][:1] >= sorted(expected.values())[::-1][:1]


def test_what_shares_words_or_their_beginnings_is_alike_and_unseen_items_too() -> None:
    chance = np.random.default_rng(3)
    known = [item(" ".join(chance.choice(WORDS, 3, replace=False))) for _ in range(300)]
    encoder = fit_lexical(known, dimensions=16)

    holder, holders, boot = encoder.encode(
        [item("glass tea light holder"), item("Tea-Light HOLDERS, glass"), item("green boot")]
    )

    assert holder @ holders > 0.8 > 0.5 > holder @ boot
    assert np.linalg.norm(holder) == pytest.approx(1.0, abs=1e-5)
    assert not encoder.encode([item("")]).any()


def test_attributes_are_told_apart_by_name_and_value() -> None:
    red, also_red, blue = (
        features_of([item("", attributes=given)])
        for given in ({"colour": "red"}, {"Colour": "RED"}, {"colour": "blue"})
    )

    assert (red != also_red).nnz == 0
    assert red.multiply(blue).nnz == 0


def test_fitting_twice_gives_the_same_and_an_empty_shop_gives_something_that_encodes() -> None:
    known = [item(f"{first} {second}") for first in WORDS for second in WORDS]

    first, again = (fit_lexical(iter(known), dimensions=8) for _ in range(2))

    assert np.array_equal(first.encode(known), again.encode(known))
    assert not fit_lexical([]).encode(known).any()


def test_a_large_shop_is_fitted_on_a_sample_but_all_of_it_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexical, "SAMPLE", 20)
    monkeypatch.setattr(lexical, "CHUNK", 16)
    known = [item(f"mug {number:04d}") for number in range(200)]

    encoder = fit_lexical(known, dimensions=8)

    (mug,) = np.flatnonzero(np.asarray(features_of([item("mug")]).toarray())[0] == np.float32(lexical.WORD_WEIGHT))[:1]
    assert encoder.idf[mug] == pytest.approx(1.0)
    assert encoder.n_dimensions <= 8
