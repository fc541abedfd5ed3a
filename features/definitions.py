"""THE list of feature views: of what entity, which fields, with which unit, default, window and TTL.

The page ``docs/features.md`` is checked against it. To add a count of events or items to the profile: one line here,
with ``counts``; nothing else moves, stores, merges or reads it. Any other feature needs a field in ``states.py`` and a
function that moves it, and tests fail until it has both. Change the meaning of a stored field: raise the view's
version, and either give ``states.py`` a migration from the old one or rebuild with ``manage.py replay``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Entity = Literal["user", "item", "placement"]
Lifetime = Literal["SESSION_TTL_S", "PROFILE_TTL_S", "window"]

KEEP_SESSION_RECENTS: Final = 50
KEEP_PROFILE_RECENTS: Final = 24
KEEP_BOUGHT: Final = 24
KEEP_CART: Final = 20
KEEP_SEARCHES: Final = 5
KEEP_SESSIONS: Final = 6
KEEP_ALIASES: Final = 8
JOINS_A_DAY: Final = 4
"""Anonymous ids that are joined to one user of those seen on a UTC day; a person has no more browsers."""
KEEP_TOUCHES: Final = 8
KEEP_CONVERSIONS: Final = 24
KEEP_ORDERS: Final = 6
ORDER_TTL_S: Final = 400 * 86_400
"""For how long an order is known after it was placed: longer than the longest window of RFM."""
SHORTEST_ORDER_TTL_S: Final = 7 * 86_400
"""For how long an order is known after it was last heard of, however old it is, as in an import of past years."""
KEEP_SEEN: Final = 128
KEEP_SEEN_ORDERS: Final = 32
VOTES_A_DAY: Final = 16
"""For how many items a day a user counts as a visitor, of each kind of interaction: views, carts and purchases."""
SEARCH_TERM_CHARS: Final = 60

SESSION_GAP_MS: Final = 30 * 60_000
"""A pause longer than this ends a browsing session, as in Google Analytics."""

ATTRIBUTION_WINDOW_MS: Final = 24 * 3_600_000
"""A click in a placement is credited with what happens to its item for this long; the newest click wins.

The page's tracker (``sdk/src/tracker/attribution.js``) keeps a click as long, and a test compares the two.
"""
_ATTRIBUTION_H: Final = ATTRIBUTION_WINDOW_MS // 3_600_000

CART_AGE_MS: Final = 7 * 24 * 3_600_000
"""What was put into a cart longer ago no longer counts as being in it."""

HALF_LIFE_SESSION_MS: Final = 10 * 60_000
HALF_LIFE_PROFILE_MS: Final = 14 * 24 * 3_600_000

DAY_MS: Final = 86_400_000

#: Width of the panes and length of the window that they add up to, in seconds.
ITEM_WINDOWS: Final[tuple[tuple[str, int, int], ...]] = (
    ("5m", 60, 300),
    ("1h", 300, 3_600),
    ("24h", 3_600, 86_400),
    ("7d", 21_600, 604_800),
)


MINOR: Final = "minor units"
"""Of the site's currency, as many decimals as ISO 4217 gives it. What no rate converts is in ``apart`` alone."""


@dataclass(frozen=True, slots=True)
class Count:
    """What a count counts: events of one name, of the contract or the shop's own, or the items of such events."""

    event: str
    per: Literal["event", "item"] = "event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One feature: ``stored`` ones are moved by events, the others are computed from them when read."""

    name: str
    dtype: str
    unit: str
    default: str
    help: str
    window: str = "lifetime"
    stored: bool = True
    counts: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureView:
    """A named group of features of one entity, kept, versioned and forgotten together."""

    name: str
    entity: Entity
    version: int
    ttl: Lifetime
    fields: tuple[Field, ...]
    help: str


def _f(name: str, dtype: str, unit: str, default: str, help: str, window: str = "lifetime") -> Field:
    return Field(name=name, dtype=dtype, unit=unit, default=default, help=help, window=window)


def _count(name: str, counts: Count, help: str) -> Field:
    return Field(name=name, dtype="int64", unit=f"{counts.per}s", default="0", help=help, counts=counts)


