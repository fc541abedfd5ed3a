"""The typed API beside the hot paths: items, users, explanations, health; and the document of the whole ``/v1/``.

For the shop's servers: every operation but health needs a secret key. Versions: what is added to ``/v1/`` never breaks
a client that ignores fields it does not know; what would, becomes ``/v2/``, and both are served for a year.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja import Body, Field, NinjaAPI, Query, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.security import APIKeyHeader, HttpBearer
from ninja.security.base import AuthBase

from features.erasure import erase_user, export_user
from features.exceptions import StoreUnavailable
from features.feeds.writer import upsert_items
from features.models import Item
from recommendations import explanations, live_models, openapi
from recommendations.lists import signer
from recommendations.models import Placement
from recommendations.rec_ids import InvalidRecId
from recommendations.service import quotas
from tracking.certificates import CERTIFICATE_HEADER, PROXY_SECRET_HEADER
from tracking.edge import Refusal
from tracking.models import Site
from tracking.request import check_scope, credential
from tracking.sites import KeyInfo, find_key
from tracking.snapshots import SnapshotMissing

MAX_BULK: Final = 1_000
MAX_PAGE: Final = 200


class Api(NinjaAPI):
    """The API, whose document holds the hot endpoints, too."""

    def get_openapi_schema(self, **kwargs: Any) -> Any:
        """Return the OpenAPI document of everything under ``/v1/``."""
        return openapi.with_hot_paths(super().get_openapi_schema(**kwargs))


#: What an OAuth2 token needs for the operations below ``/v1/<word>``; a word that is not here is open to no token.
SCOPE_OF: Final = {
    "items": "catalogue", "placements": "catalogue", "users": "users", "explanations": "recommendations",
}  # fmt: skip


def _secret_key(request: HttpRequest, value: str | None) -> KeyInfo:
    headers = {
        name: request.headers.get(name.decode(), "").encode("latin-1", "replace")
        for name in (CERTIFICATE_HEADER, PROXY_SECRET_HEADER)
    }
    key = credential(value, headers)
    if not key.is_secret:
        raise Refusal(403, "secret_key_needed", "this needs a secret key; send it from the shop's server", field="key")
    check_scope(key, SCOPE_OF.get(request.path_info.removeprefix("/v1/").partition("/")[0], "none"))
    quotas.take("API requests", f"{key.site.slug}:{key.id}", amount=1, per_minute=key.site.requests_per_minute)
    return key


class BearerKey(HttpBearer):
    """``Authorization: Bearer sk_…``, or with an OAuth2 token."""

    def authenticate(self, request: HttpRequest, token: str) -> KeyInfo | None:
        """Return the key; raises the refusal."""
        return _secret_key(request, token)


class HeaderKey(APIKeyHeader):
    """``X-Api-Key: sk_…``."""

    param_name = "X-Api-Key"

    def authenticate(self, request: HttpRequest, key: str | None) -> KeyInfo | None:
        """Return the key, or None for a 401."""
        return _secret_key(request, key) if key else None


class ClientCertificate(AuthBase):
    """A client certificate that our nginx verified."""

    openapi_type = "mutualTLS"

    def __call__(self, request: HttpRequest) -> KeyInfo | None:
        """Return what the certificate opens, or None where nginx vouched for none."""
        return _secret_key(request, None) if CERTIFICATE_HEADER.decode() in request.headers else None


api = Api(
    title="Recsite",
    version="1.0.0",
    description="Events in, recommendations out. Errors have one shape: error, message, field.",
    auth=[BearerKey(), HeaderKey(), ClientCertificate()],
    urls_namespace="v1",
)


class Problem(Schema):
    """Every error's shape."""

    error: str
    message: str
    field: str = ""


class ItemOut(Schema):
    """An item as it stands in the catalogue. Prices are in the currency's smallest unit."""

    item_id: str
    title: str
    description: str
    brand: str
    category: str
    url: str
    image_url: str
    price_minor: int | None
    sale_price_minor: int | None
    currency: str
    availability: str
    stock: int | None
    group_id: str
    tags: list[str]
    attributes: dict[str, Any]
    is_active: bool


class ItemPage(Schema):
    """One page; ``next`` is the ``after`` of the following one."""

    items: list[ItemOut]
    next: str | None


