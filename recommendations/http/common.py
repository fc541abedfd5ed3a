"""What the operations of the API share: ids in paths, the site of a key, plain values, the shape of errors."""

from __future__ import annotations

from typing import Annotated, Any, Final, cast

import msgspec
from django.http import HttpRequest
from ninja import Path, Schema
from pydantic import StringConstraints

from tracking.access.sites import KeyInfo
from tracking.error_codes import ErrorCode
from tracking.http.edge import Refusal
from tracking.models import Site

NOT_NUL: Final = r"^[^\x00]+$"
"""PostgreSQL takes no U+0000."""

ItemId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=NOT_NUL), Path()]
UserId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=NOT_NUL), Path()]
RecIdText = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=NOT_NUL), Path()]


class Problem(Schema):
    """Every error's shape."""

    error: str
    message: str
    field: str = ""


def site_of(request: HttpRequest, *query: str) -> Site:
    """Return the site of the request's key; raises the 400 for a query field other than those of ``query``."""
    unknown = request.GET.keys() - set(query)
    if unknown:
        name = min(unknown)
        raise Refusal(
            400,
            ErrorCode.INVALID_REQUEST,
            f"{name[:100]!r} is not a field of this request; remove it",
            field=name[:100],
        )
    key: KeyInfo = request.auth  # type: ignore[attr-defined]  # set by ninja
    return Site.objects.get(pk=key.site.id)


def plain(value: object) -> Any:
    """Return structs, dates and the like as values that JSON knows."""
    return msgspec.to_builtins(value, str_keys=True)


def document(value: object) -> dict[str, Any]:
    """Return a struct or mapping as a plain mapping."""
    return cast(dict[str, Any], plain(value))
