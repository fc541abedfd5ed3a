"""What the API takes and answers, as types; a test holds them to the OpenAPI document.

Fields that a newer server adds are ignored.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType


class PlacementRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One list of a request."""

    placement: str
    limit: int | None = None
    context_items: tuple[str, ...] = ()
    filter: str | None = None
    exclude: tuple[str, ...] = ()


class RecommendedItem(Struct, frozen=True, kw_only=True):
    """An item of a list; only the chosen fields, where fields were chosen. Prices are in the main unit."""

    item_id: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    image_url: str | UnsetType = UNSET
    price: float | UnsetType | None = UNSET
    sale_price: float | UnsetType | None = UNSET
    currency: str | UnsetType = UNSET
    brand: str | UnsetType = UNSET
    category: str | UnsetType = UNSET
    availability: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class RecommendedList(Struct, frozen=True, kw_only=True):
    """One list, or, where ``error`` is set, what stands in the place of one that cannot be made."""

    placement: str
    items: tuple[RecommendedItem, ...]
    heading: str | None = None
    rec_id: str = ""
    stage: str = "empty"
    fallback_reason: str | None = None
    layout: str | None = None
    model_version: str | None = None
    variant: str = ""
    feature_age_ms: int | None = None
    explanation: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None
    message: str | None = None
    field: str | None = None


class Recommendations(Struct, frozen=True, kw_only=True):
    """The lists of a page, in the order of the request."""

    results: tuple[RecommendedList, ...]
    live_url: str
    warnings: tuple[str, ...] = ()

    def __getitem__(self, placement: str) -> RecommendedList:
        """Return the list of a placement; raises ``KeyError`` for one that was not requested."""
        for result in self.results:
            if result.placement == placement:
                return result
        raise KeyError(placement)


class Item(Struct, frozen=True, kw_only=True):
    """An item as it stands in the catalogue."""

    item_id: str
    title: str
    description: str
    brand: str
    category: str
    url: str
    image_url: str
    price: float | None
    sale_price: float | None
    price_minor: int | None
    sale_price_minor: int | None
    sale_starts_at: str | None
    sale_ends_at: str | None
    currency: str
    availability: str
    stock: int | None
    group_id: str
    tags: list[str]
    attributes: dict[str, Any]
    is_active: bool


class ItemPage(Struct, frozen=True, kw_only=True):
    """One page of items; ``next`` is the ``after`` of the following one."""

    items: list[Item]
    next: str | None


class RejectedItem(Struct, frozen=True, kw_only=True):
    """An item that was not written, and why."""

    index: int
    item_id: str
    error: str
    message: str
    field: str


class WrittenItems(Struct, frozen=True, kw_only=True):
    """What became of the items of a request."""

    created: int
    updated: int
    unchanged: int
    rejected: list[RejectedItem]


class Placement(Struct, frozen=True, kw_only=True):
    """A placement of the site."""

    name: str
    heading: str
    strategy: str
    size: int


class Rate(Struct, frozen=True, kw_only=True):
    """One unit of ``currency`` was worth ``rate`` ``worth_in`` on a day, as in ``2026-11-28``."""

    day: str
    currency: str
    worth_in: str
    rate: float


class RatePage(Struct, frozen=True, kw_only=True):
    """One page of exchange rates; ``next`` is the ``after`` of the following one."""

    rates: list[Rate]
    next: str | None


class RatesWritten(Struct, frozen=True, kw_only=True):
    """What became of exchange rates that were written, all of them or none."""

    created: int
    changed: int
    unchanged: int


class ReportRow(Struct, frozen=True, kw_only=True):
    """What lists brought, of one day, hour, placement or item; revenue in whole units of the report's currency."""

    key: str
    lists: int
    impressions: int
    clicks: int
    add_to_carts: float
    orders: float
    units: float
    revenue: float
    revenue_apart: dict[str, float]


