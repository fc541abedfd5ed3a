"""A model's items and a catalogue's rows: variants, whole products, or both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.retrieval.item_rows import ItemRows, item_rows
from tests.recommendations.worlds import item_index

TEE: tuple[dict[str, Any], ...] = ({"group_id": "tee", "stock": 0}, {"group_id": "tee"}, {"group_id": "tee"}, {})


def joined(*item_ids: str, items: tuple[dict[str, Any], ...] = TEE, popularity: tuple[float, ...] = ()) -> ItemRows:
    counts = np.array(popularity or [0.0] * (len(item_ids) + 1), np.float32)
    return item_rows(("", *item_ids), counts, item_index(*items))


def test_a_variant_that_the_model_knows_stands_for_those_that_it_does_not() -> None:
    found = joined("sku0", "sku3", "gone")

    assert found.index_of_row.tolist() == [1, 1, 1, 2]
    assert found.row_of_index.tolist() == [-1, 0, 3, -1]
    assert found.can_be_had.tolist() == [False, True, True, False], "another size of what is sold out can be had"


def test_of_two_variants_that_the_model_knows_the_more_popular_one_stands_for_the_third() -> None:
    assert joined("sku0", "sku1", popularity=(0, 1, 9)).index_of_row.tolist() == [1, 2, 2, 0]
    assert joined("sku0", "sku1", popularity=(0, 9, 1)).index_of_row.tolist() == [1, 2, 1, 0]


def test_a_product_that_the_model_knows_by_its_group_is_its_most_popular_variant_that_can_be_had() -> None:
    found = joined("tee", "sku3")

    assert found.index_of_row.tolist() == [1, 1, 1, 2]
    assert found.row_of_index.tolist() == [-1, 1, 3]


def test_an_item_that_is_its_groups_parent_stands_for_the_product() -> None:
    found = joined("tee", items=(*TEE, {"item_id": "tee", "is_active": False}))

    assert found.row_of_index.tolist() == [-1, 1]
    assert found.index_of_row.tolist() == [1, 1, 1, 0, 1]


@pytest.mark.parametrize(("sizes", "variants"), [(1, 1), (3, 3), (30, 30)])
def test_how_many_variants_a_product_has(sizes: int, variants: int) -> None:
    items = tuple({"group_id": f"g{number // sizes}"} for number in range(4 * sizes))

    assert joined(*(f"sku{number}" for number in range(4 * sizes)), items=items).variants == variants
    assert joined("g0", "g1", items=items).variants == 1


@given(
    st.lists(st.sampled_from(["", "a", "b"]), max_size=8),
    st.permutations(["a", "b", "x", *map("sku{}".format, range(8))]),
)
def test_rows_and_items_belong_to_one_product(groups: list[str], item_ids: list[str]) -> None:
    on = item_index(*[{"group_id": group} for group in groups])
    found = item_rows(("", *item_ids), np.zeros(len(item_ids) + 1, np.float32), on)

    product = on.products.of_row
    assert all(product[found.row_of_index[index]] == product[row] for row, index in enumerate(found.index_of_row))
    for index, item_id in enumerate(item_ids, start=1):
        row = on.catalogue.row(item_id)
        assert row is None or found.index_of_row[row] == index, "what the model knows itself stands for itself"
