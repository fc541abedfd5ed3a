"""Products above variants: every row is of one product, and a product knows its rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue.products import NO_PRODUCT, Products, products_of
from tests.features.catalogue.making import row, snapshot


def products(*group: int, parents: dict[str, int] | None = None) -> Products:
    return products_of(
        np.array(group, np.int32), group_names=["", "shoe", "shirt", "hat"], row_of={"other": 0, **(parents or {})}
    )


def test_variants_share_the_lowest_row_and_what_has_none_is_its_own_product() -> None:
    found = products(0, 2, 1, 2, 0)

    assert found.of_row.tolist() == [0, 1, 2, 1, 4]
    assert found.of_group.tolist() == [NO_PRODUCT, 2, 1, NO_PRODUCT]
    assert found.variants(1).tolist() == [1, 3]
    assert found.has_variants
    assert not products(0, 1, 2).has_variants


def test_a_parent_that_is_listed_beside_its_variants_is_one_of_them() -> None:
    found = products(0, 1, 1, 0, parents={"shoe": 3})

    assert found.of_row.tolist() == [0, 1, 1, 1]
    assert found.variants(1).tolist() == [1, 2, 3]


def test_a_parent_of_another_group_stays_there() -> None:
    assert products(0, 1, 2, 2, parents={"shoe": 3}).of_row.tolist() == [0, 1, 2, 2]


def test_a_catalogue_knows_the_product_of_a_group() -> None:
    catalogue = snapshot(row(1), row(2, group_id="tee"), row(3, group_id="tee"))

    assert catalogue.product_of_group("tee") == 1
    assert [catalogue.product_of_group(name) for name in ("", "i1", "gone")] == [None, None, None]


def test_an_empty_catalogue_has_no_products() -> None:
    catalogue = snapshot()

    assert catalogue.products.of_row.tolist() == []
    assert not catalogue.products.has_variants


@given(st.lists(st.integers(0, 3), max_size=20), st.data())
def test_rows_of_several_products_are_those_of_each(group: list[int], data: st.DataObject) -> None:
    found = products(*group)
    chosen = data.draw(
        st.lists(st.sampled_from(sorted(set(found.of_row.tolist()))), max_size=6) if group else st.just([])
    )

    rows, lengths = found.variants_of_all(np.array(chosen, np.int32))

    assert rows.tolist() == [row for product in chosen for row in found.variants(product).tolist()]
    assert lengths.tolist() == [len(found.variants(product)) for product in chosen]
    assert all(row in found.variants(product) for row, product in enumerate(found.of_row.tolist()))
