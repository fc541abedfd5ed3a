"""Of the variants of a product a list shows one that can be had, in the shopper's size and colour."""

from __future__ import annotations

from typing import Any

import pytest

from recommendations.core.types import RequestUser
from recommendations.filters import language
from recommendations.items.index import ItemIndex
from recommendations.pipeline.query import PlacementSpec
from tests.recommendations.worlds import ids, item_index, served

NEW = PlacementSpec(name="p", strategy="new", bought_days=0)


def sizes(group: str, *values: str, name: str = "size", **changes: Any) -> list[dict[str, Any]]:
    return [{"group_id": group, "attributes": {name: value}, "category": "Shoes", **changes} for value in values]


def shop(*others: dict[str, Any], **changes: Any) -> ItemIndex:
    """Return an index in which sku0 … sku3 are a shoe in four sizes; the first is the most popular."""
    return item_index(*sizes("shoe", "39", "40", "41", "42", **changes), *others)


def shown(on: ItemIndex, placement: PlacementSpec = NEW, **known: Any) -> list[str]:
    return ids(on, served(on, placement, user=RequestUser(key="u:1", **known)))


def test_a_shopper_of_whom_nothing_is_known_sees_the_most_popular_variant() -> None:
    assert shown(shop()) == ["sku0"]


@pytest.mark.parametrize("name", ["size", "Size", "colour", "color", "Color"])
def test_the_size_and_the_colour_that_were_bought_are_shown(name: str) -> None:
    on = item_index(*sizes("shoe", "39", "40", "41", name=name), *sizes("boot", "40", "41", name=name))

    assert shown(on, purchases=("sku4",)) == ["sku2", "sku4"]


def test_numbers_are_sizes_like_texts() -> None:
    on = item_index(
        {"group_id": "a", "attributes": {"size": 39}}, {"group_id": "a", "attributes": {"size": 40}},
        {"attributes": {"size": "40"}},
    )  # fmt: skip

    assert shown(on, purchases=("sku2",)) == ["sku1", "sku2"]


def test_what_was_bought_says_more_than_what_was_looked_at() -> None:
    on = shop(*sizes("boot", "41", "42"))

    assert shown(on, recents=("sku4",))[0] == "sku2"
    assert shown(on, recents=("sku4",), purchases=("sku5",))[0] == "sku3"


def test_a_size_of_another_kind_of_thing_counts_less() -> None:
    on = shop({"attributes": {"size": "39"}, "category": "Trousers"}, *sizes("boot", "42"))

    assert shown(on, recents=("sku4",))[0] == "sku0"
    assert shown(on, recents=("sku4", "sku5"))[0] == "sku3"


def test_what_suits_and_cannot_be_had_is_not_shown() -> None:
    on = item_index(*sizes("shoe", "39", "40"), *sizes("shoe", "41", stock=0), *sizes("boot", "41"))

    assert shown(on, recents=("sku3",))[0] in ("sku0", "sku1")


def test_the_variant_that_was_looked_at_itself_stays() -> None:
    on = shop(*sizes("boot", "42"))
    own_past = PlacementSpec(name="p", strategy="recently_viewed", bought_days=0)

    assert shown(on, own_past, recents=("sku1",), purchases=("sku4",)) == ["sku1"]


def test_another_size_stands_in_for_one_that_is_sold_out_since_it_was_seen() -> None:
    on = item_index({"group_id": "shoe", "stock": 0}, {"group_id": "shoe"}, {})
    result = served(on, PlacementSpec(name="p", strategy="recently_viewed"), user=RequestUser(recents=("sku0",)))

    assert [ids(on, result), result.reasons] == [["sku1"], ("recents",)]


def test_a_product_that_was_looked_at_by_its_own_id_says_nothing_of_a_size() -> None:
    on = shop(*sizes("boot", "42", "41"))
    own_past = PlacementSpec(name="p", strategy="recently_viewed", bought_days=0)

    assert shown(on, own_past, recents=("shoe", "sku4")) == ["sku3", "sku4"]


def test_another_size_stands_in_for_one_that_merchandisers_named_and_that_is_sold_out() -> None:
    on = item_index({"group_id": "shoe", "stock": 0}, {"group_id": "shoe"}, {}, {})
    placement = PlacementSpec(name="p", fallback="editorial", editorial_items=("sku3", "sku0"))

    assert ids(on, served(on, placement)) == ["sku3", "sku1"]


def test_nothing_stands_in_for_a_given_item() -> None:
    on = item_index({"group_id": "shoe", "stock": 0}, {"group_id": "shoe"}, {})
    user = RequestUser(recents=("sku2",))

    assert ids(on, served(on, PlacementSpec(name="p", strategy="rerank"), user=user, candidates=("sku0", "sku2"))) == [
        "sku2"
    ]


def test_a_placement_for_one_size_shows_that_size_of_every_product() -> None:
    on = item_index(*sizes("shoe", "39", "40", "41"), *sizes("boot", "40", "41"))

    assert shown(on, PlacementSpec(name="p", strategy="new")) == ["sku0", "sku3"]
    assert ids(on, served(on, NEW, filter="f", condition=language.parse('attributes.size = "41"'))) == ["sku2", "sku4"]


def test_a_variant_keeps_the_reason_and_the_evidence_of_what_it_stands_for() -> None:
    on = shop(*sizes("boot", "41"))
    user = RequestUser(key="u:1", recents=("sku4",))

    result = served(on, NEW, user=user, explains=True)

    assert result.explanation is not None
    first = result.explanation.items[0]
    assert [first.item_id, first.reason, first.sources[0].source, first.rank_before_rules] == [
        "sku2", "newest", "newest", 1,
    ]  # fmt: skip
    assert first.score
    assert [each.item_id for each in result.explanation.runners_up] == []


@pytest.mark.parametrize("strategy", ["for_you", "similar", "trending", "new", "cart", "also_viewed", "rerank"])
def test_thirty_sizes_of_one_product_take_one_place_of_a_full_list(strategy: str) -> None:
    groups = [{"group_id": f"shoe{number // 30}", "category": f"C{number // 300}"} for number in range(1_200)]
    on = item_index(*groups)

    result = served(on, PlacementSpec(name="p", strategy=strategy), limit=20, user=RequestUser(recents=("sku45",)))

    products = on.products.of_row[list(result.rows)].tolist()
    assert len(set(products)) == len(products) == 20