def _read(name: str, dtype: str, unit: str, default: str, help: str, window: str) -> Field:
    return Field(name=name, dtype=dtype, unit=unit, default=default, help=help, window=window, stored=False)


SESSION: Final = FeatureView(
    name="session",
    entity="user",
    version=1,
    ttl="SESSION_TTL_S",
    help="What the user does now. When Redis forgets it, the profile's recents stand in.",
    fields=(
        _f("newest_ms", "int64", "epoch ms", "0", "Event time of the newest event."),
        _f(
            "recents", "map<string, int64>", "epoch ms", "{}",
            "Newest time of each kind of interaction with each item.", f"{KEEP_SESSION_RECENTS} newest",
        ),
        _f("searches", "map<string, int64>", "epoch ms", "{}", "Search terms.", f"{KEEP_SEARCHES} newest"),
        _f(
            "repeats", "map<string, list<int64>>", "epoch ms", "{}",
            "Times of views, carts and wishes before the newest of each.", f"{KEEP_SESSION_RECENTS} newest",
        ),
        _read(
            "category_affinity", "map<string, float32>", "share, sums to 1", "{}",
            "Weight of each category, from the recents and the catalogue; half-life 10 min.", "recents",
        ),
        _read(
            "brand_affinity", "map<string, float32>", "share, sums to 1", "{}",
            "Weight of each brand, likewise.", "recents",
        ),
        _read(
            "price_level", "float32", "minor units", "none",
            "Weighted geometric mean of the prices of recent items.", "recents",
        ),
        _read("session_started_ms", "int64", "epoch ms", "none", "Start of the current session.", "30 min rule"),
    ),
)  # fmt: skip

PROFILE: Final = FeatureView(
    name="profile",
    entity="user",
    version=1,
    ttl="PROFILE_TTL_S",
    help="What is known of the user for long: 90 days in Redis after the last event, longer in the database.",
    fields=(
        _f("first_ms", "int64", "epoch ms", "0", "Event time of the oldest event."),
        _f("newest_ms", "int64", "epoch ms", "0", "Event time of the newest event."),
        _count("page_views", Count("page_view"), "Pages seen."),
        _count("list_views", Count("view_item_list"), "Lists seen."),
        _count("views", Count("view_item", "item"), "Items looked at."),
        _count("selects", Count("select_item", "item"), "Items clicked in a list."),
        _count("carts", Count("add_to_cart", "item"), "Items put into the cart."),
        _count("wishlists", Count("add_to_wishlist", "item"), "Items put on the wish list."),
        _count("searches", Count("search"), "Searches."),
        _count("checkouts", Count("begin_checkout"), "Checkouts begun."),
        _f("orders", "int64", "transactions", "0", "Purchases, each transaction once."),
        _f("units", "int64", "pieces", "0", "Pieces bought."),
        _f("revenue", "int64", MINOR, "0", "Monetary value of the purchases."),
        _f("refunds", "int64", "events", "0", "Refunds."),
        _f("refunded", "int64", MINOR, "0", "Value of the refunds."),
        _f("last_purchase_ms", "int64", "epoch ms", "0", "Event time of the newest purchase."),
        _f(
            "days", "map<int32, (orders, revenue)>", "", "{}",
            "Purchases net of refunds by UTC day; by week when older than 91 days.", "372 days",
        ),
        _f(
            "sessions", "list<(start, end, events)>", "epoch ms", "[]",
            "Last sessions: events less than 30 min apart.", f"{KEEP_SESSIONS} newest",
        ),
        _f("session_number", "int32", "sessions", "0", "Highest session number that the tracker reported."),
        _f(
            "recents", "map<string, int64>", "epoch ms", "{}",
            "Newest time of each kind of interaction with each item.", f"{KEEP_PROFILE_RECENTS} newest",
        ),
        _f("bought", "map<string, int64>", "epoch ms", "{}", "Items bought.", f"{KEEP_BOUGHT} newest"),
        _f(
            "cart", "map<string, (time, quantity)>", "epoch ms, pieces", "{}",
            "What is in the cart; for each item, last write wins.", f"{KEEP_CART} newest, 7 days",
        ),
        _f("aliases", "map<string, int64>", "epoch ms", "{}", "Anonymous ids of the user.", f"{KEEP_ALIASES} newest"),
        _f(
            "attributes", "map<string, (value, time, is_server)>", "epoch ms", "{}",
            "What identify said of the user; a server's word before a page's.", "20 newest, 1 kB",
        ),
        _f(
            "touches", "list<(time, item, label)>", "", "[]",
            "Clicks in placements, for attribution.", f"{KEEP_TOUCHES} newest, {_ATTRIBUTION_H} h",
        ),
        _f(
            "apart", "map<string, (orders, revenue, refunded)>", "minor units of each", "{}",
            "Orders in currencies that no rate converts, by currency; their money is in no other field.",
        ),
        _f(
            "exposures", "map<string, (arm, time, figures)>", "epoch ms", "{}",
            "Arms of experiments that the user saw, and what it did since.", "16 experiments, 90 days",
        ),
        _read("recency_s", "float64", "s", "none", "Time since the last purchase.", "lifetime"),
        _read("frequency_30d", "int64", "transactions", "0", "Purchases.", "30 days"),
        _read("frequency_90d", "int64", "transactions", "0", "Purchases.", "90 days"),
        _read("frequency_365d", "int64", "transactions", "0", "Purchases.", "365 days, exact to the week"),
        _read("monetary_30d", "int64", MINOR, "0", "Net value of purchases.", "30 days"),
        _read("monetary_90d", "int64", MINOR, "0", "Net value of purchases.", "90 days"),
        _read("monetary_365d", "int64", MINOR, "0", "Net value of purchases.", "365 days, exact to the week"),
        _read("average_order_value", "float64", MINOR, "none", "Revenue by orders.", "lifetime"),
        _read("favourite_categories", "list<string>", "", "[]", "Heaviest first; half-life 14 days.", "recents"),
    ),
)  # fmt: skip

