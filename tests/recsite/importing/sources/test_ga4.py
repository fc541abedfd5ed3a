"""GA4's export becomes events of the same names."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from recsite.importing.formats import open_source
from tests.recsite.importing.files import records, refusals, write


def ga4_row(name: str, micros: int, **more: Any) -> str:
    params = [
        {"key": "ga_session_id", "value": {"int_value": "1700000000"}},
        {"key": "page_location", "value": {"string_value": "https://shop.example/p"}},
        {"key": "currency", "value": {"string_value": "EUR"}},
        {"key": "search_term", "value": {"string_value": "mug"}},
    ]
    return json.dumps(
        {
            "event_name": name,
            "event_timestamp": str(micros),
            "user_pseudo_id": "123.456",
            "event_params": params,
            **more,
        }
    )


def test_ga4_rows_become_the_events_of_the_same_name(tmp_path: Path) -> None:
    mug = {
        "item_id": "mug", "item_name": "Mug", "item_brand": "(not set)", "item_category": "Kitchen",
        "item_category2": "Mugs", "price": 12.5, "quantity": 2, "item_list_index": "3", "promotion_id": "(not set)",
    }  # fmt: skip
    lines = [
        ga4_row("purchase", 3_000_000, items=[mug], ecommerce={"transaction_id": "T1", "purchase_revenue": 25.0}),
        ga4_row("view_search_results", 2_000_000),
        ga4_row("session_start", 1_000_000),
        ga4_row("view_item", 1_500_000, items=[mug], user_id="ada"),
        ga4_row("view_item", 4_000_000, items=[], user_id="ada"),
        ga4_row("view_item", 4_500_000, items=[mug], user_pseudo_id=None),
    ]
    source = open_source(write(tmp_path / "export.json", "\n".join(lines)), site="shop")

    view, search, purchase = records(source)

    assert (view.user_key, view.events[0].occurred_at_ms, view.events[0].session_id) == ("u:ada", 1_500, "1700000000")
    assert view.anonymous_id == search.anonymous_id == "ga4-" + hashlib.blake2b(b"123.456", digest_size=16).hexdigest()
    assert search.events[0].params.search_term == "mug"  # type: ignore[union-attr]
    bought = purchase.events[0].params
    assert (bought.transaction_id, bought.value, bought.currency) == ("T1", 25.0, "EUR")  # type: ignore[union-attr]
    assert (bought.items[0].quantity, bought.items[0].index, bought.items[0].item_brand) == (2, 3, None)  # type: ignore[union-attr]
    assert {line for line, _ in refusals(source)} == {5, 6}
    (item,) = source.items()
    assert (item["title"], item["category"], item["price"]) == ("Mug", ["Kitchen", "Mugs"], "12.50 EUR")
