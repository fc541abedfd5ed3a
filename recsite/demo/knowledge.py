"""What the shop knows about a user right now, read from the online store and put into words."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from features.exceptions import FeatureError
from features.models import Item
from features.state.user_features import Recent, UserFeatures
from features.store.reader import OnlineReader
from recsite.demo.shop import shop_page, the_site
from recsite.demo.simulation.personas import Persona, current_persona
from recsite.demo.views import shop_view
from tracking.access.identity import ANONYMOUS_COOKIE, well_formed_anonymous_id
from tracking.models import Site

READ_TIMEOUT_S: Final = 1.0
_WEIGHTS: Final = {"view": 1.0, "select": 1.5, "wishlist": 3.0, "cart": 4.0, "purchase": 6.0}
_FADE: Final = 0.92  # of one interaction to the next older one
_WORDS: Final = {
    "view": "looked at",
    "select": "clicked",
    "wishlist": "wished for",
    "cart": "put into the cart",
    "purchase": "bought",
}


@require_safe
@never_cache
@shop_view
def knowledge(request: HttpRequest) -> HttpResponse:
    """Show it: a whole page for people without scripts, a part of one for the drawer."""
    site = the_site()
    persona = current_persona(request)
    context = describe(site, persona, request.COOKIES.get(ANONYMOUS_COOKIE, ""))
    if request.headers.get("X-Drawer"):
        return render(request, "demo/_knowledge.html", context)
    return shop_page(request, "knowledge.html", **context)


def describe(site: Site, persona: Persona | None, anonymous_id: str) -> dict[str, Any]:
    """Return what the template says: who, what was done, and the tastes that follow from it."""
    try:
        features = asyncio.run(_read(site.slug, persona.user_id if persona else None, anonymous_id))
    except FeatureError as error:
        return {"site": site, "persona": persona, "error": str(error)}
    recents = features.recents[:24]
    items = {item.item_id: item for item in Item.objects.filter(site=site, item_id__in={r.item_id for r in recents})}
    done = [(recent, items[recent.item_id], _WORDS[recent.kind]) for recent in recents if recent.item_id in items]
    return {
        "site": site,
        "persona": persona,
        "anonymous_id": anonymous_id[:8],
        "features": features,
        "recents": done[:8],
        "tastes": _tastes(recents, items, "category"),
        "brands": _tastes(recents, items, "brand"),
    }


async def _read(site: str, user_id: str | None, anonymous_id: str) -> UserFeatures:
    reader = OnlineReader(timeout_s=READ_TIMEOUT_S)
    try:
        return await reader.read_user(site, user_id=user_id, anonymous_id=well_formed_anonymous_id(anonymous_id))
    finally:
        await reader.close()


def _tastes(recents: tuple[Recent, ...], items: dict[str, Item], field: str) -> list[dict[str, Any]]:
    """Return the four strongest values of a field, as shares of the strongest in percent."""
    weights: dict[str, float] = defaultdict(float)
    for age, recent in enumerate(recents):
        item = items.get(recent.item_id)
        value = getattr(item, field) if item else ""
        if value:
            weights[value.rpartition(" > ")[2]] += _WEIGHTS.get(recent.kind, 1.0) * _FADE**age
    strongest = sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))[:4]
    return [{"name": name, "percent": round(100 * weight / strongest[0][1])} for name, weight in strongest]
