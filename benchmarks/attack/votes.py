"""What attackers with one per cent of a shop's traffic do to its lists, in every shape; and to other sites.

Requests are bodies with addresses: they go through the functions of collect (parsing, identity, the network's tag), a
stream worker and the merge, as those of a real shop do. The honest shop has 10,000 users a day, nine of ten of them
spread over home networks, the others behind three carriers. It is attacked at the end of its first day, when all ids
are new, and of its second, when four of ten users have been there before; all day long, as everybody else sends, or
with the whole day's part in ten minutes. On the first day nothing tells made-up ids from visitors who are new, so that
lists of an hour hold against few networks only; they are a figure of their own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

import msgspec

from benchmarks.attack.counts import (
    BUY_SHARE,
    CART_SHARE,
    N_ITEMS,
    TOP,
    VIEWS_A_USER,
    Events,
    Shop,
    _anonymous_id,
    _event,
    shop,
)
from benchmarks.report import print_table
from tracking.contract.events import MAX_EVENTS_BROWSER

DAILY_USERS: Final = 10_000
HOME_NETWORKS: Final = 9_000
CARRIERS: Final = 3
CARRIER_SHARE: Final = 0.1
RETURNING: Final = 0.4
TRAFFIC_SHARE: Final = 0.01
N_TARGETS: Final = 5
LISTS: Final = ("1h", "24h", "7d")
_KINDS: Final = ("view_item", "add_to_cart", "purchase")
_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_FIRST_OF_CARRIERS: Final = 1 << 23

Request = tuple[int, str, str, Events]  # number of the network, address in it, anonymous id, events


def measure(*, quick: bool) -> dict[str, float]:
    """Let every attacker vote on both days, and one break sums; prints tables."""
    rows, moved, of_first_hours, kept = [], 0, 0, 1.0
    with shop("votes", lateness_ms=_DAY_MS) as made:  # attackers of a whole day come after everybody else here
        attacked = Attacked(made, n_users=DAILY_USERS)
        for day in ("first", "second"):
            attacked.live_a_day()
            kept = min(kept, attacked.kept_behind_carriers())
            for shape in SHAPES:
                found = attacked.by(shape)
                rows.append([day, shape.words, shape.n_networks, *found.values()])
                if day == "first":
                    of_first_hours = max(of_first_hours, found.pop("1h"))
                moved = max(moved, *found.values())
    print_table(
        f"Items in the top {TOP} of an attacker with {TRAFFIC_SHARE:.0%} of the traffic of {DAILY_USERS:,} users a day",
        ["day", "as", "networks", *(f"of {window}" for window in LISTS)],
        rows,
        caption=f"{N_TARGETS} of the least popular of {N_ITEMS:,} items each, all of them in each event, with 100,000 "
        f"pieces. Of the visitors behind {CARRIERS} carriers, at least {kept:.0%} count.",
    )
    return {
        "attacker_items_in_top20": moved,
        "first_day_items_in_top20_of_1h": of_first_hours,
        "carrier_visitors_kept": kept,
        "sites_stopped": sites_stopped(),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How an attacker spreads its events over ids and networks, and what it sends."""

    words: str
    n_ids: Callable[[int], int]  # of the number of events
    n_networks: int
    kinds: Sequence[str] = _KINDS
    within_ms: int = 600_000
    consent: str = "granted"


_ONE_PERCENT: Final = HOME_NETWORKS // 100
_ALL_DAY_MS: Final = _DAY_MS - _HOUR_MS
SHAPES: Final = (
    Shape(words="one id", n_ids=lambda n: 1, n_networks=1),
    Shape(words="a new id an event, addresses of a /24", n_ids=lambda n: n, n_networks=1),
    Shape(words="the same, all day", n_ids=lambda n: n, n_networks=1, within_ms=_ALL_DAY_MS),
    Shape(words="a new id an event, ten /24, all day", n_ids=lambda n: n, n_networks=10, within_ms=_ALL_DAY_MS),
    Shape(words="1 % of users, all day", n_ids=lambda n: 100, n_networks=_ONE_PERCENT, within_ms=_ALL_DAY_MS),
    Shape(words="a new id an event", n_ids=lambda n: n, n_networks=_ONE_PERCENT),
    Shape(words="the same, all day", n_ids=lambda n: n, n_networks=_ONE_PERCENT, within_ms=_ALL_DAY_MS),
    Shape(words="the same, views alone", n_ids=lambda n: n, n_networks=_ONE_PERCENT, kinds=_KINDS[:1]),
    Shape(words="the same, purchases alone", n_ids=lambda n: n, n_networks=_ONE_PERCENT, kinds=_KINDS[2:]),
    Shape(words="the same, consent pending", n_ids=lambda n: n, n_networks=_ONE_PERCENT, consent="pending"),
    Shape(words="the same, consent denied", n_ids=lambda n: n, n_networks=_ONE_PERCENT, consent="denied"),
)


