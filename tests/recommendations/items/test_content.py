"""A content table joined to a catalogue: rows in, rows of what can be had out."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.core.content_table import NEIGHBOURS, ContentTable
from recommendations.items.content import ContentIndex
from tests.recommendations.worlds import catalogue


def table(ids: list[str], units: list[int], likes: dict[int, list[int]]) -> ContentTable:
    n_units = max(units, default=-1) + 1
    neighbours = np.full((n_units, NEIGHBOURS), -1, np.int32)
    similarity = np.zeros((n_units, NEIGHBOURS), np.float16)
    for unit, liked in likes.items():
        neighbours[unit, : len(liked)] = liked
        similarity[unit, : len(liked)] = np.linspace(0.9, 0.5, len(liked))
    vectors = np.eye(max(n_units, 1), dtype=np.float16)[:n_units]
    return ContentTable(
        version="1", encoder="given", load_ids=lambda: tuple(ids), unit_of_item=np.asarray(units, np.int32),
        vectors=vectors, neighbours=neighbours, similarity=similarity,
    )  # fmt: skip


def test_of_the_variants_of_a_product_the_most_popular_that_can_be_had_is_listed() -> None:
    shop = catalogue({}, {"group_id": "g"}, {"group_id": "g", "availability": "out_of_stock"}, {"group_id": "g"})
    known = table(["sku0", "sku1", "sku2", "sku3"], [0, 1, 1, 1], {0: [1], 1: [0]})
    index = ContentIndex(known, shop, popularity=np.array([1, 5, 9, 7], np.float32))

    rows, similarity, origin = index.like(np.array([0], np.int32))

    assert (rows.tolist(), origin.tolist()) == ([3], [0])
    assert similarity.tolist() == [np.float32(np.float16(0.9))]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_only_what_is_in_the_catalogue_and_can_be_had_is_like_anything(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 8))
    sold_out = data.draw(st.sets(st.integers(0, n - 1)))
    listed = data.draw(st.lists(st.integers(0, n + 3), unique=True, max_size=n + 3))  # some the catalogue does not have
    shop = catalogue(*({"stock": 0 if number in sold_out else 5} for number in range(n)))
    ids = [f"sku{number}" for number in listed]
    likes = {unit: [other for other in range(len(ids)) if other != unit] for unit in range(len(ids))}
    index = ContentIndex(table(ids, list(range(len(ids))), likes), shop, popularity=np.zeros(n, np.float32))

    about = np.arange(n, dtype=np.int32)
    rows, similarity, origin = index.like(about)

    for row in range(n):
        found = rows[origin == row].tolist()
        expected = [number for number in listed if number < n and number not in sold_out and number != row]
        assert found == (expected if row in listed else [])
    assert len(rows) == len(similarity) == len(origin)
    vectors = index.vectors_of(about)
    assert [bool(vector.any()) for vector in vectors] == [number in listed for number in range(n)]


def test_where_only_popularity_moved_ids_are_not_read_again() -> None:
    shop = catalogue({}, {})
    reads: list[int] = []
    known = table(["sku0", "sku1"], [0, 1], {0: [1]})
    counted = ContentTable(
        version="1", encoder="given", load_ids=lambda: (reads.append(1), ("sku0", "sku1"))[1],
        unit_of_item=known.unit_of_item, vectors=known.vectors, neighbours=known.neighbours,
        similarity=known.similarity,
    )  # fmt: skip
    first = ContentIndex(counted, shop, popularity=np.zeros(2, np.float32))

    ContentIndex(counted, shop, popularity=np.ones(2, np.float32), older=first)
    ContentIndex(counted, catalogue({}, {}), popularity=np.ones(2, np.float32), older=first)

    assert len(reads) == 2