class PageQuery(Schema):
    """Where a page begins, and how long it is."""

    after: str = Field("", max_length=128, description="Last item id of the page before.")
    limit: int = Field(50, ge=1, le=MAX_PAGE)


class HistoryQuery(Schema):
    """How much of a history is asked for."""

    limit: int = Field(200, ge=1, le=5_000)


class BulkIn(Schema):
    """Items to write; fields as in a feed (``docs/catalogue.md``), item by item."""

    items: list[dict[str, Any]] = Field(min_length=1, max_length=MAX_BULK)


class BulkOut(Schema):
    """What became of each item: bad ones are named, the others are written."""

    created: int
    updated: int
    unchanged: int
    rejected: list[dict[str, Any]]
    ignored_fields: list[str]


class PlacementOut(Schema):
    """A placement of the site."""

    name: str
    heading: str
    strategy: str
    size: int


@api.get("/items", response={200: ItemPage, 401: Problem}, tags=["items"], summary="List items")
def list_items(request: HttpRequest, page: Query[PageQuery]) -> dict[str, Any]:
    """Return items by id; ask for the next page with ``after``."""
    rows = list(Item.objects.filter(site=_site(request), item_id__gt=page.after).order_by("item_id")[: page.limit + 1])
    more = len(rows) > page.limit
    return {"items": rows[: page.limit], "next": rows[page.limit - 1].item_id if more else None}


@api.post("/items/bulk", response={200: BulkOut, 400: Problem, 401: Problem}, tags=["items"], summary="Write items")
def write_items(request: HttpRequest, body: BulkIn) -> dict[str, Any]:
    """Create items or change those that exist; serving shows the change within two seconds."""
    return _written(request, body.items)


@api.get(
    "/items/{path:item_id}", response={200: ItemOut, 401: Problem, 404: Problem}, tags=["items"], summary="Read an item"
)
def read_item(request: HttpRequest, item_id: str) -> Item:
    """Return one item."""
    return _item(request, item_id)


@api.put(
    "/items/{path:item_id}",
    response={200: ItemOut, 400: Problem, 401: Problem},
    tags=["items"],
    summary="Write an item",
)
def write_item(request: HttpRequest, item_id: str, body: Body[dict[str, Any]]) -> Item:
    """Create an item or change one; fields that are left out stay as they are."""
    if body.get("item_id", item_id) != item_id:
        raise Refusal(400, "invalid_request", f"item_id is {body['item_id']!r} in the body and {item_id!r} in the path")
    written = _written(request, [{**body, "item_id": item_id}])
    if written["ignored_fields"]:
        field = written["ignored_fields"][0]
        raise Refusal(400, "invalid_request", f"{field!r} is not a field of an item; remove it", field=field)
    if written["rejected"]:
        bad = written["rejected"][0]
        raise Refusal(400, "invalid_item", str(bad.get("reason", "")), field=str(bad.get("field", "")))
    return _item(request, item_id)


@api.delete(
    "/items/{path:item_id}", response={204: None, 401: Problem, 404: Problem}, tags=["items"], summary="Hide an item"
)
def hide_item(request: HttpRequest, item_id: str) -> tuple[int, None]:
    """Make an item inactive: it is never recommended again; its history stays."""
    item = _item(request, item_id)
    item.is_active = False
    item.save()
    return 204, None


@api.get(
    "/placements", response={200: list[PlacementOut], 401: Problem}, tags=["placements"], summary="List placements"
)
def list_placements(request: HttpRequest) -> Any:
    """Return the active placements of the site."""
    return Placement.objects.filter(site=_site(request), is_active=True)


@api.get(
    "/users/{user_id}",
    response={200: dict[str, Any], 401: Problem, 503: Problem},
    tags=["users"],
    summary="Export a user",
)
def export(request: HttpRequest, user_id: str) -> dict[str, Any]:
    """Return everything that is kept of a user: features, profile and events."""
    return _document(export_user(_site(request), user_id=user_id))


@api.get(
    "/users/{user_id}/features",
    response={200: dict[str, Any], 401: Problem, 503: Problem},
    tags=["users"],
    summary="Read features",
)
def features(request: HttpRequest, user_id: str) -> dict[str, Any]:
    """Return the real-time features of a user, by user key and view."""
    return _document(export_user(_site(request), user_id=user_id)["features"])


