"""Products that are made: the same for the same seed, and believable."""

from __future__ import annotations

from collections import defaultdict

from recsite.demo.assortment import BRANDS, CATEGORIES
from recsite.demo.catalogue import SEED, Product, make_products
from tests.recsite.demo.pages import END


def test_the_same_seed_makes_the_same_shop(products: list[Product]) -> None:
    assert make_products(end=END) == products
    assert make_products(end=END, seed=SEED + 1) != products


def test_products_are_believable(products: list[Product]) -> None:
    assert len({product.item_id for product in products}) == len(products) == 2_000
    assert {product.category for product in products} == set(CATEGORIES)
    for product in products:
        assert 0 < product.cost_minor < product.price_minor
        assert product.sale_price_minor is None or product.sale_price_minor < product.price_minor
        assert (product.stock > 0) == (product.availability == "in_stock")
        assert product.first_seen_at <= END


def test_dear_brands_are_dearer_than_cheap_ones(products: list[Product]) -> None:
    relative: dict[str, list[float]] = defaultdict(list)
    for product in products:
        relative[product.brand].append(product.price_minor / 100 / product.category.price)
    usual = {brand: sum(prices) / len(prices) for brand, prices in relative.items()}

    cheap = [usual[name] for name, brand in BRANDS.items() if brand.level < 0.8]
    dear = [usual[name] for name, brand in BRANDS.items() if brand.level > 1.3]
    assert max(cheap) < min(dear)