ITEM: Final = FeatureView(
    name="item",
    entity="item",
    version=1,
    ttl="window",
    help="Popularity of an item, in panes of event time; kept for each partition, merged every few seconds.",
    fields=(
        _f("views", "int64", "events", "0", "Times looked at.", "5 min, 1 h, 24 h, 7 d"),
        _f("carts", "int64", "pieces", "0", "Pieces put into carts.", "5 min, 1 h, 24 h, 7 d"),
        _f("purchases", "int64", "pieces", "0", "Pieces bought.", "5 min, 1 h, 24 h, 7 d"),
        _f("revenue", "int64", MINOR, "0", "Their value.", "5 min, 1 h, 24 h, 7 d"),
        _f("viewers", "int64", "users, once a UTC day", "0", "Users who looked at it.", "5 min, 1 h, 24 h, 7 d"),
        _f("carters", "int64", "users, once a UTC day", "0", "Who put it into a cart.", "5 min, 1 h, 24 h, 7 d"),
        _f("buyers", "int64", "users, once a UTC day", "0", "Who bought it.", "5 min, 1 h, 24 h, 7 d"),
        _f("regulars", "int64", "users, once a UTC day", "0", "Viewers known for a day.", "5 min, 1 h, 24 h, 7 d"),
        _read("conversion", "float32", "buyers by viewers", "0", "Smoothed by the site's mean.", "24 h, 7 d"),
    ),
)  # fmt: skip

PLACEMENT: Final = FeatureView(
    name="placement",
    entity="placement",
    version=1,
    ttl="window",
    help="Performance of a placement, by variant, model version and rules, a UTC day at a time.",
    fields=(
        _f("lists", "int64", "events", "0", "Times the list was seen.", "UTC day"),
        _f("impressions", "int64", "items", "0", "Items that were seen in it.", "UTC day"),
        _f("clicks", "int64", "items", "0", "Items clicked in it.", "UTC day"),
        _f("carts", "int64", "pieces", "0", f"Pieces put into carts within {_ATTRIBUTION_H} h of a click.", "UTC day"),
        _f("orders", "int64", "transactions", "0", "Purchases with such an item.", "UTC day"),
        _f("units", "int64", "pieces", "0", "Pieces of such items bought.", "UTC day"),
        _f("revenue", "int64", MINOR, "0", "Their value.", "UTC day"),
    ),
)  # fmt: skip

FEATURE_VIEWS: Final = (SESSION, PROFILE, ITEM, PLACEMENT)