@api.get(
    "/users/{user_id}/history",
    response={200: list[dict[str, Any]], 401: Problem, 503: Problem},
    tags=["users"],
    summary="Read history",
)
def history(request: HttpRequest, user_id: str, page: Query[HistoryQuery]) -> list[dict[str, Any]]:
    """Return the archived events of a user, newest first."""
    events: list[dict[str, Any]] = _plain(export_user(_site(request), user_id=user_id)["events"])
    return sorted(events, key=lambda event: -int(event.get("occurred_at_ms") or 0))[: page.limit]


@api.delete(
    "/users/{user_id}",
    response={200: dict[str, Any], 401: Problem, 503: Problem},
    tags=["users"],
    summary="Erase a user",
)
def erase(request: HttpRequest, user_id: str) -> dict[str, Any]:
    """Erase a user from every store, and return the receipt; safe to repeat."""
    return _document(erase_user(_site(request), user_id=user_id))


@api.get(
    "/explanations/{rec_id}",
    response={200: dict[str, Any], 401: Problem, 404: Problem},
    tags=["recommendations"],
    summary="Explain a reply",
)
def explain(request: HttpRequest, rec_id: str) -> dict[str, Any]:
    """Return what a reply showed and why, for 24 hours after it."""
    site = _site(request)
    try:
        said = signer().read(rec_id, site=site.slug)
    except InvalidRecId as error:
        # One answer for all reasons: that a reply is of another site is nobody's business.
        raise Refusal(
            404, "unknown_rec_id", "this site made no reply with this rec_id; send it whole, as it came", field="rec_id"
        ) from error
    found = explanations.find_explanation(rec_id, said)
    if found is None:
        raise Refusal(
            404, "not_kept", "this reply was not kept: it is older than a day, or not in the sample", field="rec_id"
        )
    return _document(found)


@api.get("/health", auth=None, response={200: dict[str, Any]}, tags=["health"], summary="Health")
def health(request: HttpRequest) -> dict[str, Any]:
    """Say that the API answers, and which model versions do where the request carries a key."""
    value = request.headers.get("X-Api-Key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
    key = find_key(value) if value else None
    if key is None:
        return {"status": "ok"}
    models = live_models.watch_models(key.site.slug)
    described = live_models.describe(models.current()) if models.is_loaded else {}
    return {"status": "ok", "site": key.site.slug, "models": described}


@api.exception_handler(Refusal)
def _refused(request: HttpRequest, error: Refusal) -> HttpResponse:
    return _problem(request, error.status, error.code, error.message, error.field)


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    field = ".".join(str(part) for part in first.get("loc", ())[1:] if part not in ("body", "page"))
    return _problem(request, 400, "invalid_request", f"{field} {first.get('msg', 'is wrong')}", field)


@api.exception_handler(HttpError)
def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    return _problem(request, error.status_code, "invalid_request", str(error), "body")


@api.exception_handler(StoreUnavailable)
@api.exception_handler(SnapshotMissing)
def _not_now(request: HttpRequest, error: Exception) -> HttpResponse:
    return _problem(request, 503, "not_now", str(error), "")


@api.exception_handler(AuthenticationError)
def _unauthorised(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return _problem(
        request, 401, "unknown_key", "send a live secret key as 'Authorization: Bearer sk_…' or 'X-Api-Key'", "key"
    )


def _problem(request: HttpRequest, status: int, error: str, message: str, field: str) -> HttpResponse:
    return api.create_response(request, {"error": error, "message": message, "field": field}, status=status)


def _site(request: HttpRequest) -> Site:
    key: KeyInfo = request.auth  # type: ignore[attr-defined]  # set by ninja
    return Site.objects.get(pk=key.site.id)


def _item(request: HttpRequest, item_id: str) -> Item:
    item = Item.objects.filter(site=_site(request), item_id=item_id).first()
    if item is None:
        raise Refusal(404, "unknown_item", f"there is no item {item_id[:100]!r}; write it first", field="item_id")
    return item


def _written(request: HttpRequest, rows: list[dict[str, Any]]) -> dict[str, Any]:
    report = upsert_items(_site(request), rows)
    return {
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "rejected": [_plain(bad) for bad in report.bad_rows],
        "ignored_fields": report.ignored_fields,
    }


def _document(value: object) -> dict[str, Any]:
    return cast(dict[str, Any], _plain(value))


def _plain(value: object) -> Any:
    return msgspec.to_builtins(value, str_keys=True)
