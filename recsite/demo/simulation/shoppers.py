"""Simulated shoppers: what a shop's log looks like, with the structure that recommendations live on. Deterministic.

Each shopper likes a few departments, some brands and a level of price, comes at certain hours, and returns more or
less often. A visit has an aim (a category), looks at a few products that suit, sometimes puts one into the cart,
sometimes something that goes with it, and sometimes buys. Few products draw most of the visits; new ones draw more
in their first days.
"""

from __future__ import annotations

import math
import uuid
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Final

from msgspec import Struct

from recsite.demo.assortment import BRANDS, BY_SLUG, CATEGORIES, DEPARTMENTS, Category
from recsite.demo.catalogue import CURRENCY, HISTORY_DAYS, Product
from recsite.demo.simulation.lists import LIST_SIZE, list_events
from tracking.contract.events import (
    SCHEMA_VERSION,
    AddToCart,
    BaseEvent,
    BeginCheckout,
    CartParams,
    Context,
    EventItem,
    EventRecord,
    ItemsParams,
    PageParams,
    PageView,
    Purchase,
    PurchaseParams,
    Refund,
    RefundParams,
    RemoveFromCart,
    Search,
    SearchParams,
    ViewCart,
    ViewItem,
)  # fmt: skip

N_SHOPPERS: Final = 1_500
IDENTIFIED: Final = 0.6
"""Share of shoppers who are logged in; the others are known by an anonymous id only."""

# Visits by hour of the day (UTC) and by day of the week, Monday first.
_HOURS: Final = (2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 13, 11, 10, 10, 11, 13, 16, 21, 24, 22, 14, 6)
_WEEKDAYS: Final = (1.0, 0.95, 0.95, 1.0, 1.05, 1.25, 1.4)
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shopper:
    """Who comes: tastes are weights, 1 being indifferent."""

    name: str
    user_id: str | None
    anonymous_id: str | None
    departments: dict[str, float]
    categories: dict[str, float]
    brands: dict[str, float]
    price_level: float
    visits: float
    night_owl: bool


@dataclass(slots=True)
class _Visit:
    """One visit while it is being told."""

    shopper: Shopper
    session_id: str
    now_ms: int
    chance: Random
    events: list[BaseEvent] = field(default_factory=list)
    cart: dict[str, tuple[Product, int]] = field(default_factory=dict)

    def wait(self, seconds: float) -> None:
        """Let time go by, never in a fixed step."""
        self.now_ms += 1_000 + int(self.chance.expovariate(1 / seconds) * 1_000)

    def say(self, kind: type[BaseEvent], params: Struct) -> None:
        """Send an event of this moment."""
        event_id = event_id_at(self.chance, self.now_ms)
        event = kind(event_id=event_id, occurred_at_ms=self.now_ms, session_id=self.session_id, params=params)  # type: ignore[call-arg]  # each kind has params
        self.events.append(event)


class Market:
    """The products as shoppers see them on a day: which there are, and how much each draws."""

    def __init__(self, products: Sequence[Product]) -> None:
        self.by_category: dict[str, list[Product]] = {category.slug: [] for category in CATEGORIES}
        for product in products:
            self.by_category[product.category.slug].append(product)

    def draw(self, shopper: Shopper, category: Category, now: datetime, chance: Random, *, k: int) -> list[Product]:
        """Return up to ``k`` different products of a category that suit the shopper, the best liked more likely."""
        offered = [product for product in self.by_category[category.slug] if product.first_seen_at <= now]
        sums = list(accumulate(_liking(shopper, product, now) for product in offered))
        if not sums:
            return []
        found: dict[str, Product] = {}
        for _ in range(2 * k):
            product = offered[bisect_left(sums, chance.random() * sums[-1])]
            found.setdefault(product.item_id, product)
            if len(found) == k:
                break
        return list(found.values())


def make_shoppers(*, seed: int, n_shoppers: int = N_SHOPPERS) -> list[Shopper]:
    """Return the shoppers; some come once, a few come every other day."""
    chance = Random(f"{seed}/shoppers")
    return [_make_shopper(number, chance) for number in range(1, n_shoppers + 1)]


