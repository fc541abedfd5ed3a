"""A site at size: items, published rules, and roll-ups of a hundred million attributed events; made in one process.

``python -m benchmarks.console_pages.world ITEMS RULES DAYS`` prints JSON: the publishable key, a session of a superuser
and the addresses of the console's pages.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import django

EVENTS: Final = 100_000_000
PLACEMENTS: Final = (
    "home_for_you", "home_trending", "home_new", "product_similar", "product_bought_together", "product_also_viewed",
    "cart_cross_sell", "search_rerank", "category_top", "recently_viewed",
)  # fmt: skip
VERSIONS: Final = ("20260901-1", "20260908-1")
BATCH: Final = 5_000
SKIPPED: Final = (
    "logout",
    "jsi18n",
    "password",
    "view_on_site",
    "autocomplete",
    "login",
    "csv",
    "events",
    "seen",
    "suggest",
)
"""Pages that are none: data for scripts, files, and what ends the session."""


def main() -> None:
    """Make the site and print what the benchmark needs."""
    django.setup()
    from django.core.management import call_command

    n_items, n_rules, n_days = map(int, sys.argv[1:4])
    call_command("migrate", verbosity=0)
    site, key = _site()
    _items(site, n_items)
    _rules(site, n_rules, n_items)
    _roll_ups(site, n_days, n_items)
    sys.stdout.write(
        json.dumps({"key": key, "session": open_session(), "site": site.slug, "pages": list(_pages(site))})
    )


def _site() -> tuple[Any, str]:
    from recommendations.models import Placement
    from tracking.access import sites
    from tracking.models import Site

    site = Site.objects.create(slug="shop", name="Shop", url="https://shop.example", time_zone="Europe/Berlin")
    Placement.objects.bulk_create(Placement(site=site, name=name, strategy="trending", size=8) for name in PLACEMENTS)
    _, key = sites.create_key(site, "pk")
    return site, key


def _items(site: Any, n_items: int) -> None:
    from features.models import Item

    for start in range(1, n_items + 1, BATCH):
        Item.objects.bulk_create(
            Item(
                site=site, item_id=f"sku{number}", title=f"Item number {number}", brand=f"Brand {number % 500}",
                category=f"Department {number % 20} > Category {number % 400}", price_minor=100 + number % 90_000,
                currency="EUR", image_url="https://shop.example/p.jpg", url=f"https://shop.example/p/{number}",
                availability="in_stock", tags=[f"tag{number % 50}"],
            )
            for number in range(start, min(start + BATCH, n_items + 1))
        )  # fmt: skip


def _rules(site: Any, n_rules: int, n_items: int) -> None:
    import msgspec
    from django.utils import timezone

    from recommendations.models import Rule
    from recommendations.state import placements

    kinds: tuple[dict[str, Any], ...] = (
        {"action": "boost", "strength": 2.0, "brands": ["Brand 7"]},
        {"action": "bury", "strength": 3.0, "tags": ["tag9"]},
        {"action": "exclude"},
        {"action": "pin", "position": 3},
    )
    for number in range(n_rules):
        values = dict(kinds[number % len(kinds)])
        if "brands" in values or "tags" in values:
            values = {**values, "categories": [f"Department {number % 20} > Category {number % 400}"]}
        else:
            values["items"] = [f"sku{1 + (number * 7_919 + part) % n_items}" for part in range(3)]
        rule = Rule.objects.create(site=site, name=f"Rule {number}", segments=[f"segment {number % 40}"], **values)
        rule.placements.add(site.placements.get(name=PLACEMENTS[number % len(PLACEMENTS)]))
        if number < n_rules - 1:
            document = msgspec.to_builtins(placements.rule_spec(rule))
            Rule.objects.filter(pk=rule.pk).update(published=document, published_at=timezone.now())


def _roll_ups(site: Any, n_days: int, n_items: int) -> None:
    from django.utils import timezone

    from recommendations.models import ReportHour, ReportItemDay, ReportState
    from recommendations.reports.credit import ATTRIBUTIONS
    from recommendations.reports.rollup import ITEMS_A_DAY, ITEMS_A_LIST

    today = timezone.now().date()
    hours = n_days * 24
    a_row = max(1, EVENTS // (hours * len(PLACEMENTS) * len(VERSIONS)))
    epoch = dt.date(1970, 1, 1)

    def hour_rows() -> Iterator[Any]:
        for back in range(n_days):
            day = today - dt.timedelta(days=back)
            utc_day = (day - epoch).days
            for hour in range(24):
                at = utc_day * 86_400 + hour * 3_600
                for position, name in enumerate(PLACEMENTS):
                    for version in VERSIONS:
                        common = {
                            "site": site,
                            "utc_day": utc_day,
                            "hour": at,
                            "placement": name,
                            "model_version": version,
                        }
                        yield ReportHour(**common, lists=a_row // 8, impressions=a_row, clicks=a_row // (20 + position))
                        for key in ATTRIBUTIONS:
                            yield ReportHour(
                                **common, attribution=key, carts=a_row // 90, orders=a_row // 300, units=a_row // 280,
                                revenue=a_row * (10 + hour),
                            )  # fmt: skip

    def item_rows() -> Iterator[Any]:
        for back in range(n_days):
            day = today - dt.timedelta(days=back)
            for name, most in (("", ITEMS_A_DAY), *((one, ITEMS_A_LIST) for one in PLACEMENTS)):
                for number in range(min(most, n_items)):
                    yield ReportItemDay(
                        site=site, utc_day=(day - epoch).days, day=day, placement=name,
                        item_id=f"sku{1 + (number * 31 + back * 17) % n_items}", impressions=900, clicks=40,
                        orders=2, revenue=1_000 + (number * back) % 7_000,
                    )  # fmt: skip

    for model, rows in ((ReportHour, hour_rows()), (ReportItemDay, item_rows())):
        batch: list[Any] = []
        for row in rows:
            batch.append(row)
            if len(batch) == BATCH:
                model.objects.bulk_create(batch)
                batch = []
        model.objects.bulk_create(batch)
    ReportState.objects.create(site=site)


def open_session() -> str:
    """Return the session of a new superuser, who is logged in."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.db import SessionStore

    user = get_user_model().objects.create_superuser("bench", password=None)
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return str(store.session_key)


def _pages(site: Any) -> Iterator[str]:
    """Yield the address of every page: of those about a row, of the newest row that there is."""
    from django.contrib import admin
    from django.urls import NoReverseMatch, URLPattern, reverse

    newest = {
        f"{model._meta.app_label}_{model._meta.model_name}": model._base_manager.order_by("-pk")
        .values_list("pk", flat=True)
        .first()
        for model in admin.site._registry
    }

    def walked(patterns: Any) -> Iterator[URLPattern]:
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                yield pattern
            else:
                yield from walked(pattern.url_patterns)

    seen: set[str] = set()
    for pattern in walked(admin.site.urls[0]):
        name = pattern.name or ""
        if not name or any(part in name for part in SKIPPED):
            continue
        model = max((one for one in newest if name.startswith(one)), key=len, default="")
        n_arguments = str(pattern.pattern).count("<")
        number = newest.get(model)
        if n_arguments > 1 or (n_arguments and number is None):
            continue
        try:
            address = reverse(f"admin:{name}", args=[number] * n_arguments)
        except NoReverseMatch:
            continue
        if address not in seen:
            seen.add(address)
            yield address
    for query in ("?days=28", "?by=item&span=28", "?by=day&span=28&attribution=linear_7d"):
        where = "admin:index" if "days" in query else "admin:recommendations_savedview_report"
        yield reverse(where) + query


if __name__ == "__main__":
    main()
