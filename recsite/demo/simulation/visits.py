"""Visits of simulated shoppers to the running shop: what they ask for, see, click and buy, page by page.

They go through the same API as a browser: lists come from the recommender with their ``rec_id``, and what is seen and
clicked in them is told to collect. A click depends on taste and position, so better lists have more revenue. Pages
follow each other within seconds, not minutes: a demo is watched.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate, count
from random import Random
from typing import Final, Protocol

from msgspec import Struct

from recsite.demo.assortment import Category
from recsite.demo.catalogue import CURRENCY, Product
from recsite.demo.simulation.shoppers import Market, Shopper, aim_of, event_id_at, suits_purse, told_item, told_params
from tracking.contract.events import (
    AddToCart,
    BaseEvent,
    BeginCheckout,
    CartParams,
    EventItem,
    ItemListParams,
    PageParams,
    PageView,
    Purchase,
    PurchaseParams,
    SelectItem,
    ViewCart,
    ViewItem,
    ViewItemList,
)  # fmt: skip

HOME_LISTS: Final = ("home_for_you", "home_trending", "home_new")
PRODUCT_LISTS: Final = ("product_similar", "product_bought_together", "product_also_viewed")
CART_LISTS: Final = ("cart_cross_sell",)

CLICK_OF_A_FAN: Final = 0.08
"""Chance of a click on the first item of a list, by somebody whom it suits in every way."""
MAX_PAGES: Final = 8
MAX_INSIDE: Final = 40
"""Visits at once; while there are so many, nobody else comes in."""
EAGER_S: Final = 600.0

Visit = Iterator[float]
"""Yields the seconds until the next page."""


class ShownList(Struct, frozen=True):
    """A list as the page got it."""

    placement: str
    rec_id: str
    item_ids: tuple[str, ...]


class Storefront(Protocol):
    """What a page does for its shopper."""

    def lists(
        self, shopper: Shopper, placements: Sequence[str], *, context: Sequence[str] = (), cart: Sequence[str] = ()
    ) -> list[ShownList]:
        """Return the lists of a page."""

    def tell(self, shopper: Shopper, events: Sequence[BaseEvent]) -> None:
        """Send events to collect."""


@dataclass(slots=True, kw_only=True)
class _Going:
    """One visit under way."""

    shopper: Shopper
    shop: Storefront
    market: Market
    products: Mapping[str, Product]
    chance: Random
    session_id: str
    cart: dict[str, Product] = field(default_factory=dict)
    unsent: list[BaseEvent] = field(default_factory=list)

    def say(self, kind: type[BaseEvent], params: Struct) -> None:
        """Note an event of this moment; a page's events are sent together, as the SDK does."""
        now_ms = time.time_ns() // 1_000_000
        event_id = event_id_at(self.chance, now_ms)
        event = kind(event_id=event_id, occurred_at_ms=now_ms, session_id=self.session_id, params=params)  # type: ignore[call-arg]  # each kind has params
        self.unsent.append(event)

    def leave_page(self) -> float:
        """Send what was noted; return the seconds until the next page."""
        events, self.unsent = self.unsent, []
        if events:
            self.shop.tell(self.shopper, events)
        return 0.8 + self.chance.expovariate(1 / 1.5)

    def look_at(self, placements: Sequence[str], *, context: Sequence[str] = ()) -> Product | None:
        """Ask for a page's lists, scroll through some of them, and return what was clicked, if anything."""
        for shown in self.shop.lists(self.shopper, placements, context=context, cart=list(self.cart)):
            if not shown.item_ids:
                continue
            seen = shown.item_ids[: self.chance.choice((4, 4, 8))]
            self.say(ViewItemList, _list_params(shown, seen, first=0))
            for position, item_id in enumerate(seen):
                product = self.products.get(item_id)  # staff may have added items that the simulation does not know
                if product is None:
                    continue
                if self.chance.random() < click_chance(self.shopper, product, position=position):
                    self.say(SelectItem, _list_params(shown, (item_id,), first=position))
                    return product
            if self.chance.random() < 0.4:
                return None
        return None


def visit(
    shopper: Shopper, *, shop: Storefront, market: Market, products: Mapping[str, Product], chance: Random
) -> Visit:
    """Go through the shop: home, products by a list or by one's own aim, and perhaps the cart and the checkout."""
    going = _Going(
        shopper=shopper, shop=shop, market=market, products=products, chance=chance,
        session_id=f"s{chance.getrandbits(60):015x}",
    )  # fmt: skip
    now = datetime.now(UTC)
    category = aim_of(shopper, now, chance)
    going.say(PageView, PageParams(page_title="Home", page_type="home"))
    product = going.look_at(HOME_LISTS)
    yield going.leave_page()
    for _ in range(MAX_PAGES):
        product = product or _found_alone(going, category, now)
        if product is None:
            break
        going.say(ViewItem, told_params(product))
        yield going.leave_page()
        if product.availability == "in_stock" and chance.random() < 0.05 * min(2, 1.6 * suits_purse(shopper, product)):
            going.cart[product.item_id] = product
            going.say(AddToCart, told_params(product))
        product = going.look_at(PRODUCT_LISTS, context=(product.item_id,))
        yield going.leave_page()
        if product is None and chance.random() < 0.4:
            break
    if going.cart:
        yield from _leave_with_cart(going)
    going.leave_page()


