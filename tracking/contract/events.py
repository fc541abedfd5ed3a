"""The event contract: one msgspec struct per kind of event, named as in GA4, and the record that the log carries.

What follows from it is generated: JSON Schema, the TypeScript types, the Python client's copy, the table of the docs.
``SCHEMA_VERSION`` is ``major.minor``: a reader ignores unknown fields of its own major version, and parks records
of a higher one. Add a field: raise the minor. Change the meaning of one: raise the major.

``gc=False``: what comes from JSON holds no cycles, and walking over the events of the last requests cost collect a
quarter of its CPU (``benchmarks/collect.py``).

References
----------
Google Analytics 4, recommended events for e-commerce (names and fields of events and items).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal, NewType

import msgspec
from msgspec import Meta, Struct, field

from tracking.contract.user_key import UserKey, user_key_of

SCHEMA_VERSION: Final = "1.3"
SCHEMA_MAJOR: Final = 1

MAX_EVENTS_BROWSER: Final = 100
MAX_EVENTS_SERVER: Final = 1000
MAX_ITEMS: Final = 200
MAX_EVENT_BYTES: Final = 32 * 1024
MAX_BODY_BYTES: Final = 64 * 1024
MAX_SERVER_BODY_BYTES: Final = 2 * 1024 * 1024

SiteId = NewType("SiteId", str)
UserId = NewType("UserId", str)
AnonymousId = NewType("AnonymousId", str)
ItemId = NewType("ItemId", str)

ShortText = Annotated[str, Meta(max_length=100)]
Text = Annotated[str, Meta(max_length=500)]
Url = Annotated[str, Meta(max_length=2000)]
Identifier = Annotated[str, Meta(min_length=1, max_length=128)]
EventIdentifier = Annotated[str, Meta(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
AnonymousIdentifier = Annotated[str, Meta(min_length=16, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
CustomName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Milliseconds = Annotated[int, Meta(ge=0, le=4_102_444_800_000)]  # up to the year 2100
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
Money = Annotated[float, Meta(ge=0, le=1e12)]
Consent = Literal["granted", "pending", "denied"]
Source = Literal["browser", "server", "import"]
NetworkTag = Annotated[int, Meta(ge=1, le=4_294_967_295)]
BotClass = Literal["search", "agent", "monitoring", "script", "crawler"]


class EventItem(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An item inside an event, with GA4's field names; only ``item_id`` is required."""

    item_id: Identifier
    item_name: Text | None = None
    item_brand: ShortText | None = None
    item_category: ShortText | None = None
    item_category2: ShortText | None = None
    item_category3: ShortText | None = None
    item_category4: ShortText | None = None
    item_category5: ShortText | None = None
    item_variant: ShortText | None = None
    price: Money | None = None
    discount: Money | None = None
    quantity: Annotated[int, Meta(ge=1, le=100_000)] = 1
    index: Annotated[int, Meta(ge=0, le=100_000)] | None = None
    rec_id: Text | None = None


Items = Annotated[tuple[EventItem, ...], Meta(min_length=1, max_length=MAX_ITEMS)]
OptionalItems = Annotated[tuple[EventItem, ...], Meta(max_length=MAX_ITEMS)]


