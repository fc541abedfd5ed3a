"""Items and placements in the API: read, written one by one or many at a time, hidden."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

from django.http import HttpRequest
from ninja import Body, Field, Query, Router, Schema, Status
from pydantic import StringConstraints

from features.feed_files.report import FeedReport, RawRow
from features.feeds.values import BadValue, Understanding, item_changes
from features.feeds.writer import load_rows
from features.models import Item
from features.money import to_major
from recommendations.http.common import ItemId, site_of
from recommendations.http.openapi import ITEM_FIELDS
from recommendations.models import Placement
from tracking.error_codes import ErrorCode
from tracking.http.edge import Refusal
from tracking.models import Site

MAX_BULK: Final = 1_000
MAX_PAGE: Final = 200
router: Final = Router()


class ItemOut(Schema):
    """An item as it stands in the catalogue; prices in the currency's main unit, and in its smallest one."""

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
    sale_starts_at: dt.datetime | None
    sale_ends_at: dt.datetime | None
    currency: str
    availability: str
    stock: int | None
    group_id: str
    tags: list[str]
    attributes: dict[str, Any]
    is_active: bool

    @staticmethod
    def resolve_price(item: Item) -> float | None:
        """Return the price in the main unit."""
        return None if item.price_minor is None else to_major(item.price_minor, item.currency)

    @staticmethod
    def resolve_sale_price(item: Item) -> float | None:
        """Return the sale price in the main unit."""
        return None if item.sale_price_minor is None else to_major(item.sale_price_minor, item.currency)


class ItemPage(Schema):
    """One page; ``next`` is the ``after`` of the following one."""

    items: list[ItemOut]
    next: str | None


class PageQuery(Schema):
    """Where a page begins, and how long it is."""

    after: Annotated[str, StringConstraints(max_length=128, pattern=r"^[^\x00]*$")] = Field(
        "", description="Last item id of the page before."
    )
    limit: int = Field(50, ge=1, le=MAX_PAGE)


class ItemsIn(Schema, extra="forbid"):
    """Items to write; each names its ``item_id`` and what it changes."""

    items: list[dict[str, Any]] = Field(min_length=1, max_length=MAX_BULK)


class RejectedItem(Schema):
    """An item that was not written, and why; ``field`` is the path in the request."""

    index: int
    item_id: str
    error: str
    message: str
    field: str


class WrittenItems(Schema):
    """What became of the items: bad ones are named, the others are written."""

    created: int
    updated: int
    unchanged: int
    rejected: list[RejectedItem]


class PlacementOut(Schema):
    """A placement of the site."""

    name: str
    heading: str
    strategy: str
    size: int


@router.get("/items", response=ItemPage, tags=["items"], operation_id="listItems", summary="List items")
def list_items(request: HttpRequest, page: Query[PageQuery]) -> dict[str, Any]:
    """Return items by id, hidden ones too; ask for the next page with ``after``."""
    site = site_of(request, "after", "limit")
    rows = list(Item.objects.filter(site=site, item_id__gt=page.after).order_by("item_id")[: page.limit + 1])
    more = len(rows) > page.limit
    return {"items": rows[: page.limit], "next": rows[page.limit - 1].item_id if more else None}


@router.put("/items", response=WrittenItems, tags=["items"], operation_id="writeItems", summary="Write items")
def write_items(request: HttpRequest, body: ItemsIn) -> WrittenItems:
    """Create items or change those that exist; fields that are left out stay. Served within two seconds."""
    return _written(site_of(request), body.items)


@router.get("/items/{path:item_id}", response=ItemOut, tags=["items"], operation_id="readItem", summary="Read an item")
def read_item(request: HttpRequest, item_id: ItemId) -> Item:
    """Return one item."""
    return _item(site_of(request), item_id)


@router.put(
    "/items/{path:item_id}",
    response=ItemOut,
    tags=["items"],
    operation_id="writeItem",
    summary="Write an item",
    openapi_extra={
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/ItemFields"}}}}
    },
)
def write_item(request: HttpRequest, item_id: ItemId, body: Body[dict[str, Any]]) -> Item:
    """Create an item or change one; fields that are left out stay as they are."""
    site = site_of(request)
    if body.get("item_id", item_id) != item_id:
        said = str(body["item_id"])[:100]
        raise Refusal(
            400,
            ErrorCode.INVALID_REQUEST,
            f"item_id is {said!r} in the body and {item_id!r} in the path",
            field="item_id",
        )
    written = _written(site, [{**body, "item_id": item_id}])
    if written.rejected:
        bad = written.rejected[0]
        code = ErrorCode(bad.error)  # type: ignore[call-arg]  # looks a member up; mypy reads how members are made
        raise Refusal(400, code, bad.message, field=bad.field.removeprefix("items[0]."))
    return _item(site, item_id.strip())


@router.delete(
    "/items/{path:item_id}", response={204: None}, tags=["items"], operation_id="hideItem", summary="Hide an item"
)
def hide_item(request: HttpRequest, item_id: ItemId) -> Status[None]:
    """Make an item inactive: it is never recommended again; its history stays."""
    item = _item(site_of(request), item_id)
    item.is_active = False
    item.save()
    return Status(204, None)


@router.get(
    "/placements",
    response=list[PlacementOut],
    tags=["placements"],
    operation_id="listPlacements",
    summary="List placements",
)
def list_placements(request: HttpRequest) -> Any:
    """Return the active placements of the site."""
    return Placement.objects.filter(site=site_of(request), is_active=True).order_by("name")


def _item(site: Site, item_id: str) -> Item:
    item = Item.objects.filter(site=site, item_id=item_id).first()
    if item is None:
        raise Refusal(
            404, ErrorCode.UNKNOWN_ITEM, f"there is no item {item_id[:100]!r}; write it first", field="item_id"
        )
    return item


def _written(site: Site, items: Sequence[dict[str, Any]]) -> WrittenItems:
    report = FeedReport()
    load_rows(site, _known_rows(items, site=site, report=report), report=report)
    rejected = [
        RejectedItem(
            index=bad.line,
            item_id=bad.item_id,
            error=ErrorCode.INVALID_ITEM,
            message=f"{bad.field}={bad.value!r} {bad.reason}",
            field=f"items[{bad.line}].{bad.field}",
        )
        for bad in report.bad_rows
    ]
    return WrittenItems(
        created=report.created,
        updated=report.updated,
        unchanged=report.unchanged,
        rejected=sorted(rejected, key=lambda bad: bad.index),
    )


def _known_rows(items: Sequence[dict[str, Any]], *, site: Site, report: FeedReport) -> Iterator[RawRow]:
    """Yield the rows that name nothing we do not know: a misspelt field must not be lost in silence, as in a feed."""
    for index, values in enumerate(items):
        ignored: set[str] = set()
        with contextlib.suppress(BadValue):  # the writer finds it again and reports it
            item_changes(values, understanding=Understanding(currency=site.currency, ignored=ignored))
        if ignored:
            name = min(ignored)
            reason = f"is not a field of an item; remove it, or write one of {', '.join(ITEM_FIELDS)}"
            item_id = str(values.get("item_id", ""))[:128]
            report.refuse(index, field=name, value=values.get(name, ""), reason=reason, item_id=item_id)
        else:
            yield RawRow(index, values)