def record(
    products: Sequence[Product], *, end: datetime, seed: int, site: str, n_shoppers: int = N_SHOPPERS
) -> Iterator[EventRecord]:
    """Yield what the shoppers did in the ``HISTORY_DAYS`` before ``end``, in order of time."""
    market = Market(products)
    told: list[tuple[Shopper, BaseEvent]] = []
    for shopper in make_shoppers(seed=seed, n_shoppers=n_shoppers):
        chance = Random(f"{seed}/{shopper.name}")
        for start in _visit_times(shopper, end, chance):
            visit = _visit(shopper, market, start, chance)
            told.extend((shopper, event) for event in visit.events)
            told.extend((shopper, event) for event in _lists_of(visit, market, start))
    end_ms = int(end.timestamp() * 1_000)
    told.sort(key=lambda entry: entry[1].occurred_at_ms)
    for shopper, event in told:
        if event.occurred_at_ms < end_ms:
            yield EventRecord(
                v=SCHEMA_VERSION,
                site=site,
                received_at_ms=event.occurred_at_ms,
                anonymous_id=shopper.anonymous_id,
                user_id=shopper.user_id,
                source="import",
                ctx=Context(lang="en", lib="demo"),
                events=(event,),  # type: ignore[arg-type]  # each is a member of the union
            )


def _lists_of(visit: _Visit, market: Market, start: datetime) -> Iterator[BaseEvent]:
    chance = Random(f"{visit.session_id}/lists")

    def others() -> list[Product]:
        return market.draw(visit.shopper, chance.choice(CATEGORIES), start, chance, k=LIST_SIZE)

    return list_events(visit.events, others=others, chance=chance, event_id=event_id_at)


def _make_shopper(number: int, chance: Random) -> Shopper:
    favourites = chance.sample(DEPARTMENTS, k=chance.choice((1, 2, 2, 3)))
    departments = {name: (4.0 if name in favourites else 0.25) for name in DEPARTMENTS}
    categories = {category.slug: math.exp(chance.gauss(0, 0.7)) for category in CATEGORIES}
    brands = {name: math.exp(chance.gauss(0, 0.9)) for name in BRANDS}
    identified = chance.random() < IDENTIFIED
    name = f"shopper-{number:04d}"
    return Shopper(
        name=name,
        user_id=name if identified else None,
        anonymous_id=None if identified else f"demo-anonymous-{number:06d}",
        departments=departments,
        categories=categories,
        brands=brands,
        price_level=chance.choice((0.6, 0.8, 1.0, 1.0, 1.2, 1.6)),
        visits=min(30.0, 0.9 + chance.paretovariate(1.25)),
        night_owl=chance.random() < 0.2,
    )


