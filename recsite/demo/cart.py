"""The shopper's cart: item ids and quantities in a signed cookie, so that browsing writes no database row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from features.models import Item
from features.money import to_major
from tracking.models import Site

COOKIE: Final = "shop_cart"
MAX_LINES: Final = 40
MAX_QUANTITY: Final = 20


@dataclass(frozen=True, slots=True)
class Line:
    """An item in the cart."""

    item: Item
    quantity: int
    unit_minor: int

    @property
    def total_minor(self) -> int:
        """What the line costs."""
        return self.unit_minor * self.quantity


class Cart:
    """A cart as it was when the request came, and as it shall be afterwards."""

    def __init__(self, quantities: Mapping[str, int]) -> None:
        self.quantities = dict(quantities)

    @classmethod
    def of(cls, request: HttpRequest) -> Cart:
        """Return the cart of the request; one that cannot be read is empty."""
        raw = request.get_signed_cookie(COOKIE, default="{}", max_age=30 * 86_400) or "{}"
        try:
            found = json.loads(raw)
        except ValueError:
            return cls({})
        return cls({str(item_id): int(quantity) for item_id, quantity in found.items()})

    @property
    def count(self) -> int:
        """How many pieces are in it."""
        return sum(self.quantities.values())

    def add(self, item_id: str, quantity: int = 1) -> None:
        """Put pieces of an item into the cart, as far as it has room."""
        if item_id in self.quantities or len(self.quantities) < MAX_LINES:
            self.put(item_id, self.quantities.get(item_id, 0) + quantity)

    def put(self, item_id: str, quantity: int) -> None:
        """Set how many pieces of an item there are; none takes it out."""
        if quantity > 0:
            self.quantities[item_id] = min(quantity, MAX_QUANTITY)
        else:
            self.quantities.pop(item_id, None)

    def lines(self, site: Site) -> list[Line]:
        """Return the cart with its items, in the order in which they were put in; one query."""
        items = {item.item_id: item for item in Item.objects.filter(site=site, item_id__in=self.quantities)}
        return [
            Line(items[item_id], quantity, paid_minor(items[item_id]) or 0)
            for item_id, quantity in self.quantities.items()
            if item_id in items
        ]

    def save(self, response: HttpResponse, *, is_secure: bool) -> None:
        """Write the cart into the response."""
        response.set_signed_cookie(
            COOKIE, json.dumps(self.quantities), max_age=30 * 86_400, httponly=True, samesite="Lax", secure=is_secure
        )


def paid_minor(item: Item) -> int | None:
    """Return what a shopper pays for an item now."""
    return item.paid_minor(at=timezone.now())


def event_item(item: Item, quantity: int = 1) -> dict[str, object]:
    """Return an item as GA4's e-commerce events name it."""
    names = [name.strip() for name in item.category.split(">") if name.strip()]
    paid = paid_minor(item)
    fields: dict[str, object] = {
        "item_id": item.item_id,
        "item_name": item.title,
        "item_brand": item.brand,
        **{f"item_category{level or ''}": name for level, name in zip(("", 2, 3, 4, 5), names, strict=False)},
        "quantity": quantity,
    }
    if paid is not None:
        fields["price"] = to_major(paid, item.currency)
    return fields
