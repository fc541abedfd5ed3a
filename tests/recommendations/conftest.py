"""A shop in the database, its states in a real Redis, and the hot endpoints to ask."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from features import keys
from features.catalogue.site import watch_catalogue
from features.models import Item
from features.state import states
from features.store import connections
from recommendations.serving import service
from recommendations.state import item_counts, models
from recommendations.state import site as serving_site
from recommendations.state.placements import ensure_default_placements, watch_placements
from tracking.access import sites
from tracking.models import Site
from tracking.redis_client import connect
from tracking.snapshots import by_site

_numbers = itertools.count()
ANONYMOUS = "0123456789abcdef0123456789abcdef"


@dataclass
class Shop:
    """A site with items, placements and keys, loaded as a web process loads it."""

    site: Site
    publishable: str
    secret: str
    redis_url: str
    items: dict[str, Item] = field(default_factory=dict)

    def add(self, item_id: str, **values: Any) -> Item:
        defaults = {"title": item_id, "price_minor": 1000, "currency": "EUR", "category": "Things"}
        self.items[item_id] = Item.objects.create(site=self.site, item_id=item_id, **{**defaults, **values})
        return self.items[item_id]

    def load(self) -> serving_site.SiteState:
        """Load everything again, as announcements would make it."""
        sites.keys.reload()
        serving_site.watch_site(self.site.slug)
        models.watch_models(self.site.slug).reload()
        item_counts.watch_item_counts(self.site.slug).reload()
        watch_catalogue(self.site.slug).reload()
        return load_site(self.site.slug)

    def remember(
        self,
        *item_ids: str,
        anonymous_id: str = ANONYMOUS,
        user_key: str | None = None,
        now_ms: int,
        kind: str = "v",
        cart: tuple[str, ...] = (),
    ) -> None:
        """Write what the stream worker would have written after views of these items, oldest first."""
        state = states.SessionState(newest_ms=now_ms)
        for age, item_id in enumerate(reversed(item_ids)):
            state.recents[kind + item_id] = now_ms - age * 1000
        user_key = user_key or f"a:{anonymous_id}"
        partition = keys.partition_of(self.site.slug, user_key, connections.partitions())
        client = connect(self.redis_url, timeout_s=2)
        client.set(keys.session(partition, self.site.slug, user_key), states.encode(state), ex=600)
        profile = states.ProfileState(newest_ms=now_ms, sessions=[[now_ms - 60_000, now_ms, len(item_ids)]])
        profile.cart = {item_id: [now_ms, 1] for item_id in cart}
        client.set(keys.profile(partition, self.site.slug, user_key), states.encode(profile), ex=600)
        client.close()


def load_site(site: str) -> serving_site.SiteState:
    """Load what a site is served from in this thread, and return it."""
    serving = serving_site.watch_site(site).reload()
    return serving_site.SiteState(site=site, placements=watch_placements(site).reload(), serving=serving)


def forget_lists() -> None:
    """Empty the cache of lists."""
    service._cache.clear()
    service._late.clear()


def _forget() -> None:
    by_site.close_all()
    forget_lists()


@pytest.fixture
def shop(transactional_db: None, redis_url: str, settings: Any, tmp_path: Any) -> Iterator[Shop]:
    """Return a shop with the usual placements and no items."""
    settings.REDIS_URL = redis_url
    settings.EVENT_LOG_URL = redis_url
    settings.DATA_DIR = tmp_path / "data"
    settings.MODEL_DIR = tmp_path / "models"
    settings.BUDGET_MS = 2_000
    settings.REDIS_TIMEOUT_MS = 500
    connections.drop_clients()
    _forget()
    old = sites.keys._value
    yield _new_shop(redis_url)
    sites.keys._value = old
    _forget()
    connections.drop_clients()


@pytest.fixture
def second_shop(shop: Shop) -> Shop:
    """Return another shop of the same installation, loaded, without items."""
    other = _new_shop(shop.redis_url)
    other.load()
    return other


def _new_shop(redis_url: str) -> Shop:
    site = Site.objects.create(
        slug=f"shop{next(_numbers)}", name="Shop", requests_per_minute=0, address_requests_per_minute=0
    )
    publishable = sites.create_key(site, "pk")[1]
    secret = sites.create_key(site, "sk")[1]
    ensure_default_placements(site)
    return Shop(site=site, publishable=publishable, secret=secret, redis_url=redis_url)
