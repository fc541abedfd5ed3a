"""A shop's traffic for the fault tests: seeded, out of order within the lateness window, with re-sends."""

from __future__ import annotations

import random
import time

from tests.features.making import MINUTE_MS, event, record, wire

Wire = tuple[bytes, bytes]
START_MS = time.time_ns() // 1_000_000 - 30 * MINUTE_MS


def traffic(count: int, *, seed: int = 7, users: int = 300, resent: float = 0.05, hot: float = 0.0) -> list[Wire]:
    """Return about ``count`` events as records of one to five, some of them twice; a share ``hot`` by one user."""
    rnd = random.Random(seed)
    records: list[Wire] = []
    made = 0
    while made < count:
        size = min(rnd.randint(1, 5), count - made)
        user = 0 if rnd.random() < hot else rnd.randrange(users)
        # Time goes on through the traffic; single records are up to two minutes behind.
        at_ms = START_MS + made * 20 * MINUTE_MS // count - rnd.randrange(2 * MINUTE_MS)
        events = [_event(rnd, f"e{seed}-{made + n:09d}", at_ms + n) for n in range(size)]
        identity = {"user_id": f"user{user}"} if user % 5 == 0 else {}
        one = record(*events, anonymous_id=f"anonymous-{user:010d}", received_at_ms=at_ms + 5 * MINUTE_MS, **identity)
        records.append(wire(one))
        made += size
        if rnd.random() < resent:
            records.append(records[rnd.randrange(max(0, len(records) - 50), len(records))])
    return records


def _event(rnd: random.Random, event_id: str, at_ms: int) -> dict[str, object]:
    kind = rnd.choices(
        ["page_view", "view_item", "view_item_list", "select_item", "add_to_cart", "purchase", "search"],
        [10, 50, 10, 10, 10, 5, 5],
    )[0]
    if kind == "page_view":
        return event(kind, at_ms=at_ms, event_id=event_id)
    if kind == "search":
        return event(kind, at_ms=at_ms, event_id=event_id, search_term=rnd.choice(["lamp", "sofa", "desk"]))
    items = [{"item_id": f"item{rnd.randrange(400)}", "price": rnd.randrange(100, 9_999) / 100}]
    extra: dict[str, object] = {}
    if kind in ("view_item_list", "select_item"):
        extra["item_list_id"] = rnd.choice(["home", "product"])
    if kind == "purchase":
        extra["transaction_id"] = f"t-{event_id}"
    return event(kind, at_ms=at_ms, event_id=event_id, items=items, **extra)
