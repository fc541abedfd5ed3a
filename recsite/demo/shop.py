"""What the shop's pages share: the site, its categories, who is looking, and the events a page has to tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from features.models import Item
from recsite.demo.assortment import BY_PATH, DEPARTMENTS
from recsite.demo.cart import Cart
from recsite.demo.simulation.personas import current_persona, personas
from tracking.access.identity import sign_token
from tracking.access.sites import ensure_default_site
from tracking.models import Site

PAGE_SIZE: Final = 24
SORTS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "best": ("Best first", ()),
    "new": ("Newest", ("-first_seen_at", "item_id")),
    "low": ("Price: low to high", ("price_minor", "item_id")),
    "high": ("Price: high to low", ("-price_minor", "item_id")),
}

Event = tuple[str, dict[str, Any]]


def the_site() -> Site:
    """Return the site whose shop this is."""
    site = Site.objects.order_by("pk").first()
    if site is None:
        raise Http404("there is no site yet; run `manage.py demo_data`")
    return site


def offered(site: Site) -> QuerySet[Item]:
    """Return the items that are for sale."""
    return Item.objects.filter(site=site, is_active=True)


def departments(site: Site) -> list[dict[str, Any]]:
    """Return the category tree with counts: ours in its own order, another log's by size; one query."""
    counts = offered(site).exclude(category="").values_list("category").annotate(n=Count("pk"))
    tree: dict[str, dict[str, Any]] = {name: {"name": name, "count": 0, "categories": []} for name in DEPARTMENTS}
    order = {path: number for number, path in enumerate(BY_PATH)}
    tones = dict(zip(DEPARTMENTS, ("moss", "rust", "sky", "plum", "clay", "mustard", "teal", "ink"), strict=True))
    for path, count in sorted(counts, key=lambda entry: (order.get(entry[0], len(order)), -entry[1])):
        top, _, rest = path.partition(" > ")
        branch = tree.setdefault(top, {"name": top, "count": 0, "categories": []})
        branch["tone"] = tones.get(top, "")
        branch["count"] += count
        if rest:
            category = BY_PATH.get(path)
            branch["categories"].append(
                {"name": rest, "path": path, "count": count, "drawing": category.slug if category else ""}
            )
    return [branch for branch in tree.values() if branch["count"]][:12]


def shop_page(
    request: HttpRequest, template: str, *, site: Site, events: list[Event] | None = None, **context: Any
) -> HttpResponse:
    """Render a page of the shop with what every page needs."""
    persona = current_persona(request)
    token = ""
    if persona is not None and site.token_secret:
        token = sign_token(site.token_secret, site=site.slug, user_id=persona.user_id)
    _, key = ensure_default_site()
    return render(
        request,
        f"demo/{template}",
        {
            "site": site,
            "publishable_key": key,
            "departments": departments(site),
            "cart_count": Cart.of(request).count,
            "persona": persona,
            "personas": personas() if _has_personas(site) else (),
            "user_token": token,
            "page_events": events or [],
            "waits_for": waits_for(),
            **context,
        },
    )


def waits_for() -> str:
    """Return in words what the shop still waits for before its lists are personal; empty when for nothing."""
    try:
        return (Path(settings.DATA_DIR) / "demo_progress").read_text()
    except OSError:
        return ""


def _has_personas(site: Site) -> bool:
    """Return whether the simulated shoppers live here: not when a real log was loaded in their place."""
    return offered(site).filter(item_id="FF01001").exists()
