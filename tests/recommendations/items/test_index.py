"""A catalogue prepared for serving: orders, masks that are made once, cards that are encoded once."""

from __future__ import annotations

import json

import numpy as np
import pytest

from recommendations.filters import language
from recommendations.items import index
from recommendations.items.index import ItemIndex, is_known_name
from tests.recommendations.worlds import DAY_US, NOW_MS, catalogue, item_index

ON = item_index({"category": "Shoes"}, {"category": "Hats"}, {"category": "Shoes", "stock": 0}, {"category": "Shoes"})


def test_ids_become_rows_in_their_order_and_what_is_unknown_is_left_out() -> None:
    assert ON.rows(["sku3", "gone", "sku0", "sku3"]).tolist() == [3, 0]
    assert ON.sequence(["sku3", "gone", "sku0", "sku3"]) == [3, 0, 3]
    assert ON.item_id(1) == "sku1"


def test_the_id_of_a_group_is_understood_as_its_most_popular_variant_that_can_be_had() -> None:
    on = item_index({"group_id": "tee", "stock": 0}, {"group_id": "tee"}, {"group_id": "tee"}, {"group_id": "cup"})

    assert on.sequence(["tee", "sku0", "gone", "cup"]) == [1, 0, 3]
    assert on.rows(["tee", "sku1"]).tolist() == [1]
    assert [on.row("tee"), on.row("gone")] == [1, None]
    assert item_index({"group_id": "tee", "stock": 0}).row("tee") == 0, "of a product that is sold out, any"


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ('item_id = "tee"', [True, True, False, True, False]),
        ('item_id in ("sku1", "cup")', [False, True, False, False, True]),
        ('item_id != "tee"', [False, False, True, False, True]),
        ('item_id = "gone"', [False] * 5),
    ],
)
def test_a_condition_may_name_a_product_by_its_group(text: str, matches: list[bool]) -> None:
    on = item_index(
        {"group_id": "tee"}, {"group_id": "tee"}, {}, {"item_id": "tee"}, {"group_id": "cup"},
    )  # fmt: skip

    assert on.mask(text, language.parse(text)).tolist() == matches


def test_orders_hold_one_variant_of_each_product() -> None:
    snapshot = catalogue(*[{"group_id": f"g{number // 2}", "category": "A"} for number in range(6)])
    counts = {"24h": np.array([1, 2, 0, 0, 5, 1], np.float32)}
    on = ItemIndex(snapshot, popularity=np.arange(6, dtype=np.float32), counts=counts)

    assert on.popular.tolist() == [5, 3, 1]
    assert on.newest.tolist() == [0, 2, 4]
    assert on.by_category.tolist() == [5, 3, 1]
    assert [part.tolist() for part in on.trending("24h")] == [[4, 1], [5.0, 2.0]]
    assert on.popular_within("even", np.arange(6) % 2 == 0).tolist() == [4, 2, 0]


def test_traits_of_variants_are_read_once_a_catalogue() -> None:
    snapshot = catalogue({"group_id": "g", "attributes": {"Size": "M"}}, {"group_id": "g", "attributes": {"size": "m"}})
    first = ItemIndex(snapshot)
    first.warm()
    second = ItemIndex(snapshot)
    second.warm_from(first)

    assert first.variant_traits[0].tolist() == [1, 1]
    assert second.variant_traits is first.variant_traits


def test_a_category_holds_its_recommendable_items_most_popular_first() -> None:
    shoes = int(ON.catalogue.category[0])

    assert ON.by_category[ON.in_category(shoes)].tolist() == [0, 3]
    assert ON.by_category[ON.in_category(0)].tolist() == []
    assert ON.by_category[ON.in_category(99)].tolist() == []


def test_a_mask_is_made_once_and_cannot_be_written_to() -> None:
    condition = language.parse('category under "Shoes"')
    first = ON.mask("shoes", condition)

    assert first.tolist() == [True, False, True, True]
    assert ON.mask("shoes", condition) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = False


def test_the_oldest_mask_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MAX_MASKS_BYTES", 0)
    on = item_index({}, {})
    masks = {number: on.mask(str(number), language.parse(f"price < {number}")) for number in range(1, 10)}

    assert on.mask("9", language.parse("price < 9")) is masks[9]
    assert on.mask("1", language.parse("price < 1")) is not masks[1]


def test_a_new_index_has_the_masks_of_the_one_before_but_for_those_of_time() -> None:
    snapshot = catalogue({}, {"first_seen_us": NOW_MS * 1000 - DAY_US})
    old = ItemIndex(snapshot, now_ms=NOW_MS)
    price = old.mask("price", language.parse("price > 1"))
    young = old.mask("young", language.parse("age_days < 5"))

    new = ItemIndex(snapshot, now_ms=NOW_MS + 10 * 86_400_000)
    new.warm_from(old)

    assert new.mask("price", language.parse("price > 1")) is price
    assert young.tolist() == [False, True]
    assert new.mask("young", language.parse("age_days < 5")).tolist() == [False, False]


def test_a_card_is_encoded_once() -> None:
    assert json.loads(ON.card(0))["item_id"] == "sku0"
    assert ON.card(0) is ON.card(0)


def test_visitors_may_not_ask_for_what_is_the_shops_alone() -> None:
    assert not is_known_name("margin", public=True)
    assert is_known_name("margin", public=False)
    assert is_known_name("attributes.colour", public=True)
    assert not is_known_name("attributes.", public=False)


def test_an_index_of_nothing_lists_nothing() -> None:
    on = item_index()

    assert [len(on.popular), len(on.newest)] == [0, 0]
    assert on.trending("1h")[0].tolist() == []
    assert np.asarray(on.rows(["sku0"])).tolist() == []


@pytest.mark.parametrize("written", ["in_stock", "in stock", "In-Stock", "instock", "IN  STOCK"])
def test_availability_is_understood_however_its_words_are_put_together(written: str) -> None:
    index = item_index({}, {"availability": "out_of_stock"}, {"availability": "preorder"})

    assert index.mask(written, language.parse(f'availability = "{written}"')).tolist() == [True, False, False]
    assert index.mask(f"not {written}", language.parse(f'availability != "{written}"')).tolist() == [False, True, True]


def test_what_comes_first_within_a_mask_is_ready_for_the_next_item_index() -> None:
    items = [{"tags": ["new"], "price_minor": price} for price in (300, 100, 200)]
    old, new = item_index(*items), item_index(*items, {"tags": ["new"], "price_minor": 50})
    condition = language.parse('tags has "new"')
    old.best_within("k", old.mask("k", condition), order="cheapest")

    new.warm_from(old)

    assert new._best_in["k", "cheapest"].tolist() == [3, 1, 2, 0]
    assert old.best_within("", old.mask("k", condition), order="dearest").tolist() == [0, 2, 1]
    assert list(old._best_in) == [("k", "cheapest")]
