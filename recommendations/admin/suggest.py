"""What a merchandiser may mean while typing: items by id or title, categories, brands and tags of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from features.models import Item
from recommendations.admin.typed import ATTRIBUTES, understood, vocabulary
from tracking.models import Site
from tracking.staff.sites import seen
from tracking.templatetags.written import amount

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin

MAX_OFFERED: Final = 12
MAX_NAMED: Final = 200
MAX_TERM: Final = 100
MAX_TAGGED: Final = 5_000


def suggest(model_admin: ModelAdmin, request: HttpRequest) -> JsonResponse:
    """Answer ``kind`` and ``q`` with entries to choose from, or ``kind`` and ``names`` with what these entries are.

    Each entry is ``{"value", "label"}``; a name that nothing in the catalogue has comes with an empty label, and with
    the nearest name that something has as ``near``, if there is one.
    """
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    asked = request.GET
    site = _site(asked.get("site", ""))
    if site is None:
        return JsonResponse({"entries": []})
    kind = asked.get("kind", "")
    if "names" in asked:
        return JsonResponse({"entries": _named(site, kind, asked["names"])})
    term = asked.get("q", "").replace("\x00", "").strip()[:MAX_TERM]
    entries = [{"value": value, "label": label} for value, label in _offered(site, kind, term)]
    return JsonResponse({"entries": entries})


def _site(number: str) -> Site | None:
    sites = seen(Site.objects.filter(is_active=True))
    return sites.filter(pk=number).first() if number.isdecimal() else sites.first()


def _offered(site: Site, kind: str, term: str) -> list[tuple[str, str]]:
    if kind == "items":
        return [(item.item_id, _label(item)) for item in offered_items(site, term)]
    items = Item.objects.filter(site=site)
    if kind == "brands":
        brands = items.filter(brand__icontains=term).exclude(brand="").order_by("brand")
        return [(brand, brand) for brand in brands.values_list("brand", flat=True).distinct()[:MAX_OFFERED]]
    if kind == "categories":
        paths = items.filter(category__icontains=term).exclude(category="").order_by("category")
        levels = _levels(paths.values_list("category", flat=True).distinct()[: MAX_OFFERED * 4])
        return [(level, level) for level in levels if term.casefold() in level.casefold()][:MAX_OFFERED]
    if kind == "tags":
        return [(tag, tag) for tag in sorted(_tags(items)) if term.casefold() in tag.casefold()][:MAX_OFFERED]
    return []


def offered_items(site: Site, term: str) -> list[Item]:
    """Return a few items with all the words in their title or brand, or that their id begins with."""
    items = Item.objects.filter(site=site)
    for word in term.split():
        items = items.filter(Q(title__icontains=word) | Q(item_id__istartswith=word) | Q(brand__icontains=word))
    return list(items.order_by("title", "item_id")[:MAX_OFFERED])


def _named(site: Site, kind: str, text: str) -> list[dict[str, str]]:
    if kind not in ATTRIBUTES:
        return []
    wanted = understood(kind, [text], site)[:MAX_NAMED]
    known = _known(site, kind, wanted)
    near = vocabulary(site)
    entries = []
    for name in wanted:
        entries.append({"value": name, "label": known.get(name, "")})
        if name not in known and (nearest := near.nearest_value(ATTRIBUTES[kind], name)) is not None:
            entries[-1]["near"] = nearest
    return entries


def _known(site: Site, kind: str, wanted: list[str]) -> dict[str, str]:
    items = Item.objects.filter(site=site)
    if kind == "items":
        return {item.item_id: _label(item) for item in items.filter(item_id__in=wanted)}
    if kind == "brands":
        return {name: name for name in items.filter(brand__in=wanted).values_list("brand", flat=True).distinct()}
    if kind == "categories":
        by_name = {}
        for level in _levels(items.exclude(category="").values_list("category", flat=True).distinct()):
            by_name[level.casefold()] = level
            by_name.setdefault(level.rpartition(" > ")[2].casefold(), level)
        return {name: by_name[name.casefold()] for name in wanted if name.casefold() in by_name}
    if kind == "tags":
        return {tag: tag for tag in _tags(items)}
    return {}


def _label(item: Item) -> str:
    price = item.paid_minor(at=timezone.now())
    parts = [item.title, item.brand]
    if price is not None:
        parts.append(f"{amount(price, item.currency)} {item.currency}")
    if not item.is_recommendable:
        parts.append(_("cannot be shown now"))
    return " · ".join(part for part in parts if part)


def _levels(paths: Iterable[str]) -> list[str]:
    levels: dict[str, None] = {}
    for path in paths:
        names = path.split(" > ")
        for depth in range(1, len(names) + 1):
            levels.setdefault(" > ".join(names[:depth]))
    return list(levels)


def _tags(items: Any) -> set[str]:
    return {str(tag) for tags in items.exclude(tags=[]).values_list("tags", flat=True)[:MAX_TAGGED] for tag in tags}
