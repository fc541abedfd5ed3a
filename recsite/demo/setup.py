"""What the demo shop needs in the database: a site with a key, placements, somebody who may log in."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from django.contrib.auth import get_user_model
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.utils import timezone

from features.catalogue.site import announce_catalogue
from features.models import Item
from recommendations.models import Placement
from tracking.access.sites import ensure_default_site
from tracking.models import Site

SHOP_NAME: Final = "Fjord & Fern"
ADMIN_NAME: Final = "admin"

_REPEATS: Final = Placement.Repeats
PLACEMENTS: Final = (
    ("home_for_you", "Picked for you", "for_you", 8, _REPEATS.HIDE_PURCHASED),
    ("home_trending", "What others look at today", "trending", 8, _REPEATS.ALLOW),
    ("home_new", "Just arrived", "new", 8, _REPEATS.ALLOW),
    ("product_similar", "You may prefer", "similar", 8, _REPEATS.ALLOW),
    ("product_bought_together", "Goes well with it", "bought_together", 4, _REPEATS.HIDE_PURCHASED),
    ("product_also_viewed", "Others also looked at", "also_viewed", 8, _REPEATS.ALLOW),
    ("cart_cross_sell", "Goes with your cart", "cart", 4, _REPEATS.HIDE_PURCHASED),
    ("recently_viewed", "Seen a moment ago", "recently_viewed", 8, _REPEATS.ALLOW),
    ("search_rerank", "Search results in your order", "rerank", 48, _REPEATS.ALLOW),
)


def ensure_site(*, name: str = SHOP_NAME, currency: str = "EUR") -> tuple[Site, str]:
    """Return the site of the demo shop and its publishable key, making both where they are missing."""
    site, key = ensure_default_site()
    changed = []
    if site.name == "My shop":
        site.name, site.currency = name, currency
        changed = ["name", "currency"]
    if not site.token_secret:
        site.token_secret = secrets.token_urlsafe(48)  # the shop signs its shoppers' tokens with it
        changed.append("token_secret")
    if changed:
        site.save(update_fields=changed)
    return site, key


def ensure_placements(site: Site) -> int:
    """Make the placements that the shop's pages name, where they are missing; return how many were made."""
    made = 0
    for name, heading, strategy, size, repeats in PLACEMENTS:
        defaults = {"heading": heading, "strategy": strategy, "size": size, "repeats": repeats}
        _, is_new = Placement.objects.get_or_create(site=site, name=name, defaults=defaults)
        made += is_new
    return made


def give_pages(site: Site) -> int:
    """Give items that a log brought in without an address a page and a picture in the demo shop; return how many."""
    plain = Item.objects.filter(site=site, url="", image_url="", item_id__regex=r"^[A-Za-z0-9._-]+$")
    changed = plain.update(
        url=Concat(Value("/p/"), F("item_id"), Value("/")),
        image_url=Concat(Value("/demo/pictures/"), F("item_id"), Value(".svg")),
        updated_at=timezone.now(),
    )
    if changed:
        announce_catalogue(site.slug)
    return changed


def ensure_admin(password_path: Path) -> str | None:
    """Make the staff user of the demo and keep its password in a file that its owner alone can read.

    Returns
    -------
    str or None
        The password, ``None`` when the user was there before and its password is not ours.
    """
    users = get_user_model().objects
    if users.filter(username=ADMIN_NAME).exists():
        return password_path.read_text().strip() if password_path.exists() else None
    password = secrets.token_urlsafe(12)
    users.create_superuser(username=ADMIN_NAME, email="", password=password)
    password_path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(password_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(password + "\n")
    return password
