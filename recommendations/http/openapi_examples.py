"""One request for each operation that takes a body, as the document shows it; a test sends them to an installation."""

from __future__ import annotations

from typing import Any, Final

_USER: Final = "3f1c9a0e5b7d4a6c8e2f1b0d9c8a7e6f"

#: By operation of the document.
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "sendEvents": {
        "v": "1.0",
        "sent_at": 1767225600000,
        "anonymous_id": _USER,
        "events": [
            {
                "event": "add_to_cart",
                "event_id": "019b76da-a800-7c3e-9b1f-4f2d8c5a6e70",
                "ts": 1767225599000,
                "session_id": "s-1",
                "params": {
                    "currency": "EUR",
                    "value": 59.9,
                    "items": [{"item_id": "SKU1", "price": 59.9, "quantity": 1}],
                },
            }
        ],
    },
    "recommend": {
        "anonymous_id": _USER,
        "placements": [
            {"placement": "home_for_you", "limit": 8, "filter": 'price < 50 and category under "Shoes"'},
            {"placement": "product_similar", "context_items": ["SKU1"], "exclude": ["SKU7"]},
        ],
        "cart": ["SKU9"],
        "fields": ["item_id", "title", "price"],
    },
    "rank": {"anonymous_id": _USER, "items": ["SKU1", "SKU2", "SKU3"], "limit": 2},
    "writeItems": {
        "items": [
            {"item_id": "SKU1", "title": "Trail boots", "category": "Shoes > Boots", "price": "59.90 EUR", "stock": 12},
            {"item_id": "SKU2", "title": "City boots", "sale_price": 39.9, "price": 49.9, "currency": "EUR"},
        ]
    },
    "writeExchangeRates": {
        "rates": [
            {"day": "2026-11-27", "currency": "USD", "rate": 0.8625},
            {"day": "2026-11-27", "currency": "JPY", "rate": 0.00554, "worth_in": "EUR"},
        ]
    },
    "writeItem": {
        "title": "Trail boots",
        "availability": "in_stock",
        "tags": ["new"],
        "attributes": {"sole": "rubber"},
    },
}
