"""What a site knows is there without asking the database, and an item that arrives is known at the next look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from features.catalogue import known
from features.catalogue.known import KnownItems, keys_of_site, loaded_keys_of_site
from features.feeds import upsert_items
from features.models import Item
from recommendations.models import Placement
from tracking.models import Site
from tracking.snapshots import by_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    made = Site.objects.create(slug="shop", name="Shop")
    upsert_items(made, [{"item_id": "mug", "title": "Mug", "group_id": "mugs"}, {"item_id": "pan", "title": "Pan"}])
    return made


def test_items_and_their_groups_are_known_and_a_new_one_at_the_next_look(
    site: Site, django_assert_num_queries: Any
) -> None:
    items = KnownItems("shop")
    assert (items.load().ids, items.n_items) == ({"mug", "mugs", "pan"}, 2)

    upsert_items(site, [{"item_id": "new", "title": "New"}])
    with django_assert_num_queries(1):
        items.load()

    assert (items.ids, items.n_items) == ({"mug", "mugs", "pan", "new"}, 3)


def test_only_what_changed_is_read_again(site: Site) -> None:
    clock = [datetime.now(UTC)]
    items = KnownItems("shop", clock=lambda: clock[0]).load()
    clock[0] += timedelta(days=1)
    items.load()
    Item.objects.filter(item_id="pan").update(item_id="renamed", updated_at=clock[0] - 2 * known.OVERLAP)

    assert "renamed" not in items.load().ids  # a change that nobody dated is found by the next worker


def test_a_site_is_unknown_until_it_was_loaded(site: Site) -> None:
    by_site.close_all()
    assert keys_of_site("shop") is None

    Placement.objects.create(site=site, name="home", strategy="trending")
    loaded = loaded_keys_of_site("shop")
    again = keys_of_site("shop")
    by_site.close_all()

    assert again is not None
    assert loaded.n_items == again.n_items == 2
    assert "mugs" in again.items
    assert "home" in again.placements
    assert "made-up" not in again.placements
