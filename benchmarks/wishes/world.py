"""A small shop in which each wish has a list of its own; ``python -m benchmarks.wishes.world`` prints JSON about it.

Item ``i<n>`` of 48 is looked at the more the smaller ``n`` is, so that lists without rules begin with ``i1``. Three
items that follow each other are of one brand. ``i41`` to ``i44`` are the new collection, ``i31`` to ``i36`` the sale.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import Any, Final

import django

N_ITEMS: Final = 48
BRANDS: Final = ("Nordlys", "Fjell", "Hav", "Skog", "Sol", "Vind")
CATEGORIES: Final = ("Women > Shoes", "Women > Bags", "Home > Candles", "Home > Lamps")
COLLECTION: Final = range(41, 45)
SALE: Final = range(31, 37)
SCARCE: Final = (2, 5)
"""Items of which two pieces are left."""
MEMBER: Final = "anna"
"""A shopper whom the shop knows, of the segment ``champions``; she bought one item before."""

LISTS: Final = {
    "home_for_you": ("trending", "Picked for you"),
    "home_trending": ("trending", "What others look at"),
    "home_offers": ("trending", "Offers"),
    "home_brands": ("trending", "Brands"),
    "home_app": ("trending", "In the app"),
    "category_top": ("trending", "Most wanted"),
    "category_variety": ("trending", "From all brands"),
    "category_stock": ("trending", "Still there"),
    "search_top": ("trending", "For your search"),
    "landing_summer": ("trending", "Welcome"),
    "landing_season": ("trending", "The season"),
    "landing_hero": ("trending", "Start here"),
    "landing_news": ("trending", "News"),
    "landing_vip": ("trending", "For members"),
    "landing_sale": ("trending", "Sale"),
    "landing_trial": ("trending", "A try"),
    "product_brand": ("similar", "More of the brand"),
    "product_price": ("similar", "At this price"),
    "product_similar": ("similar", "You may prefer"),
    "cart_last": ("trending", "Before you go"),
}
"""Name, strategy and heading of each list."""


def main() -> None:
    """Make the shop and print its keys, a session of a superuser, and what the wishes need to know."""
    django.setup()
    from django.core.management import call_command

    from benchmarks.console_pages.world import open_session

    call_command("migrate", verbosity=0)
    site, key, secret = _site()
    _items(site)
    _counts(site)
    _member(site)
    _steered(site)
    sys.stdout.write(json.dumps({"key": key, "secret": secret, "session": open_session(), "member": MEMBER}))


def _site() -> tuple[Any, str, str]:
    from recommendations.models import Placement
    from tracking.access import sites
    from tracking.models import Site

    site = Site.objects.create(
        slug="shop", name="Shop", url="https://shop.example", time_zone="Europe/Berlin", requests_per_minute=0,
        address_requests_per_minute=0,
    )  # fmt: skip
    for name, (strategy, heading) in LISTS.items():
        Placement.objects.create(site=site, name=name, strategy=strategy, heading=heading, size=8)
    return site, sites.create_key(site, "pk")[1], sites.create_key(site, "sk")[1]


def _items(site: Any) -> None:
    from django.utils import timezone

    from features.models import Item

    now = timezone.now()
    for number in range(1, N_ITEMS + 1):
        tags = ["spring"] * (number in COLLECTION) + ["sale"] * (number in SALE)
        Item.objects.create(
            site=site, item_id=f"i{number}", title=f"{CATEGORIES[number % 4].split()[-1][:-1]} no. {number}",
            brand=BRANDS[(number - 1) // 3 % len(BRANDS)], category=CATEGORIES[number % 4], tags=tags,
            price_minor=2_000 + 250 * (number * 7 % N_ITEMS), currency="EUR", stock=2 if number in SCARCE else 60,
            url=f"https://shop.example/p/{number}", image_url=f"https://shop.example/p/{number}.jpg",
            first_seen_at=now - dt.timedelta(days=N_ITEMS - number),
        )  # fmt: skip
    # A catalogue of some age: the loader looks again at what changed within a minute of the newest change.
    Item.objects.update(updated_at=now - dt.timedelta(hours=1))


def _counts(site: Any) -> None:
    """Write what a stream worker would have counted: ``i1`` was looked at most."""
    import msgspec
    import numpy as np

    from features import keys
    from features.state.windows import FIRST_OF_VISITORS
    from features.store import connections
    from features.store.item_stats import BLOB_TTL_S, METRICS, WINDOWS, StatsBlob

    counts = np.zeros((N_ITEMS, len(WINDOWS), FIRST_OF_VISITORS), np.int64)
    counts[:, :, METRICS.index("views")] = (10 * (N_ITEMS - np.arange(N_ITEMS)))[:, None]
    now_ms = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
    blob = StatsBlob(
        made_at_ms=now_ms, event_time_ms=now_ms, item_ids=[f"i{number + 1}" for number in range(N_ITEMS)],
        counts=counts.tobytes(),
    )  # fmt: skip
    connections.client().set(keys.item_stats(site.slug), msgspec.msgpack.encode(blob), ex=BLOB_TTL_S)


def _member(site: Any) -> None:
    import msgspec

    from features import keys
    from features.state import states
    from features.state.user_features import Segment
    from features.store import connections

    now_ms = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
    session = states.SessionState(newest_ms=now_ms, recents={"vi9": now_ms})
    profile = states.ProfileState(
        newest_ms=now_ms, sessions=[[now_ms - 90_000, now_ms, 1]], recents=dict(session.recents),
        bought={"i9": now_ms - 86_400_000},
    )  # fmt: skip
    user_key, client = f"u:{MEMBER}", connections.client()
    partition = keys.partition_of(site.slug, user_key, connections.partitions())
    client.set(keys.session(partition, site.slug, user_key), states.encode(session), ex=86_400)
    client.set(keys.profile(partition, site.slug, user_key), states.encode(profile), ex=86_400)
    segment = msgspec.msgpack.encode(Segment("champions", 5, 5, 5))
    client.set(keys.segment(partition, site.slug, user_key), segment, ex=86_400)


def _steered(site: Any) -> None:
    """Publish what the wishes find there: a pin, a rule that was changed yesterday, and a campaign that runs."""
    from recommendations.models import Campaign, Placement, Rule
    from recommendations.state.placements import publish

    def rule(name: str, placement: str, **values: Any) -> Any:
        made = Rule.objects.create(site=site, name=name, **values)
        made.placements.set(Placement.objects.filter(site=site, name=placement))
        publish(made, author="bench")
        return made

    rule("Lamp first", "landing_hero", action="pin", items=["i47"], position=1)
    changed = rule("Bag first", "landing_news", action="pin", items=["i45"], position=1)
    changed.items, changed.revision = ["i46"], 1
    changed.save()
    publish(changed, author="bench")
    running = Campaign.objects.create(site=site, name="Season")
    rule("Season first", "landing_season", action="pin", items=["i40"], position=1, campaign=running)


if __name__ == "__main__":
    main()
