"""The demo's products, their history, and a shop with some of them."""

from __future__ import annotations

from typing import Any

import pytest

from features.feeds import upsert_items
from recsite.demo.catalogue import SEED, Product, make_products
from recsite.demo.setup import ensure_placements, ensure_site
from recsite.demo.simulation.shoppers import record
from recsite.demo.source import item_row
from tests.recsite.demo.pages import END
from tracking.contract.events import EventRecord


@pytest.fixture(scope="session")
def products() -> list[Product]:
    return make_products(end=END)


@pytest.fixture(scope="session")
def history(products: list[Product]) -> list[EventRecord]:
    return list(record(products, end=END, seed=SEED, site="shop"))


@pytest.fixture
def shop(db: None, products: list[Product], settings: Any) -> list[Product]:
    settings.ROOT_URLCONF = "recsite.demo.urls"
    site, _ = ensure_site()
    ensure_placements(site)
    some = [product for product in products if product.category.slug in ("backpack", "mug", "tent", "bottle")]
    upsert_items(site, map(item_row, some))
    return some
