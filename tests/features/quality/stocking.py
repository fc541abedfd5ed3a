"""A site about which there is something of everything to say."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from tracking import keys
from tracking.quality.counts import HOUR_MS, Sample

COUNTS = {
    "events|view_item|browser": 48_210, "events|page_view|browser": 61_004, "events|add_to_cart|browser": 5_120,
    "events|purchase|browser": 804, "events|purchase|server": 801, "events|search|browser": 3_310,
    "mended|price|re-read": 4_402, "mended|item_id|renamed": 920, "mended|currency|re-read": 12,
    "refused|params.items|invalid_event": 1_870, "refused|event|unknown_event": 31,
    "orders|EUR": 1_560, "orders|JPY": 41, "orders|(none)": 4, "orders_again|count": 790,
    "clocks|within 2 s": 58_000, "clocks|within a minute": 2_400, "clocks|hours ahead": 30, "clocks|not sent": 801,
    "warnings|user_id_placeholder": 210, "warnings|anonymous_id_missing": 4,
    "pages|/product": 2_900, "acting_pages|/product": 2_850, "pages|/magazine": 411,
}  # fmt: skip
SAMPLES = {
    "mended|price|re-read": (
        "events[0].params.items[0].price", '"1.299,00 €"', "1299.0", "send it in the contract's form"
    ),
    "mended|item_id|renamed": (
        "events[0].params.items[0].id", '"SKU-77"', "SKU-77", "send it under the name that the contract gives it"
    ),
    "refused|params.items|invalid_event": (
        "events[0].params.items", "", None, "is missing or empty; send at least one item"
    ),
    "refused|event|unknown_event": (
        "events[0].event", "", None, "'veiw_item' is not a known event; did you mean 'view_item'?"
    ),
    "orders_again|count": ("params.transaction_id", "A-100482", None, "send an order once"),
}  # fmt: skip


def stock(client: Any, site: str) -> None:
    """Write the counts of this hour and day, and a sample of each."""
    hour = time.time_ns() // 1_000_000 // HOUR_MS
    for key, factor in ((keys.quality_hour(site, hour), 1), (keys.quality_day(site, hour // 24), 9)):
        for name, count in COUNTS.items():
            client.hset(key, name, count * factor)
        client.expire(key, 3_600)
    for name, (path, value, became, remedy) in SAMPLES.items():
        sample = Sample(at_ms=hour * HOUR_MS, path=path, value=value, became=became, remedy=remedy)
        client.hset(keys.quality_samples(site, hour // 24), name, msgspec.json.encode(sample))
    client.expire(keys.quality_samples(site, hour // 24), 3_600)
