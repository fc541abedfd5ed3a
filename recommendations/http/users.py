"""Users in the API: what is known of one, all of it for export, and its erasure with a receipt."""

from __future__ import annotations

from typing import Annotated, Any, Final

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import StringConstraints

from features.models import Erasure
from features.privacy import tombstones
from features.privacy.erasure import erase_user, export_user, known_browsers
from features.privacy.ownership import Ownership
from recommendations.http.common import UserId, document, plain, site_of
from recommendations.http.history import Cursor, read_history
from tracking.contract.user_key import key_of_user
from tracking.error_codes import ErrorCode
from tracking.http.edge import Refusal

MAX_PAGE: Final = 1_000
MAX_ANONYMOUS_IDS: Final = 20
router: Final = Router()

AnonymousId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


class AlsoKnownAs(Schema):
    """Anonymous ids of the same user, beside those that we know of."""

    anonymous_id: list[AnonymousId] = Field(default_factory=list, max_length=MAX_ANONYMOUS_IDS)


class HistoryQuery(AlsoKnownAs):
    """Where a page begins, and how long it is."""

    after: Annotated[str, StringConstraints(max_length=160, pattern=r"^[^\x00]*$")] = Field(
        "", description="The ``next`` of the page before."
    )
    limit: int = Field(200, ge=1, le=MAX_PAGE)


class HistoryPage(Schema):
    """One page, newest first; ``next`` is the ``after`` of the following one."""

    events: list[dict[str, Any]]
    next: str | None


class UserExport(Schema):
    """Everything that is kept of a user, by store."""

    user_keys: list[str]
    features: dict[str, Any]
    database: dict[str, Any]
    events: list[dict[str, Any]]


class ErasedKeys(Schema):
    """What was erased from Redis."""

    keys: int


class ErasedRows(Schema):
    """What was erased from a table of the database."""

    rows: int


class ErasedFiles(Schema):
    """What was erased from the archive."""

    files: int
    rows: int


class ErasureReceipt(Schema):
    """What was erased; events up to ``erased_at_ms`` do not come back.

    A receipt that a restored backup lost has its time alone: ``restored`` is true then.
    """

    erased_at_ms: int
    user_keys: int = 0
    redis: ErasedKeys = ErasedKeys(keys=0)
    database: ErasedRows = ErasedRows(rows=0)
    archive: ErasedFiles = ErasedFiles(files=0, rows=0)
    dead_letters: ErasedRows = ErasedRows(rows=0)
    not_looked_at: list[str] = Field(default_factory=list, description="Stores that it did not look into, and why.")
    restored: bool = False


@router.get(
    "/users/{path:user_id}/features",
    response=dict[str, Any],
    tags=["users"],
    operation_id="readFeatures",
    summary="Read features",
)
def features(request: HttpRequest, user_id: UserId, query: Query[AlsoKnownAs]) -> dict[str, Any]:
    """Return the real-time features of a user, by user key and view."""
    site = site_of(request, "anonymous_id")
    return document(export_user(site, user_id=user_id, anonymous_ids=query.anonymous_id)["features"])


@router.get(
    "/users/{path:user_id}/history",
    response=HistoryPage,
    tags=["users"],
    operation_id="readHistory",
    summary="Read history",
)
def history(request: HttpRequest, user_id: UserId, query: Query[HistoryQuery]) -> dict[str, Any]:
    """Return the archived events of a user, newest first; ask for the next page with ``after``."""
    site = site_of(request, "anonymous_id", "after", "limit")
    try:
        after = Cursor.parse(query.after) if query.after else None
    except ValueError as error:
        raise Refusal(400, ErrorCode.INVALID_REQUEST, f"after {error}", field="after") from error
    browsers = known_browsers(site, user_id=user_id, anonymous_ids=query.anonymous_id)
    person = Ownership(user_id=user_id, browsers=tuple(browsers))
    events, following = read_history(site.slug, person, after=after, limit=query.limit)
    return {"events": plain(events), "next": None if following is None else str(following)}


@router.get(
    "/users/{path:user_id}/erasure",
    response=ErasureReceipt,
    tags=["users"],
    operation_id="readErasure",
    summary="Read the receipt of an erasure",
)
def read_erasure(request: HttpRequest, user_id: UserId) -> Any:
    """Return the receipt of the user's last erasure; of the user itself only a hash is kept for that."""
    site = site_of(request)
    hashes = tombstones.hashes(site.slug, key_of_user(user_id))
    found = Erasure.objects.filter(site=site, user_hash__in=hashes).order_by("-erased_until_ms").first()
    if found is None:
        raise Refusal(404, ErrorCode.NOT_ERASED, f"user {user_id[:100]!r} was never erased", field="user_id")
    return found.receipt


@router.get(
    "/users/{path:user_id}",
    response=UserExport,
    tags=["users"],
    operation_id="exportUser",
    summary="Export a user",
)
def export(request: HttpRequest, user_id: UserId, query: Query[AlsoKnownAs]) -> dict[str, Any]:
    """Return everything that is kept of a user: features, profile and events."""
    site = site_of(request, "anonymous_id")
    return document(export_user(site, user_id=user_id, anonymous_ids=query.anonymous_id))


@router.delete(
    "/users/{path:user_id}",
    response=ErasureReceipt,
    tags=["users"],
    operation_id="eraseUser",
    summary="Erase a user",
)
def erase(request: HttpRequest, user_id: UserId, query: Query[AlsoKnownAs]) -> dict[str, Any]:
    """Erase a user from every store, and return the receipt; safe to repeat."""
    site = site_of(request, "anonymous_id")
    return document(erase_user(site, user_id=user_id, anonymous_ids=query.anonymous_id))
