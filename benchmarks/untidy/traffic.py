"""A shop's day as it was, and as its pages and servers tell it: untidily, twice, and some of it not at all."""

from __future__ import annotations

import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

PEOPLE: Final = 2_000
ITEMS: Final = 500
BATCH: Final = 20
RATE: Final = Fraction("0.9137")
"""What a US dollar is worth in euros, the shop's currency; of yen nobody says it."""
CURRENCIES: Final = {"EUR": (2, ["EUR", "eur", "€", None]), "USD": (2, ["USD", "usd"]), "JPY": (0, ["JPY", "jpy"])}
"""Decimals, and how the currency is written; an amount without one is in the shop's."""
SERVER_SHARE: Final = 0.3
"""Of the orders: told by the shop's server as well, under the shopper's user id."""
RELOAD_SHARE: Final = 0.3
"""Of the orders: told again by the same page under a new event id."""
RESENT_SHARE: Final = 0.05
"""Of the requests: sent again as they are."""


@dataclass(slots=True)
class Truth:
    """What happened, counted without anything of Recsite's."""

    event_ids: set[str] = field(default_factory=set)
    refused: int = 0  # with those of requests that are sent again
    orders: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    minor: Counter[int] = field(default_factory=Counter)  # of the site's currency, amounts with a rate among them
    apart: Counter[tuple[int, str]] = field(default_factory=Counter)  # by person and currency, where there is no rate
    pieces: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Request:
    """One envelope without its key; ``is_server`` says whose key it needs."""

    body: dict[str, Any]
    is_server: bool


def anonymous_id(person: int) -> str:
    """Return the id of a person's browser."""
    return f"browser-of-person-{person:08d}"


def user_id(person: int) -> str:
    """Return the id that the shop's server knows a person by."""
    return f"person-{person}"


def traffic(n_events: int, *, now_ms: int, seed: int = 11) -> tuple[list[Request], Truth]:
    """Return requests with ``n_events`` different events in all, shuffled, and what they tell of."""
    rnd = random.Random(seed)
    truth = Truth()
    by_sender: dict[tuple[int, bool], list[dict[str, Any]]] = defaultdict(list)
    for _ in range(n_events):
        person = int(PEOPLE * rnd.random() ** 2)
        for event, is_server in _happening(rnd, truth, person, now_ms):
            by_sender[person, is_server].append(event)
    requests = [
        Request(_envelope(person, events[start : start + BATCH], is_server, now_ms), is_server)
        for (person, is_server), events in by_sender.items()
        for start in range(0, len(events), BATCH)
    ]
    requests += [one for one in requests if rnd.random() < RESENT_SHARE]
    rnd.shuffle(requests)
    truth.refused = sum(event["event_id"] not in truth.event_ids for one in requests for event in one.body["events"])
    return requests, truth


def _envelope(person: int, events: list[dict[str, Any]], is_server: bool, now_ms: int) -> dict[str, Any]:
    who = {"user_id": user_id(person)} if is_server else {"anonymous_id": anonymous_id(person)}
    return {"v": "1.0", "sent_at": now_ms, **who, "events": events}