class PageParams(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the page is."""

    page_title: Text | None = None
    page_type: ShortText | None = None


class ItemsParams(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The items that an event is about."""

    items: Items
    currency: Currency | None = None
    value: Money | None = None


class ItemListParams(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """``item_list_id`` is the placement and ``rec_id`` the reply that filled it."""

    items: Items
    item_list_id: ShortText | None = None
    item_list_name: Text | None = None
    rec_id: Text | None = None


class CartParams(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The cart as it stands."""

    items: OptionalItems = ()
    currency: Currency | None = None
    value: Money | None = None
    coupon: ShortText | None = None


class PurchaseParams(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An order that was placed."""

    transaction_id: Identifier
    items: Items
    currency: Currency | None = None
    value: Money | None = None
    tax: Money | None = None
    shipping: Money | None = None
    coupon: ShortText | None = None


class RefundParams(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """No items and no value mean that the whole transaction is refunded.

    Two refunds that give back the same are one, unless each has a ``refund_id`` of its own.
    """

    transaction_id: Identifier
    refund_id: Identifier | None = None
    items: OptionalItems = ()
    currency: Currency | None = None
    value: Money | None = None


class SearchParams(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What was searched for."""

    search_term: Annotated[str, Meta(min_length=1, max_length=200)]
    results: Annotated[int, Meta(ge=0)] | None = None


class IdentifyParams(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Joins the envelope's anonymous id to ``user_id``; the token is checked when collected and never stored."""

    user_id: Identifier
    token: Annotated[str, Meta(max_length=4096)] | None = None
    traits: dict[str, str | int | float | bool | None] = {}


class BaseEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", gc=False):
    """What every event carries.

    ``occurred_at_ms`` is ``ts`` on the wire: the client's clock when collected; corrected to the server's
    clock in the record that the log carries.
    """

    # What becomes of a kind elsewhere: each place reads these variables, or a test holds it to them (test_events.py).
    is_ga4: ClassVar[bool] = False  # GA4 has it under the same name: data layers and exports bring it
    is_interaction: ClassVar[bool] = False  # the user did something with an item: it counts in training and drift
    is_sent_at_once: ClassVar[bool] = False  # the SDK does not wait for further events
    moves_features: ClassVar[bool] = False  # features/state/handlers.py has a handler for it

    event_id: EventIdentifier
    occurred_at_ms: Milliseconds = field(name="ts")
    session_id: Annotated[str, Meta(max_length=64)] | None = None
    session_number: Annotated[int, Meta(ge=0, le=10_000_000)] | None = None
    page_view_id: Annotated[str, Meta(max_length=64)] | None = None
    url: Url | None = None


class PageView(BaseEvent, frozen=True, kw_only=True, tag="page_view"):
    """A page was seen."""

    is_ga4: ClassVar[bool] = True
    moves_features: ClassVar[bool] = True

    params: PageParams = PageParams()


class ViewItemList(BaseEvent, frozen=True, kw_only=True, tag="view_item_list"):
    """An impression: the items were actually seen in a list."""

    is_ga4: ClassVar[bool] = True
    moves_features: ClassVar[bool] = True

    params: ItemListParams


class SelectItem(BaseEvent, frozen=True, kw_only=True, tag="select_item"):
    """A click on an item of a list."""

    is_ga4: ClassVar[bool] = True
    is_interaction: ClassVar[bool] = True
    is_sent_at_once: ClassVar[bool] = True
    moves_features: ClassVar[bool] = True

    params: ItemListParams


class ViewItem(BaseEvent, frozen=True, kw_only=True, tag="view_item"):
    """An item's own page was seen."""

    is_ga4: ClassVar[bool] = True
    is_interaction: ClassVar[bool] = True
    is_sent_at_once: ClassVar[bool] = True
    moves_features: ClassVar[bool] = True

    params: ItemsParams


class AddToCart(BaseEvent, frozen=True, kw_only=True, tag="add_to_cart"):
    """Items were put into the cart."""

    is_ga4: ClassVar[bool] = True
    is_interaction: ClassVar[bool] = True
    is_sent_at_once: ClassVar[bool] = True
    moves_features: ClassVar[bool] = True

    params: ItemsParams


class RemoveFromCart(BaseEvent, frozen=True, kw_only=True, tag="remove_from_cart"):
    """Items were taken out of the cart."""

    is_ga4: ClassVar[bool] = True
    is_sent_at_once: ClassVar[bool] = True
    moves_features: ClassVar[bool] = True

    params: ItemsParams


class ViewCart(BaseEvent, frozen=True, kw_only=True, tag="view_cart"):
    """The cart was seen."""

    is_ga4: ClassVar[bool] = True
    is_sent_at_once: ClassVar[bool] = True
    moves_features: ClassVar[bool] = True

    params: CartParams = CartParams()


class BeginCheckout(BaseEvent, frozen=True, kw_only=True, tag="begin_checkout"):
    """The checkout was begun."""

    is_ga4: ClassVar[bool] = True
    moves_features: ClassVar[bool] = True

    params: CartParams = CartParams()


class AddToWishlist(BaseEvent, frozen=True, kw_only=True, tag="add_to_wishlist"):
    """Items were put on the wish list."""

    is_ga4: ClassVar[bool] = True
    is_interaction: ClassVar[bool] = True
    moves_features: ClassVar[bool] = True

    params: ItemsParams


class Purchase(BaseEvent, frozen=True, kw_only=True, tag="purchase"):
    """Items were bought; the strongest sign there is."""

    is_ga4: ClassVar[bool] = True
    is_interaction: ClassVar[bool] = True
    is_sent_at_once: ClassVar[bool] = True
    moves_features: ClassVar[bool] = True

    params: PurchaseParams


class Refund(BaseEvent, frozen=True, kw_only=True, tag="refund"):
    """A purchase, or items of it, were given back."""

    is_ga4: ClassVar[bool] = True
    is_sent_at_once: ClassVar[bool] = True
    moves_features: ClassVar[bool] = True

    params: RefundParams


class Search(BaseEvent, frozen=True, kw_only=True, tag="search"):
    """The shop was searched."""

    is_ga4: ClassVar[bool] = True
    moves_features: ClassVar[bool] = True

    params: SearchParams


class Identify(BaseEvent, frozen=True, kw_only=True, tag="identify"):
    """The anonymous user turned out to be a known one."""

    is_sent_at_once: ClassVar[bool] = True
    moves_features: ClassVar[bool] = True

    params: IdentifyParams


Event = (
    PageView
    | ViewItemList
    | SelectItem
    | ViewItem
    | AddToCart
    | RemoveFromCart
    | ViewCart
    | BeginCheckout
    | AddToWishlist
    | Purchase
    | Refund
    | Search
    | Identify
)

KNOWN_EVENTS: Final[dict[str, type[BaseEvent]]] = {
    str(struct.__struct_config__.tag): struct for struct in Event.__args__
}

#: Kinds of events by their names, as ``BaseEvent`` tells them apart.
GA4_EVENTS: Final = tuple(name for name, kind in KNOWN_EVENTS.items() if kind.is_ga4)
INTERACTIONS: Final = tuple(name for name, kind in KNOWN_EVENTS.items() if kind.is_interaction)


class CustomEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An event of the shop's own; it is kept and archived, and moves no built-in feature."""

    event: CustomName
    event_id: EventIdentifier
    occurred_at_ms: Milliseconds = field(name="ts")
    session_id: Annotated[str, Meta(max_length=64)] | None = None
    session_number: Annotated[int, Meta(ge=0, le=10_000_000)] | None = None
    page_view_id: Annotated[str, Meta(max_length=64)] | None = None
    url: Url | None = None
    params: dict[str, Any] = {}


class Context(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is true of the page for all events of a request.

    ``bot`` says that a program sent them, not a browser, and ``bot_class`` which kind, as far as its name tells.
    """

    ref: Url | None = None
    lang: Annotated[str, Meta(max_length=35)] | None = None
    tz: Annotated[str, Meta(max_length=64)] | None = None
    vw: Annotated[int, Meta(ge=0, le=100_000)] | None = None
    bot: bool = False
    lib: Annotated[str, Meta(max_length=64)] | None = None
    bot_class: BotClass | None = None


class RawGroup(Struct, kw_only=True):
    """The events of one user inside a server's request for many."""

    anonymous_id: AnonymousIdentifier | None = None
    user_id: Identifier | None = None
    consent: Consent = "granted"
    ctx: Context = Context()
    events: list[msgspec.Raw]


class RawEnvelope(Struct, kw_only=True):
    """A request's body before its events are looked at one by one.

    Browsers send the ``events`` of one user. A shop's server, which has a secret key, may send ``records`` of many
    users instead, and say that they are an ``import``: then times are kept as they are.
    """

    key: Annotated[str, Meta(max_length=128)] | None = None
    v: Annotated[str, Meta(pattern=r"^\d{1,4}\.\d{1,4}$")] = SCHEMA_VERSION
    sent_at: Milliseconds | None = None
    source: Literal["server", "import"] = "server"
    anonymous_id: AnonymousIdentifier | None = None
    user_id: Identifier | None = None
    user_token: Annotated[str, Meta(max_length=4096)] | None = None
    consent: Consent = "granted"
    ctx: Context = Context()
    events: list[msgspec.Raw] = []
    records: list[RawGroup] = []


class EventRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One validated envelope, as it stands in the log: the events of one request and one user.

    Every time in it is on the server's clock. ``user_id`` is present only when the shop's server vouched for it.
    ``network`` is a keyed hash of the page's network (IPv4 /24, IPv6 /64), of one site and one UTC day: equal for two
    visitors of one network that day, and of no use to find the network. None from servers, imports and older versions.
    """

    v: str
    site: str
    received_at_ms: Milliseconds
    anonymous_id: AnonymousIdentifier | None = None
    user_id: Identifier | None = None
    consent: Consent = "granted"
    source: Source = "browser"
    ctx: Context = Context()
    events: tuple[Event, ...] = ()
    custom: tuple[CustomEvent, ...] = ()
    network: NetworkTag | None = None

    @property
    def user_key(self) -> UserKey:
        """Return the key of the user whose features these events move."""
        return user_key_of(user_id=self.user_id, anonymous_id=self.anonymous_id)

    @property
    def forwarded(self) -> Forwarded | None:
        """None: who sends events forwards nothing."""
        return None


class EarlierClick(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A click in a placement before a purchase; ``label`` is the placement with the reply that filled it."""

    occurred_at_ms: Milliseconds = field(name="ts")
    item_id: Identifier
    label: str


class Forwarded(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a stream worker adds when one user's report of an order goes to the user key with which the order stands.

    ``order`` is the hash of the transaction id, and ``clicks`` are those of whoever reported it. Such a record is no
    event of its own: nothing archives or counts it.
    """

    order: int
    clicks: tuple[EarlierClick, ...] = ()


class ForwardedRecord(EventRecord, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A record that a stream worker wrote to the log for another; no part of what the schema promises to senders."""

    forwarded: Forwarded | None = None


def log_key(site: str, key: UserKey) -> bytes:
    """Return the key of a log record: one user of one site, hence one partition and one writer."""
    return f"{site}/{key}".encode()
