"""The event contract of the server, as far as a client needs it.

Generated from tracking/contract/events.py by `python manage.py schema`; do not edit.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field

SCHEMA_VERSION: Final = "1.3"
MAX_EVENTS_SERVER: Final = 1000
MAX_ITEMS: Final = 200
MAX_EVENT_BYTES: Final = 32 * 1024
MAX_SERVER_BODY_BYTES: Final = 2 * 1024 * 1024
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

    event_id: EventIdentifier
    occurred_at_ms: Milliseconds = field(name="ts")
    session_id: Annotated[str, Meta(max_length=64)] | None = None
    session_number: Annotated[int, Meta(ge=0, le=10_000_000)] | None = None
    page_view_id: Annotated[str, Meta(max_length=64)] | None = None
    url: Url | None = None


class PageView(BaseEvent, frozen=True, kw_only=True, tag="page_view"):
    """A page was seen."""

    params: PageParams = PageParams()


class ViewItemList(BaseEvent, frozen=True, kw_only=True, tag="view_item_list"):
    """An impression: the items were actually seen in a list."""

    params: ItemListParams


class SelectItem(BaseEvent, frozen=True, kw_only=True, tag="select_item"):
    """A click on an item of a list."""

    params: ItemListParams


class ViewItem(BaseEvent, frozen=True, kw_only=True, tag="view_item"):
    """An item's own page was seen."""

    params: ItemsParams


class AddToCart(BaseEvent, frozen=True, kw_only=True, tag="add_to_cart"):
    """Items were put into the cart."""

    params: ItemsParams


class RemoveFromCart(BaseEvent, frozen=True, kw_only=True, tag="remove_from_cart"):
    """Items were taken out of the cart."""

    params: ItemsParams


class ViewCart(BaseEvent, frozen=True, kw_only=True, tag="view_cart"):
    """The cart was seen."""

    params: CartParams = CartParams()


class BeginCheckout(BaseEvent, frozen=True, kw_only=True, tag="begin_checkout"):
    """The checkout was begun."""

    params: CartParams = CartParams()


class AddToWishlist(BaseEvent, frozen=True, kw_only=True, tag="add_to_wishlist"):
    """Items were put on the wish list."""

    params: ItemsParams


class Purchase(BaseEvent, frozen=True, kw_only=True, tag="purchase"):
    """Items were bought; the strongest sign there is."""

    params: PurchaseParams


class Refund(BaseEvent, frozen=True, kw_only=True, tag="refund"):
    """A purchase, or items of it, were given back."""

    params: RefundParams


class Search(BaseEvent, frozen=True, kw_only=True, tag="search"):
    """The shop was searched."""

    params: SearchParams


class Identify(BaseEvent, frozen=True, kw_only=True, tag="identify"):
    """The anonymous user turned out to be a known one."""

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
