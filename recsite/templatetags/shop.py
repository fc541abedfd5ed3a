"""Template tags of the demo shop's pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from features.models import Item
from features.money import to_major
from recsite.demo.cart import paid_minor

register = template.Library()
_SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}


@register.filter
def money(minor: int | None, currency: str) -> str:
    """Return an amount as the shop writes it: ``€1,190.00``."""
    if minor is None:
        return ""
    symbol = _SYMBOLS.get(currency)
    amount = f"{to_major(minor, currency):,.2f}"
    return f"{symbol}{amount}" if symbol else f"{amount} {currency}".strip()


@register.simple_tag
def price(item: Item) -> SafeString:
    """Return what an item costs, with the old price struck through when it is on sale."""
    paid = paid_minor(item)
    if paid is None:
        return SafeString("")
    if paid == item.price_minor:
        return format_html('<span class="price">{}</span>', money(paid, item.currency))
    return format_html(
        '<span class="price is-sale"><span class="quiet">now </span>{} <s><span class="quiet">was </span>{}</s></span>',
        money(paid, item.currency),
        money(item.price_minor, item.currency),
    )


@register.filter
def category_url(path: str) -> str:
    """Return the address of a category's page."""
    return "/c/" + "/".join(quote(name.strip(), safe="") for name in path.split(">") if name.strip()) + "/"


@register.filter
def until(names: list[str], level: int) -> str:
    """Return the category path of the first ``level`` names, for breadcrumbs."""
    return " > ".join(names[:level])


@register.filter
def get(mapping: dict[str, Any], name: str) -> Any:
    """Return an entry of a mapping."""
    return mapping.get(name, "")


@register.filter
def ago(age_ms: int) -> str:
    """Return how long ago something happened, as people say it."""
    seconds = age_ms // 1000
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now" if seconds < 5 else f"{seconds} seconds ago"