def _happening(rnd: random.Random, truth: Truth, person: int, now_ms: int) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield the reports of one thing that happened, each with who tells it; notes what they come to."""
    at_ms = now_ms - rnd.randrange(60_000)
    kind = rnd.choices(["view_item", "add_to_cart", "purchase", "page_view", "useless"], [70, 12, 4, 12, 2])[0]
    if kind == "useless":
        yield _event(rnd, rnd.choice(_useless(rnd)), at_ms), False
        return
    if kind == "page_view":
        yield _kept(truth, _event(rnd, {"event": kind, "params": {"page_title": _text(rnd, "A page")}}, at_ms)), False
        return
    lines = [
        (f"item{int(ITEMS * rnd.random() ** 3)}", rnd.randrange(50, 40_000), rnd.randint(1, 3))
        for _ in range(rnd.randint(1, 4))
    ]
    lines = list({line[0]: line for line in lines}.values())
    if kind != "purchase":
        params = _untidy_items(rnd, lines[:1])
        yield _kept(truth, _event(rnd, {"event": kind, "params": params}, at_ms)), False
        return
    order = f"order-{uuid.UUID(int=rnd.getrandbits(128))}"
    total = sum(price * quantity for _, price, quantity in lines)
    truth.orders[person].add(order)
    currency = rnd.choices(list(CURRENCIES), [80, 10, 10])[0]
    decimals, spellings = CURRENCIES[currency]
    if currency == "JPY":
        truth.apart[person, currency] += total
    else:
        truth.minor[person] += round(total * RATE) if currency == "USD" else total
    for item, _, quantity in lines:
        truth.pieces[item] += quantity
    tellers = [False] + [False] * (rnd.random() < RELOAD_SHARE) + [True] * (rnd.random() < SERVER_SHARE)
    for is_server in tellers:
        params = {
            "transaction_id": rnd.choice([order, f" {order} "]), "currency": rnd.choice(spellings),
            "value": _amount(rnd, total, decimals), "coupon": rnd.choice([2026, None, "x" * 900]), "tax": "1,90",
            **_untidy_items(rnd, lines, decimals),
        }  # fmt: skip
        yield _kept(truth, _event(rnd, {"event": "purchase", "params": params}, at_ms)), is_server


def _event(rnd: random.Random, event: dict[str, Any], at_ms: int) -> dict[str, Any]:
    stamp = rnd.choice([at_ms, str(at_ms), float(at_ms)])
    return {"event_id": uuid.UUID(int=rnd.getrandbits(128)).hex, "ts": stamp, **event}


def _kept(truth: Truth, event: dict[str, Any]) -> dict[str, Any]:
    truth.event_ids.add(event["event_id"])
    return event


def _useless(rnd: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "event": "purchase",
            "params": {"transaction_id": rnd.choice(["", None, "undefined"]), "items": [{"id": "a"}]},
        },
        {"event": "view_item", "params": {"items": [{"item_brand": "Bo"}]}},
        {"event": "view_itm", "params": {"items": [{"item_id": "a"}]}},
        {"event": "add_to_cart", "params": {}},
    ]


def _amount(rnd: random.Random, minor: int, decimals: int = 2) -> object:
    """Return an amount as shops write it; every form has one reading."""
    if decimals == 0:
        return rnd.choice([minor, str(minor), float(minor), f"{minor}.00"])
    major, cents = divmod(minor, 100)
    plain = f"{major}.{cents:02d}"
    return rnd.choice(
        [minor / 100, plain, f"{major},{cents:02d}", f" {plain} ", f"{major:,}.{cents:02d}",
         f"{major:,}".replace(",", ".") + f",{cents:02d}"]
    )  # fmt: skip


def _text(rnd: random.Random, text: str) -> object:
    return rnd.choice([text, 1984, [text, "more"], None, text * 200, {"a": text}, False])


def _untidy_items(rnd: random.Random, lines: list[tuple[str, int, int]], decimals: int = 2) -> dict[str, Any]:
    items: list[Any] = [
        {
            rnd.choice(["item_id", "id", "sku", "product_id"]): rnd.choice([item, f" {item}"]),
            "price": _amount(rnd, price, decimals),
            "quantity": rnd.choice([quantity, str(quantity), f"{quantity}.0", float(quantity)]),
            rnd.choice(["item_name", "item_brand", "item_category", "item_variant"]): _text(rnd, "Mug"),
        }
        for item, price, quantity in lines
    ]
    if rnd.random() < 0.1:
        return {"items": {str(number): item for number, item in enumerate(items)}}
    if rnd.random() < 0.1:
        return {"items": [None, *items]}
    if rnd.random() < 0.1:
        return {"ecommerce": {"items": items}}
    return {"items": items}