class Report(Struct, frozen=True, kw_only=True):
    """A report: days of the site's time zone, its grain and its attribution, and its rows."""

    first: str
    last: str
    time_zone: str
    currency: str
    by: str
    attribution: str
    made_at: str | None
    rows: list[ReportRow]


class RatesDeleted(Struct, frozen=True, kw_only=True):
    """How many exchange rates are gone."""

    deleted: int


class UserExport(Struct, frozen=True, kw_only=True):
    """Everything that is kept of a user, by store."""

    user_keys: list[str]
    features: dict[str, Any]
    database: dict[str, Any]
    events: list[dict[str, Any]]


class HistoryPage(Struct, frozen=True, kw_only=True):
    """One page of a user's archived events, newest first; ``next`` is the ``after`` of the following one."""

    events: list[dict[str, Any]]
    next: str | None


class ErasureReceipt(Struct, frozen=True, kw_only=True):
    """What was erased from each store; events up to ``erased_at_ms`` do not come back."""

    erased_at_ms: int
    user_keys: int = 0
    redis: dict[str, int] = {}
    database: dict[str, int] = {}
    archive: dict[str, int] = {}
    dead_letters: dict[str, int] = {}
    not_looked_at: tuple[str, ...] = ()
    restored: bool = False


class Health(Struct, frozen=True, kw_only=True):
    """That the API answers, and which model versions do."""

    status: str
    site: str | None = None
    models: dict[str, Any] | None = None
    sources: dict[str, Any] | None = None


#: The document's names of what is answered.
ANSWERS: Final[dict[str, type[Struct]]] = {
    "RecommendedItem": RecommendedItem,
    "RecommendedList": RecommendedList,
    "Recommendations": Recommendations,
    "ItemOut": Item,
    "ItemPage": ItemPage,
    "RejectedItem": RejectedItem,
    "WrittenItems": WrittenItems,
    "PlacementOut": Placement,
    "RateOut": Rate,
    "RatePage": RatePage,
    "RatesWritten": RatesWritten,
    "RatesDeleted": RatesDeleted,
    "ReportRow": ReportRow,
    "Report": Report,
    "UserExport": UserExport,
    "HistoryPage": HistoryPage,
    "ErasureReceipt": ErasureReceipt,
    "Health": Health,
}

#: Operation of the document → method of the client, HTTP method, path.
OPERATIONS: Final[dict[str, tuple[str, str, str]]] = {
    "recommend": ("recommend", "POST", "/v1/recommendations"),
    "recommendPublic": ("recommend_public", "GET", "/v1/recommendations/{placement}"),
    "rank": ("rank", "POST", "/v1/rank"),
    "listItems": ("list_items", "GET", "/v1/items"),
    "writeItems": ("write_items", "PUT", "/v1/items"),
    "readItem": ("read_item", "GET", "/v1/items/{item_id}"),
    "writeItem": ("write_item", "PUT", "/v1/items/{item_id}"),
    "hideItem": ("hide_item", "DELETE", "/v1/items/{item_id}"),
    "listPlacements": ("list_placements", "GET", "/v1/placements"),
    "listExchangeRates": ("list_exchange_rates", "GET", "/v1/exchange-rates"),
    "writeExchangeRates": ("write_exchange_rates", "PUT", "/v1/exchange-rates"),
    "deleteExchangeRates": ("delete_exchange_rates", "DELETE", "/v1/exchange-rates"),
    "readReport": ("read_report", "GET", "/v1/reports"),
    "exportUser": ("export_user", "GET", "/v1/users/{user_id}"),
    "readFeatures": ("read_features", "GET", "/v1/users/{user_id}/features"),
    "readHistory": ("read_history", "GET", "/v1/users/{user_id}/history"),
    "eraseUser": ("erase_user", "DELETE", "/v1/users/{user_id}"),
    "readErasure": ("read_erasure", "GET", "/v1/users/{user_id}/erasure"),
    "explain": ("explain", "GET", "/v1/explanations/{rec_id}"),
    "health": ("health", "GET", "/v1/health"),
}
