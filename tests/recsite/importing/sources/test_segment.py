"""Calls of Segment and RudderStack become our events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recsite.importing.formats import open_source
from tests.recsite.importing.files import records, refusals, write


def call(event: str, second: int, **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": event, "anonymousId": "anon", "timestamp": f"2021-03-01T00:00:0{second}Z", **more}


def test_calls_become_events_in_order_of_time(tmp_path: Path) -> None:
    products = [{"product_id": "a", "price": "9,50", "quantity": 2}, {"product_id": "b", "price": 1}]
    calls = [
        call("Order Completed", 3, userId="7", properties={"order_id": "T1", "revenue": 20, "products": products}),
        call("Product Added", 2, properties={"product_id": "a"}),
        call("Signed Up", 1),
        {"type": "identify", "userId": "7", "timestamp": "2021-03-01T00:00:00Z"},
        call("product_viewed", 1, properties={"sku": "a"}),
        call("Product Viewed", 1, anonymousId=None, userId="null", properties={"sku": "a"}),
    ]
    source = open_source(write(tmp_path / "log", "\n".join(map(json.dumps, calls))), site="shop")

    view, cart, bought = records(source)

    assert [type(record.events[0]).__name__ for record in (view, cart, bought)] == ["ViewItem", "AddToCart", "Purchase"]
    params = bought.events[0].params
    assert (params.transaction_id, params.value) == ("T1", 20.0)  # type: ignore[union-attr]
    assert [(item.item_id, item.price, item.quantity) for item in params.items] == [("a", 9.5, 2), ("b", 1.0, 1)]  # type: ignore[union-attr]
    assert (bought.user_id, bought.anonymous_id) == ("7", view.anonymous_id)
    assert [line for line, _ in refusals(source)] == [6]
