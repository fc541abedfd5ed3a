"""Simulated visits: what they tell, what they click and buy, and the crowd of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from random import Random

import msgspec
import pytest

from recsite.demo.catalogue import Product, make_products
from recsite.demo.setup import PLACEMENTS
from recsite.demo.simulation.shoppers import Market, Shopper
from recsite.demo.simulation.storefront import NotServed
from recsite.demo.simulation.visits import (
    CART_LISTS,
    EAGER_S,
    HOME_LISTS,
    MAX_INSIDE,
    PRODUCT_LISTS,
    Crowd,
    ShownList,
    click_chance,
    pace_s,
    visits,
)
from tracking.contract.events import AddToCart, BaseEvent, Purchase, SelectItem, ViewItemList
from tracking.contract.parsing import parse_event

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def products() -> dict[str, Product]:
    return {product.item_id: product for product in make_products(end=NOW)}


class Shelves:
    """A storefront in memory, whose lists hold what suits the first item of the context, or anything."""

    def __init__(self, products: dict[str, Product]) -> None:
        self.products = products
        self.market = Market(list(products.values()))
        self.chance = Random(3)
        self.shown: dict[str, ShownList] = {}
        self.told: list[tuple[Shopper, BaseEvent]] = []

    def lists(
        self, shopper: Shopper, placements: Sequence[str], *, context: Sequence[str] = (), cart: Sequence[str] = ()
    ) -> list[ShownList]:
        found = []
        for placement in placements:
            near = self.products[(context or cart or [self.chance.choice(list(self.products))])[0]]
            items = self.market.draw(shopper, near.category, NOW, self.chance, k=8)
            rec_id = f"r1.{len(self.shown)}"
            self.shown[rec_id] = ShownList(placement, rec_id, tuple(item.item_id for item in items))
            found.append(self.shown[rec_id])
        return found

    def tell(self, shopper: Shopper, events: Sequence[BaseEvent]) -> None:
        self.told += [(shopper, event) for event in events]


@pytest.fixture(scope="module")
def told(products: dict[str, Product], shoppers: list[Shopper]) -> Shelves:
    """Give what 600 visits told."""
    shop = Shelves(products)
    coming = visits(shoppers, shop=shop, market=shop.market, products=products, chance=Random(1))
    for _ in range(600):
        for pause_s in next(coming):
            assert 0.5 < pause_s < 60
    return shop


@pytest.mark.slow
def test_every_event_holds_to_the_contract(told: Shelves) -> None:
    ids = [event.event_id for _, event in told.told]
    assert len(set(ids)) == len(ids)
    for _, event in told.told[::7]:
        parse_event(msgspec.json.encode(event))


@pytest.mark.slow
def test_what_is_seen_and_clicked_stood_in_that_list_at_that_position(told: Shelves) -> None:
    in_lists = [event for _, event in told.told if isinstance(event, ViewItemList | SelectItem)]
    assert len(in_lists) > 1_000
    for event in in_lists:
        shown = told.shown[event.params.rec_id or ""]
        assert event.params.item_list_id == shown.placement
        assert all(shown.item_ids[item.index or 0] == item.item_id for item in event.params.items)


@pytest.mark.slow
def test_a_few_of_a_hundred_items_seen_are_clicked_and_a_few_visits_end_in_an_order(told: Shelves) -> None:
    kinds = Counter(type(event).__name__ for _, event in told.told)
    seen = sum(len(event.params.items) for _, event in told.told if isinstance(event, ViewItemList))

    assert 0.01 < kinds["SelectItem"] / seen < 0.08
    assert 0.02 < kinds["Purchase"] / 600 < 0.2


@pytest.mark.slow
def test_only_what_was_put_into_the_cart_is_bought(told: Shelves) -> None:
    carts: dict[str, set[str]] = {}
    bought = 0
    for _, event in told.told:
        if isinstance(event, AddToCart):
            carts.setdefault(event.session_id or "", set()).add(event.params.items[0].item_id)
        if isinstance(event, Purchase):
            bought += 1
            assert {item.item_id for item in event.params.items} <= carts[event.session_id or ""]
    assert bought > 10


@pytest.mark.slow
def test_clicks_follow_taste_and_position(products: dict[str, Product], shoppers: list[Shopper]) -> None:
    shopper = shoppers[0]
    chances = [click_chance(shopper, product, position=0) for product in products.values()]
    assert max(chances) > 10 * min(chances)
    some = products["FF01001"]
    assert click_chance(shopper, some, position=0) > click_chance(shopper, some, position=7)


@pytest.mark.slow
def test_they_ask_for_placements_that_the_demo_has() -> None:
    assert {*HOME_LISTS, *PRODUCT_LISTS, *CART_LISTS} <= {name for name, *_ in PLACEMENTS}


@pytest.mark.slow
def test_the_crowd_is_bounded_and_later_slow() -> None:
    def endless() -> Iterator[float]:
        while True:
            yield 1_000_000.0

    crowd = Crowd((endless() for _ in iter(int, 1)), started_s=0.0)
    now_s, came_at_s = 0.0, []
    for _ in range(MAX_INSIDE + 20):
        before = len(crowd)
        wait_s = crowd.step(now_s)
        if len(crowd) > before:
            came_at_s.append(now_s)
        now_s += wait_s

    assert len(crowd) == MAX_INSIDE
    assert came_at_s[:3] == [0.0, 1.5, 3.0]
    assert pace_s(EAGER_S + 1) > 3 * pace_s(0)


@pytest.mark.slow
def test_a_visit_that_fails_leaves_the_others_alone() -> None:
    went_on = []

    def steady(name: int) -> Iterator[float]:
        while True:
            went_on.append(name)
            yield 1.0

    def broken() -> Iterator[float]:
        yield 0.5
        raise NotServed("away")

    crowd = Crowd(iter([steady(1), broken(), steady(3)]), started_s=0.0, pace=lambda elapsed_s: 1.0)
    crowd.step(0.0)
    crowd.step(1.0)
    with pytest.raises(NotServed):
        crowd.step(1.5)
    crowd.step(2.0)
    assert len(crowd) == 2
    assert set(went_on) == {1, 3}
