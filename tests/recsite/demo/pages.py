"""What tests read off the demo shop's pages and its history."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse

from recsite.demo.catalogue import Product
from tracking.contract.events import EventRecord

END = datetime(2026, 11, 1, tzinfo=UTC)


def viewed(history: list[EventRecord]) -> list[tuple[str, str, int]]:
    return [
        (each.user_key, event.params.items[0].item_id, event.occurred_at_ms)  # type: ignore[union-attr]
        for each in history
        for event in each.events
        if type(event).__name__ == "ViewItem"
    ]


def in_stock(shop: list[Product]) -> Product:
    return next(product for product in shop if product.stock > 5)


def events_of(response: HttpResponse) -> list[Any]:
    found = re.search(r'<script id="page-events" type="application/json">(.*?)</script>', response.content.decode())
    assert found is not None
    events: list[Any] = json.loads(found[1])
    return events
