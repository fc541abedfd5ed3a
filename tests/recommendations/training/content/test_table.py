"""A table is made of what changed alone, and is the same as one that is made from nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.training.content.table import MadeTable, make_table
from recommendations.training.content.text import ItemText
from recommendations.training.fitted import FloatArray


class Letters:
    """Counts letters, and which items it was asked about."""

    name = "letters"
    n_dimensions = 26

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, items: list[ItemText]) -> FloatArray:
        self.asked += [item.item_id for item in items]
        counts = np.zeros((len(items), 26), np.float32)
        for row, item in enumerate(items):
            for letter in item.title.lower():
                if "a" <= letter <= "z":
                    counts[row, ord(letter) - ord("a")] += 1
        lengths = np.linalg.norm(counts, axis=1, keepdims=True)
        return counts / np.where(lengths > 0, lengths, 1)


def made(titles: dict[str, str], encoder: Letters, previous: MadeTable | None = None) -> MadeTable:
    items = [
        ItemText(item_id=item_id, unit=item_id.partition("-")[0], title=title)
        for item_id, title in sorted(titles.items())
    ]
    return make_table(lambda: items, version="v", previous=previous, encoder=encoder)


SHOPS = st.dictionaries(
    st.sampled_from([f"{product}-{size}" for product in range(8) for size in "sml"]),
    st.text(alphabet="abc", max_size=4),
    max_size=16,
)


@settings(max_examples=50, deadline=None)
@given(SHOPS, SHOPS)
def test_a_table_from_the_one_before_equals_one_from_nothing(before: dict[str, str], after: dict[str, str]) -> None:
    encoder = Letters()
    old = made(before, encoder)
    encoder.asked.clear()

    new, fresh = made(after, encoder, old), made(after, Letters())

    assert np.array_equal(new.table.vectors, fresh.table.vectors)
    assert np.array_equal(new.table.neighbours, fresh.table.neighbours)
    assert new.table.load_ids() == fresh.table.load_ids() == tuple(sorted(after))
    # What is asked for is the first of each product whose text no product had before.
    firsts = {item_id.partition("-")[0]: item_id for item_id in sorted(after, reverse=True)}
    known = {before[min(i for i in before if i.startswith(f"{p}-"))] for p in {i.partition("-")[0] for i in before}}
    assert sorted(encoder.asked) == sorted(item_id for item_id in firsts.values() if after[item_id] not in known)
    assert new.encoded == len(encoder.asked)


def test_variants_share_a_unit_and_are_no_neighbours_of_each_other() -> None:
    table = made({"a-1": "abc", "a-2": "xyz", "b-1": "abd"}, Letters()).table

    assert table.unit_of_item.tolist() == [0, 0, 1]
    assert table.neighbours[0, :2].tolist() == [1, -1]


def test_another_encoder_encodes_everything_again() -> None:
    other = Letters()
    other.name = "other letters"
    old = made({"a-1": "abc"}, Letters())

    assert made({"a-1": "abc"}, other, old).encoded == 1


def test_words_are_counted_again_only_when_the_shop_has_grown_by_a_quarter() -> None:
    def lexical(n: int, previous: MadeTable | None) -> MadeTable:
        items = [ItemText(item_id=f"{i:03d}", unit=f"{i:03d}", title=f"mug {i % 7} tea {i}") for i in range(n)]
        return make_table(lambda: items, version="v", previous=previous)

    first = lexical(40, None)
    few_more = lexical(44, first)
    many_more = lexical(80, few_more)

    assert (few_more.encoded, few_more.table.encoder) == (4, first.table.encoder)
    assert many_more.encoded == 80
    assert many_more.fitted_on == 80