def click_chance(shopper: Shopper, product: Product, *, position: int) -> float:
    """Return how likely the shopper clicks on a product in a list at ``position``, counted from 0."""
    category = product.category
    taste = (
        shopper.departments[category.department]
        * shopper.categories[category.slug]
        * shopper.brands[product.brand]
        * suits_purse(shopper, product)
    )
    return CLICK_OF_A_FAN * taste / (1 + taste) / (1 + 0.1 * position)


def visits(
    shoppers: Sequence[Shopper], *, shop: Storefront, market: Market, products: Mapping[str, Product], chance: Random
) -> Iterator[Visit]:
    """Yield visits without end; who came often in the past comes often."""
    sums = list(accumulate(shopper.visits for shopper in shoppers))
    while True:
        shopper = chance.choices(shoppers, cum_weights=sums)[0]
        yield visit(shopper, shop=shop, market=market, products=products, chance=chance)


def pace_s(elapsed_s: float) -> float:
    """Return the seconds between two visitors: 1.5 while somebody has just started the demo, later 6.

    A demo that is left running for days writes a quarter of what it would, and its disk lasts.
    """
    return 1.5 if elapsed_s < EAGER_S else 6.0


class Crowd:
    """Advances many visits side by side in one thread; the time is an argument."""

    def __init__(self, coming: Iterator[Visit], *, started_s: float, pace: Callable[[float], float] = pace_s) -> None:
        self._coming = coming
        self._pace = pace
        self._started_s = started_s
        self._next_s = started_s
        self._numbers = count()
        self._inside: list[tuple[float, int, Visit]] = []  # a heap by the time of the next page

    def __len__(self) -> int:
        """How many visits are under way."""
        return len(self._inside)

    def step(self, now_s: float) -> float:
        """Advance every visit whose next page is due; return the seconds until the next one's.

        What a visit raises ends that visit alone: the others continue with the next step.
        """
        if now_s >= self._next_s:
            self._next_s = now_s + self._pace(now_s - self._started_s)
            if len(self._inside) < MAX_INSIDE:
                heapq.heappush(self._inside, (now_s, next(self._numbers), next(self._coming)))
        while self._inside and self._inside[0][0] <= now_s:
            _, number, going = heapq.heappop(self._inside)
            pause_s = next(going, None)
            if pause_s is not None:
                heapq.heappush(self._inside, (now_s + pause_s, number, going))
        due_s = min(self._next_s, self._inside[0][0]) if self._inside else self._next_s
        return max(0.0, due_s - now_s)


def _found_alone(going: _Going, category: Category, now: datetime) -> Product | None:
    """Return what the shopper finds by search or category, without a list."""
    return next(iter(going.market.draw(going.shopper, category, now, going.chance, k=1)), None)


def _leave_with_cart(going: _Going) -> Visit:
    going.say(ViewCart, _cart_params(going.cart))
    added = going.look_at(CART_LISTS)
    yield going.leave_page()
    if added is not None:
        going.say(ViewItem, told_params(added))
        yield going.leave_page()
        if added.availability == "in_stock" and going.chance.random() < 0.3:
            going.cart[added.item_id] = added
            going.say(AddToCart, told_params(added))
    if going.chance.random() > 0.62:
        return
    cart = _cart_params(going.cart)
    going.say(BeginCheckout, cart)
    yield going.leave_page()
    if going.chance.random() > 0.85:
        return
    order = f"FF-{going.chance.getrandbits(40):010x}"
    going.say(Purchase, PurchaseParams(transaction_id=order, items=cart.items, currency=CURRENCY, value=cart.value))


def _cart_params(cart: Mapping[str, Product]) -> CartParams:
    value = round(sum(product.paid_minor for product in cart.values()) / 100, 2)
    return CartParams(items=tuple(told_item(product) for product in cart.values()), currency=CURRENCY, value=value)


def _list_params(shown: ShownList, item_ids: Sequence[str], *, first: int) -> ItemListParams:
    items = tuple(EventItem(item_id=item_id, index=first + offset) for offset, item_id in enumerate(item_ids))
    return ItemListParams(items=items, item_list_id=shown.placement, rec_id=shown.rec_id)
