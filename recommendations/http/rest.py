"""The typed API beside the hot paths: who may use it, what its errors look like, and the document of all of ``/v1/``.

Operations stand in ``api_items.py``, ``api_users.py`` and ``api_replies.py``. They are for the shop's servers: every
one but health needs a secret key. Versions: what is added to ``/v1/`` never breaks a client that ignores fields it does
not know; what would, becomes ``/v2/``, and both are served for a year.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.parser import Parser
from ninja.renderers import BaseRenderer
from ninja.security import APIKeyHeader, HttpBearer
from ninja.security.base import AuthBase

from features.exceptions import StoreUnavailable
from recommendations.http import exchange_rates, explanations, health, items, openapi, reports, users
from recommendations.http.common import Problem
from recommendations.serving.admission.quotas import quotas
from tracking.access.certificates import CERTIFICATE_HEADER, PROXY_SECRET_HEADER
from tracking.access.sites import KeyInfo
from tracking.error_codes import ErrorCode
from tracking.http.edge import Refusal
from tracking.http.request import check_scope, credential
from tracking.snapshots.snapshot import SnapshotMissing

logger = logging.getLogger(__name__)


RETRY_AFTER_S: Final = 2


class Api(NinjaAPI):
    """The API, whose document holds the hot endpoints, too."""

    def get_openapi_schema(self, **kwargs: Any) -> Any:
        """Return the OpenAPI document of everything under ``/v1/``."""
        return openapi.with_hot_paths(super().get_openapi_schema(**kwargs))


class StrictParser(Parser):
    """Reads JSON as the hot paths do: no NaN, no text that is not UTF-8."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Return the body; raises ``HttpError`` for what is no JSON."""
        try:
            return msgspec.json.decode(request.body)
        except RecursionError as error:
            raise HttpError(400, "the body is nested too deep; flatten it") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HttpError(400, f"the body is not valid JSON: {error}") from error


class JsonRenderer(BaseRenderer):
    """Writes JSON that every reader takes: what is no number becomes null."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        """Return the body of an answer."""
        return msgspec.json.encode(data)


#: What an OAuth2 token needs for the operations below ``/v1/<word>``; a word that is not here is open to no token.
SCOPE_OF: Final = {
    "items": "catalogue", "placements": "catalogue", "exchange-rates": "catalogue", "users": "users",
    "explanations": "recommendations", "reports": "reports",
}  # fmt: skip


def _secret_key(request: HttpRequest, value: str | None) -> KeyInfo:
    headers = {
        name: request.headers.get(name.decode(), "").encode("latin-1", "replace")
        for name in (CERTIFICATE_HEADER, PROXY_SECRET_HEADER)
    }
    key = credential(value, headers)
    if not key.is_secret:
        raise Refusal(
            403, ErrorCode.SECRET_KEY_NEEDED, "this needs a secret key; send it from the shop's server", field="key"
        )
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
    parser=StrictParser(),
    renderer=JsonRenderer(),
)
for part in (items, exchange_rates, users, explanations, reports, health):
    api.add_router("", part.router)


@api.exception_handler(Refusal)
def _refused(request: HttpRequest, error: Refusal) -> HttpResponse:
    response = problem(request, error.status, error.code, error.message, error.field)
    for name, value in error.headers:
        response[name.decode()] = value.decode("latin-1")
    if error.retry_after_s is not None:
        response["Retry-After"] = str(error.retry_after_s)
    return response


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    names = [part for part in first.get("loc", ())[1:] if part not in ("body", "page")]
    field = "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in names).lstrip(".")
    return problem(
        request, 400, ErrorCode.INVALID_REQUEST, f"{field or 'body'} {first.get('msg', 'is wrong')}", field or "body"
    )


@api.exception_handler(HttpError)
def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    return problem(request, error.status_code, ErrorCode.INVALID_REQUEST, str(error), "body")


@api.exception_handler(RequestDataTooBig)
def _too_big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return problem(request, 413, ErrorCode.BODY_TOO_LARGE, "the body is too large; send fewer items a request", "body")


@api.exception_handler(StoreUnavailable)
@api.exception_handler(SnapshotMissing)
@api.exception_handler(OperationalError)
@api.exception_handler(OSError)
def _unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    """Say that a part is unavailable; what it said of itself stands in the log, as it may name hosts and paths."""
    logger.warning("api.unavailable path=%s error=%r", request.path_info.split("/")[:3], error)
    response = problem(
        request, 503, ErrorCode.UNAVAILABLE, "a store that this needs does not answer; try again in a moment", ""
    )
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


@api.exception_handler(AuthenticationError)
def _unauthorised(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return problem(
        request,
        401,
        ErrorCode.MISSING_KEY,
        "send a secret key as 'Authorization: Bearer sk_…' or 'X-Api-Key: sk_…'",
        "key",
    )


@api.exception_handler(Exception)
def _failed(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer in the one shape whatever happens; the edge of every operation."""
    logger.error("api.failed method=%s path=%s", request.method, request.path_info.split("/")[:3], exc_info=error)
    return problem(request, 500, ErrorCode.INTERNAL_ERROR, "something went wrong on our side; it is logged", "")


def problem(request: HttpRequest, status: int, error: ErrorCode, message: str, field: str) -> HttpResponse:
    """Return an error in the one shape."""
    return api.create_response(request, Problem(error=error, message=message, field=field).dict(), status=status)