def _visit_times(shopper: Shopper, end: datetime, chance: Random) -> list[datetime]:
    """Return the starts of the shopper's visits, in order; more of them at weekends and in the evening."""
    first_day = (end - timedelta(days=HISTORY_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [first_day + timedelta(days=number) for number in range(HISTORY_DAYS + 1)]
    # The shop grows a little: the last day draws a third more than the first.
    weights = [_WEEKDAYS[day.weekday()] * (1 + number / HISTORY_DAYS / 3) for number, day in enumerate(days)]
    hours = [*_HOURS[-4:], *_HOURS[:-4]] if shopper.night_owl else list(_HOURS)
    count = max(1, round(chance.gauss(shopper.visits, shopper.visits / 4)))
    starts = [
        day + timedelta(hours=chance.choices(range(24), weights=hours)[0], seconds=chance.uniform(0, 3_599))
        for day in chance.choices(days, weights=weights, k=count)
    ]
    starts.sort()
    # Two visits within the hour would be one; the later one comes another time.
    return [
        start for number, start in enumerate(starts) if not number or start - starts[number - 1] > timedelta(hours=1)
    ]


def _visit(shopper: Shopper, market: Market, start: datetime, chance: Random) -> _Visit:
    visit = _Visit(shopper, f"s{chance.getrandbits(60):015x}", int(start.timestamp() * 1_000), chance)
    category = aim_of(shopper, start, chance)
    if chance.random() < 0.6:
        visit.say(PageView, PageParams(page_title="Home", page_type="home"))
        visit.wait(12)
    for _ in range(chance.choices((1, 2, 3), weights=(62, 28, 10))[0]):
        _look_around(visit, market, category, start)
        if chance.random() < 0.55:
            category = BY_SLUG[chance.choice(category.goes_with)]
        else:
            category = aim_of(shopper, start, chance)
    if visit.cart:
        _leave_with_cart(visit)
    return visit


def _look_around(visit: _Visit, market: Market, category: Category, start: datetime) -> None:
    chance = visit.chance
    if chance.random() < 0.3:
        term = chance.choice((category.name.lower(), chance.choice(category.nouns).lower()))
        visit.say(Search, SearchParams(search_term=term))
        visit.wait(8)
    count = min(9, 1 + int(chance.expovariate(1 / 2.4)))
    for product in market.draw(visit.shopper, category, start, chance, k=count):
        visit.say(ViewItem, told_params(product))
        visit.wait(25)
        if product.availability == "in_stock" and chance.random() < 0.12 * min(
            2.0, suits_purse(visit.shopper, product) * 1.6
        ):
            quantity = chance.choice((1, 1, 1, 2)) if product.paid_minor < 5_000 else 1
            visit.cart[product.item_id] = (product, quantity)
            visit.say(AddToCart, told_params(product, quantity))
            visit.wait(6)
            if chance.random() < 0.4:
                _take_along(visit, market, product, start)


def _take_along(visit: _Visit, market: Market, product: Product, start: datetime) -> None:
    """Put something into the cart that goes with ``product``: this is what "bought together" has to find."""
    partner = BY_SLUG[product.category.goes_with[0 if visit.chance.random() < 0.6 else -1]]
    for other in market.draw(visit.shopper, partner, start, visit.chance, k=1):
        visit.say(ViewItem, told_params(other))
        visit.wait(15)
        if other.availability == "in_stock" and visit.chance.random() < 0.7:
            visit.cart[other.item_id] = (other, 1)
            visit.say(AddToCart, told_params(other))
            visit.wait(6)


def _leave_with_cart(visit: _Visit) -> None:
    chance = visit.chance
    if len(visit.cart) > 1 and chance.random() < 0.15:
        product, quantity = visit.cart.pop(next(iter(visit.cart)))
        visit.say(RemoveFromCart, told_params(product, quantity))
        visit.wait(5)
    items = tuple(told_item(product, quantity) for product, quantity in visit.cart.values())
    value = round(sum(product.paid_minor * quantity for product, quantity in visit.cart.values()) / 100, 2)
    cart = CartParams(items=items, currency=CURRENCY, value=value)
    visit.say(ViewCart, cart)
    visit.wait(20)
    if chance.random() > 0.62:
        return
    visit.say(BeginCheckout, cart)
    visit.wait(60)
    if chance.random() > 0.85:
        return
    order = f"FF-{chance.getrandbits(40):010x}"
    bought = PurchaseParams(transaction_id=order, items=items, currency=CURRENCY, value=value)
    visit.say(Purchase, bought)
    if chance.random() < 0.03:
        visit.now_ms += int(chance.uniform(3, 9) * 1_440 * _MINUTE_MS)
        visit.session_id = f"s{chance.getrandbits(60):015x}"
        back = RefundParams(transaction_id=order, items=items[:1], currency=CURRENCY)
        visit.say(Refund, back)


def aim_of(shopper: Shopper, now: datetime, chance: Random) -> Category:
    """Return what the shopper came for; gardens and tents draw at weekends."""
    weekend = now.weekday() >= 5
    weights = [
        category.weight
        * shopper.departments[category.department]
        * shopper.categories[category.slug]
        * (category.weekend if weekend else 1)
        for category in CATEGORIES
    ]
    return chance.choices(CATEGORIES, weights=weights)[0]


def _liking(shopper: Shopper, product: Product, now: datetime) -> float:
    fresh = 2.5 if now - product.first_seen_at < timedelta(days=10) else 1.0
    sale = 1.0 if product.sale_price_minor is None else 1.35
    return product.appeal * shopper.brands[product.brand] * suits_purse(shopper, product) * fresh * sale


def suits_purse(shopper: Shopper, product: Product) -> float:
    """Return 1 where the price level is the shopper's own, less the further it is from it."""
    level = product.paid_minor / 100 / product.category.price
    return math.exp(-2.2 * math.log(level / shopper.price_level) ** 2)


def told_item(product: Product, quantity: int = 1) -> EventItem:
    """Return a product as events name it."""
    return EventItem(
        item_id=product.item_id,
        item_name=product.title,
        item_brand=product.brand,
        item_category=product.category.department,
        item_category2=product.category.name,
        price=product.paid_minor / 100,
        quantity=quantity,
    )


def told_params(product: Product, quantity: int = 1) -> ItemsParams:
    """Return what an event about one product says."""
    value = round(product.paid_minor * quantity / 100, 2)
    return ItemsParams(items=(told_item(product, quantity),), currency=CURRENCY, value=value)


def event_id_at(chance: Random, at_ms: int) -> str:
    """Return a UUIDv7 of the simulated moment."""
    bits = at_ms << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62)
    return str(uuid.UUID(int=bits))