class Attacked:
    """A shop that lives a day after the other, and is attacked at the end of each in one shape after the other."""

    def __init__(self, made: Shop, *, n_users: int) -> None:
        self.shop = made
        self.honest: list[Request] = []
        # At noon, so that who sends all day long does it on both sides of a midnight, whenever this runs.
        self.now_ms = time.time_ns() // 1_000_000 // _DAY_MS * _DAY_MS - 5 * _DAY_MS // 2
        self._rng = random.Random(13)
        self._ids = [self._new_id() for _ in range(n_users)]
        self._counts: dict[bytes, bytes] = {}
        self._n_attacks = 0

    def live_a_day(self) -> None:
        """Let users come for a day, some of them those of the day before."""
        if self.honest:
            self.shop.go_back(self._counts)
            self._ids = [one if self._rng.random() < RETURNING else self._new_id() for one in self._ids]
        self.now_ms += _DAY_MS
        self.honest = day_of(self._rng, self._ids, until_ms=self.now_ms)
        self.shop.take_pairs([*records(self.shop, self.honest)])
        self._counts = self.shop.counts()

    def by(self, shape: Shape) -> dict[str, int]:
        """Return how many of an attacker's items each list has at its top; nothing is left of the shape before."""
        self._n_attacks += 1  # each with ids of its own: what is known of users stays
        made, rng = self.shop, random.Random(self._n_attacks)
        n_events = int(sum(len(events) for _, _, _, events in self.honest) * TRAFFIC_SHARE)
        targets = made.items[-N_TARGETS:]
        made.go_back(self._counts)
        requests = attack(rng, shape, targets, n=n_events, now_ms=self.now_ms)
        made.take_pairs([*records(made, requests, shape.consent)])
        made.merge()
        return {window: len(set(made.top(window)) & set(targets)) for window in LISTS}

    def kept_behind_carriers(self) -> float:
        """Return which share of the visitors behind carriers count, as if all that is lost were theirs."""
        self.shop.go_back(self._counts)
        self.shop.merge()
        stats = self.shop.stats()
        votes: dict[str, set[tuple[str, int]]] = {}
        behind = 0
        for network, _, anonymous_id, events in self.honest:
            at_ms, item_id = events[0]["ts"], events[0]["params"]["items"][0]["item_id"]
            vote, of_item = (anonymous_id, at_ms // _DAY_MS), votes.setdefault(item_id, set())
            behind += network >= _FIRST_OF_CARRIERS and vote not in of_item
            of_item.add(vote)
        plausible = dict(zip(stats.item_ids, stats.plausible_visitors("24h")[:, 0].tolist(), strict=True))
        lost = sum(max(len(found) - plausible.get(item_id, 0.0), 0.0) for item_id, found in votes.items())
        return 1.0 - lost / max(behind, 1)

    def _new_id(self) -> tuple[int, str]:
        return network_of(self._rng), _anonymous_id(self._rng)


def network_of(rng: random.Random) -> int:
    """Return the number of an honest user's network."""
    if rng.random() < CARRIER_SHARE:
        return _FIRST_OF_CARRIERS + rng.randrange(CARRIERS)
    return rng.randrange(HOME_NETWORKS)


def day_of(rng: random.Random, ids: Sequence[tuple[int, str]], *, until_ms: int) -> list[Request]:
    """Return a day's requests, oldest first: items by Zipf's law, a tenth into the cart, three of a hundred bought."""
    weights = list(accumulate(1 / (rank + 1) for rank in range(N_ITEMS)))
    found: list[Request] = []
    for network, anonymous_id in ids:
        at_ms = until_ms - rng.randrange(_DAY_MS - _HOUR_MS)
        for rank in rng.choices(range(N_ITEMS), cum_weights=weights, k=VIEWS_A_USER):
            line = {"item_id": f"sku-{rank:05}", "price": 10.0}
            events = [_event(rng, "view_item", [line], at_ms)]
            if rng.random() < CART_SHARE:
                events.append(_event(rng, "add_to_cart", [line], at_ms))
            if rng.random() < BUY_SHARE:
                events.append(_event(rng, "purchase", [line], at_ms))
            found.append((network, address_in(network, rng), anonymous_id, events))
    return sorted(found, key=lambda one: one[3][0]["ts"])


def address_in(network: int, rng: random.Random) -> str:
    """Return an address of a /24."""
    return f"{60 + (network >> 16)}.{network >> 8 & 255}.{network & 255}.{rng.randrange(1, 255)}"


def attack(rng: random.Random, shape: Shape, targets: Sequence[str], *, n: int, now_ms: int) -> Iterator[Request]:
    """Yield an attacker's requests: every event is about all of its items."""
    n_ids = shape.n_ids(n)
    names = [_anonymous_id(rng) for _ in range(n_ids)]
    lines = [{"item_id": item_id, "price": 1e6, "quantity": 100_000} for item_id in targets]
    for number in range(n):
        name = number * n_ids // n
        network = 2 * HOME_NETWORKS + name % shape.n_networks  # networks of which none is an honest user's
        events = [_event(rng, shape.kinds[number % len(shape.kinds)], lines, now_ms - rng.randrange(shape.within_ms))]
        yield network, address_in(network, rng), names[name], events


def records(made: Shop, requests: Sequence[Request] | Iterator[Request], consent: str = "granted") -> Iterator[Any]:
    """Yield keys and values for the log, as collect makes them of the requests of pages."""
    from tracking.access.sites import KeyInfo, SiteInfo
    from tracking.contract.parsing import parse_events, read_untidy_envelope
    from tracking.http.request import Request as Http
    from tracking.records import Provenance, build_records, encode_records

    site = SiteInfo(
        id=1, slug=made.name, name=made.name, currency="EUR", locale="en", origins=frozenset(), origin_suffixes=(),
        events_per_minute=0, requests_per_minute=0, address_requests_per_minute=0, honours_gpc=True, token_secret="",
    )  # fmt: skip
    key = KeyInfo(id="1", kind="pk", prefix="pk_", site=site, expires_at=None)
    for _, address, anonymous_id, events in requests:
        at_ms = max(event["ts"] for event in events)
        body = msgspec.json.encode({"anonymous_id": anonymous_id, "consent": consent, "events": events})
        scope = {"method": "POST", "headers": [], "client": (address, 1)}
        http = Http(scope, body, received_at=at_ms / 1_000)
        parsed = parse_events(read_untidy_envelope(body)[0], max_events=MAX_EVENTS_BROWSER)
        sender = Provenance(network=http.network_tag(made.name))
        yield from encode_records(build_records(parsed, key=key, received_at_ms=at_ms, sender=sender).records)


def sites_stopped() -> int:
    """Return how many of two sites no longer count after one caller of a third sent the largest sums it may."""
    rng = random.Random(17)
    now_ms = time.time_ns() // 1_000_000
    with shop("sums") as made:
        line = {"item_id": made.items[0], "price": 1e12, "quantity": 100_000}
        for _ in range(20):
            made.take([(_anonymous_id(rng), [_event(rng, "purchase", [line, line], now_ms)]) for _ in range(50)])
        for site in ("one", "other"):
            viewed = [_event(rng, "view_item", [{"item_id": made.items[1]}], now_ms)]
            made.take([(_anonymous_id(rng), viewed)], site=site)
        made.merge()
        return sum(made.stats(site).count(made.items[1], "views", "24h") != 1 for site in ("one", "other"))
