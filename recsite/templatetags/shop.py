"""Template tags of the demo shop's pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django import template

from features.models import Item
from features.money import written
from recsite.demo.cart import paid_minor

register = template.Library()
_SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}


@register.filter
def money(minor: int | None, currency: str) -> str:
    """Return an amount as the shop writes it: ``€1,190.00``."""
    if minor is None:
        return ""
    symbol = _SYMBOLS.get(currency)
    amount = written(minor, currency)
    return f"{symbol}{amount}" if symbol else f"{amount} {currency}".strip()


@register.inclusion_tag("demo/_price.html")
def price(item: Item) -> dict[str, Any]:
    """Show what an item costs, with the old price struck through when it is on sale."""
    paid = paid_minor(item)
    return {"paid": paid, "old": None if paid == item.price_minor else item.price_minor, "currency": item.currency}


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
