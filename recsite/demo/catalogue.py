"""The products of the demo shop, made from ``assortment.py``: the same seed always makes the same shop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from recsite.demo.assortment import BRANDS, CATEGORIES, Category
from recsite.demo.pictures import COLOURS

SEED: Final = 20_260
N_PRODUCTS: Final = 2_000
CURRENCY: Final = "EUR"
HISTORY_DAYS: Final = 60
"""How long before the end the simulated shoppers begin; new arrivals come in during this time."""

_SERIES: Final = (
    "Tarn", "Alder", "Brae", "Corrie", "Dale", "Esk", "Fenn", "Glim", "Holm", "Isla", "Juniper", "Kolme", "Lund",
    "Mire", "Nook", "Osk", "Pell", "Quay", "Rowan", "Sund", "Torv", "Ulla", "Vik", "Wren", "Yarrow", "Zephyr", "Arke",
    "Birk", "Ceder", "Drift", "Elm", "Fjell", "Gorse", "Heath", "Iver", "Kvist", "Linden", "Moor", "Nor", "Orkla",
)  # fmt: skip
_TAGS: Final = {
    "recycled": "recycled", "organic": "organic", "merino": "wool", "wool": "wool", "lambswool": "wool",
    "waxed": "water-repellent", "laminate": "waterproof", "tarpaulin": "waterproof", "oak": "wood", "walnut": "wood",
    "stoneware": "handmade", "forged": "handmade", "beeswax": "natural", "soy": "natural", "linen": "natural",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One item of the demo shop. ``appeal`` is how much it draws inside its category; few draw a lot."""

    item_id: str
    title: str
    description: str
    category: Category
    brand: str
    colour: str
    material: str
    size: str
    price_minor: int
    sale_price_minor: int | None
    cost_minor: int
    stock: int
    availability: str
    group_id: str
    tags: tuple[str, ...]
    first_seen_at: datetime
    appeal: float

    @property
    def paid_minor(self) -> int:
        """What a shopper pays now."""
        return self.price_minor if self.sale_price_minor is None else self.sale_price_minor


def make_products(*, end: datetime, seed: int = SEED, n_products: int = N_PRODUCTS) -> list[Product]:
    """Return the whole shop as it stands at ``end``: sorted by category, ids stable for one seed and size."""
    products: list[Product] = []
    for number, category in enumerate(CATEGORIES):
        share = n_products * (number + 1) // len(CATEGORIES) - n_products * number // len(CATEGORIES)
        made = _make_category(category, number + 1, end, Random(f"{seed}/{category.slug}"))
        products.extend(next(made) for _ in range(share))
    return products


def _make_category(category: Category, number: int, end: datetime, chance: Random) -> Iterator[Product]:
    """Yield products of a category without end; colours of one product share its group."""
    names = [(brand, series) for brand in category.brands for series in _SERIES]
    chance.shuffle(names)
    colours = chance.sample(list(COLOURS), k=10)
    serial = 0
    for model, (brand, series) in enumerate(names):
        noun, size, material = (
            chance.choice(category.nouns), chance.choice(category.sizes), chance.choice(category.materials),
        )  # fmt: skip
        price = _price(category.price * BRANDS[brand].level * math.exp(chance.gauss(0, 0.22)))
        on_sale = chance.random() < 0.14
        # Most of the range is old; every eighth model arrived while the shoppers were watched.
        age_days = chance.uniform(0, HISTORY_DAYS - 4) if chance.random() < 0.12 else chance.uniform(70, 700)
        # Zipf-like: the first models of a category draw most.
        appeal = (1 + model) ** -0.75 * math.exp(chance.gauss(0, 0.35))
        variants = chance.sample(colours, k=chance.choices((1, 2, 3), weights=(70, 20, 10))[0])
        for colour in variants:
            serial += 1
            item_id = f"FF{number:02d}{serial:03d}"
            title = f"{series} {noun} {size}".removesuffix(" one size")
            title += f", {colour}" if len(variants) > 1 else ""
            stock = 0 if chance.random() < 0.04 else 1 + int(chance.expovariate(1 / 35))
            yield Product(
                item_id=item_id,
                title=title,
                description=_description(category, brand, material, chance),
                category=category,
                brand=brand,
                colour=colour,
                material=material,
                size=size,
                price_minor=price,
                sale_price_minor=_price(price / 100 * chance.uniform(0.7, 0.9)) if on_sale else None,
                cost_minor=round(price * chance.uniform(0.42, 0.62)),
                stock=stock,
                availability="in_stock" if stock else chance.choice(("out_of_stock", "out_of_stock", "preorder")),
                group_id=f"G{number:02d}{model:03d}" if len(variants) > 1 else "",
                tags=_tags(material, on_sale=on_sale, age_days=age_days),
                first_seen_at=end - timedelta(days=age_days),
                appeal=appeal / len(variants),
            )


def _price(euros: float) -> int:
    """Return a price as shops write it, in cents: 18.90, 64.95, 549.00."""
    if euros < 10:
        return round(euros * 2) * 50 - 5
    if euros < 100:
        return round(euros) * 100 - 5
    return round(euros / 10) * 1000 - 100


def _description(category: Category, brand: str, material: str, chance: Random) -> str:
    first, second = chance.sample(category.benefits, k=2)
    return f"{first}. {second}. In {material}. {BRANDS[brand].story}"


def _tags(material: str, *, on_sale: bool, age_days: float) -> tuple[str, ...]:
    tags = [tag for word, tag in _TAGS.items() if word in material.split()]
    if on_sale:
        tags.append("sale")
    if age_days < 30:
        tags.append("new")
    return tuple(dict.fromkeys(tags))
