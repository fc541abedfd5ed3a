"""What every hot path shares: keys, origins, CORS, body limits, time-outs, errors, request ids, metrics.

Hot paths are ASGI applications beside Django, so nothing of Django's middleware runs for them; what it would have
done stands here. An endpoint is one coroutine function wrapped in ``HotPath``::

    async def recommend(request: Request) -> Reply:
        payload = decode(request.body)
        key = request.authenticate(payload.key)
        ...
        return Reply(body=encode(answer))

    recommend_application = HotPath(recommend, name="recommend", methods=("GET", "POST"))

It may raise ``Refusal`` anywhere; what else it raises becomes a JSON 500 with an id that stands in the log, too.
"""

from __future__ import annotations

import asyncio
import functools
import hmac
import ipaddress
import logging
import re
import secrets
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

import msgspec
from django.conf import settings

from tracking.events import MAX_BODY_BYTES, MAX_SERVER_BODY_BYTES
from tracking.exceptions import InvalidEvent, SpoolFull, TrackingError
from tracking.metrics import HTTP_REPLIES, HTTP_SECONDS
from tracking.sites import KeyInfo, SiteInfo, find_key
from tracking.snapshots import SnapshotMissing

log = logging.getLogger(__name__)

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]

BODY_TIMEOUT_S: Final = 5.0
RETRY_AFTER_S: Final = 5
COOKIE_AGE_S: Final = 365 * 86_400
MAX_QUERY_FIELDS: Final = 50
_ACCEPTED_TYPES: Final = frozenset({b"", b"application/json", b"text/plain"})
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_JSON: Final = (b"content-type", b"application/json")
_NO_STORE: Final = (b"cache-control", b"no-store")
_NO_SNIFF: Final = (b"x-content-type-options", b"nosniff")


class Refusal(TrackingError):
    """An answer that is an error of the caller's, or a "not now".

    Parameters
    ----------
    status : int
        HTTP status.
    code : str
        Stable word for programs, such as ``unknown_key``.
    message : str
        The thing, the value and the remedy.
    field : str
        What it is about, where there is such a thing.
    retry_after_s : int, optional
        When to try again.
    headers : iterable of header pairs
        What else the answer carries.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str = "",
        retry_after_s: int | None = None,
        headers: Iterable[Header] = (),
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s
        self.headers = list(headers)
        self.extra = extra or {}


class Disconnected(TrackingError):
    """The client went away before its body was read; there is nobody to answer."""


class Reply:
    """An answer: bytes, JSON unless ``headers`` name another ``content-type``."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, body: bytes = b"", *, status: int = 200, headers: list[Header] | None = None) -> None:
        self.body = body
        self.status = status
        self.headers = headers if headers is not None else []


class Request:
    """A request whose body is read already, with what hot paths ask of it; the rest is worked out when asked."""

    def __init__(self, scope: Scope, body: bytes, *, received_at: float) -> None:
        self.scope = scope
        self.body = body
        self.method: str = scope["method"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.received_at_ms = int(received_at * 1000)
        self.key: KeyInfo | None = None

    @functools.cached_property
    def id(self) -> str:
        """The caller's ``X-Request-Id`` when it is well-formed, else a new one."""
        return _request_id(self.headers.get(b"x-request-id"))

    @functools.cached_property
    def query(self) -> dict[str, str]:
        """The query's fields; the last one of a name counts."""
        try:
            pairs = parse_qsl(
                self.scope.get("query_string", b"").decode("ascii"),
                keep_blank_values=True,
                max_num_fields=MAX_QUERY_FIELDS,
            )
        except (ValueError, UnicodeDecodeError) as error:
            raise Refusal(
                400, "invalid_query", f"the query cannot be read: {error}; percent-encode it", field="query"
            ) from error
        return dict(pairs)

    @property
    def origin(self) -> str | None:
        """What page asks, as its browser says."""
        origin = self.headers.get(b"origin")
        return None if origin is None else origin.decode("latin-1")

    @property
    def user_agent(self) -> str:
        """The browser or library, as it says itself; cut at 512 characters."""
        return self.headers.get(b"user-agent", b"")[:512].decode("latin-1")

    @property
    def signals_gpc(self) -> bool:
        """Whether the browser sends Global Privacy Control."""
        return self.headers.get(b"sec-gpc") == b"1"

    @property
    def is_https(self) -> bool:
        """Whether the shopper's browser speaks https, with a trusted proxy's word for it."""
        if settings.TRUSTED_PROXIES and (proto := self.headers.get(b"x-forwarded-proto")):
            return proto.split(b",")[-1].strip() == b"https"
        return bool(self.scope.get("scheme") == "https" or settings.HTTPS)

    @property
    def address(self) -> str:
        """Return the client's address, as seen by the outermost proxy we trust; never stored as it is."""
        proxies = settings.TRUSTED_PROXIES
        forwarded = self.headers.get(b"x-forwarded-for") if proxies else None
        if forwarded is not None:
            hops = forwarded.split(b",")
            return hops[max(len(hops) - proxies, 0)].strip().decode("latin-1")
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    def address_digest(self) -> str:
        """Return a keyed hash of the client's network (IPv4 address, IPv6 /64), for quotas."""
        return _address_digest(self.address, settings.SECRET_KEY)

    def cookie(self, name: str) -> str | None:
        """Return a cookie's value."""
        header = self.headers.get(b"cookie")
        if header is None:
            return None
        for part in header.split(b";"):
            key, _, value = part.strip().partition(b"=")
            if key == name.encode():
                return value.decode("latin-1")
        return None

    def authenticate(self, key_in_body: str | None = None, *, secret_only: bool = False) -> KeyInfo:
        """Return the key that the request carries, and check that it may be used from where it is used.

        Looked for in ``Authorization: Bearer``, ``X-Api-Key``, the body and the query, in this order. Raises
        ``Refusal``: 401 for a missing, unknown, expired or revoked key, 403 for one in the wrong place.
        """
        value = self._key_in_headers() or key_in_body or self.query.get("key")
        if not value:
            raise Refusal(
                401,
                "missing_key",
                "no key was sent; send one as 'Authorization: Bearer …', 'X-Api-Key: …' or 'key' in the body",
                field="key",
                headers=[(b"www-authenticate", b"Bearer")],
            )
        key = find_key(value)
        if key is None:
            raise Refusal(
                401,
                "unknown_key",
                f"key {value[:9] + '…'!r} is unknown, expired or revoked; copy a live one from the admin",
                field="key",
                headers=[(b"www-authenticate", b"Bearer")],
            )
        origin = self.origin
        if key.is_secret:
            if origin is not None:
                raise Refusal(
                    403,
                    "secret_key_in_browser",
                    "a secret key must not be used from a page; revoke it and use the publishable key there",
                    field="key",
                )
        elif secret_only:
            raise Refusal(
                403, "secret_key_needed", "this needs a secret key; send it from the shop's server", field="key"
            )
        elif origin is not None and not key.site.allows_origin(origin):
            raise Refusal(
                403,
                "origin_not_allowed",
                f"origin {origin[:200]!r} is not on the site's list; add it to the site in the admin",
                field="origin",
            )
        self.key = key
        return key

    @property
    def presents_secret_key(self) -> bool:
        """Whether the headers or the query claim a secret key; such bodies may be larger."""
        return _presents_secret_key(self.headers, self.scope.get("query_string", b""))

    def _key_in_headers(self) -> str | None:
        bearer = self.headers.get(b"authorization")
        if bearer is not None and bearer[:7].lower() == b"bearer ":
            return bearer[7:].strip().decode("latin-1")
        value = self.headers.get(b"x-api-key")
        return value.decode("latin-1") if value else None


Handler: TypeAlias = Callable[[Request], Awaitable[Reply]]


class HotPath:
    """An ASGI application around one handler.

    Parameters
    ----------
    handle : coroutine function
        Gets a ``Request`` with its body, returns a ``Reply`` or raises ``Refusal``.
    name : str
        Label of its metrics.
    methods : tuple of str
        What it answers beside OPTIONS.
    max_body_bytes, max_secret_body_bytes : int
        Caps of the body, compressed and not, for others and for those who present a secret key.
    body_timeout_s : float
        A body that has not arrived by then is refused with 408.
    """

    def __init__(
        self,
        handle: Handler,
        *,
        name: str,
        methods: tuple[str, ...] = ("POST",),
        max_body_bytes: int = MAX_BODY_BYTES,
        max_secret_body_bytes: int = MAX_SERVER_BODY_BYTES,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self._handle = handle
        self._methods = frozenset(methods)
        self._allow = ", ".join((*methods, "OPTIONS")).encode()
        self._max_body_bytes = max_body_bytes
        self._max_secret_body_bytes = max_secret_body_bytes
        self._body_timeout_s = body_timeout_s
        self._name = name
        self._seconds = HTTP_SECONDS.labels(name)
        self._counters: dict[int, Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        request = Request(scope, b"", received_at=time.time())
        try:
            reply = await self._answer(request, receive)
        except Disconnected:
            return
        await _send(send, request, reply)
        self._seconds.observe(time.perf_counter() - started)
        counter = self._counters.get(reply.status)
        if counter is None:
            counter = self._counters[reply.status] = HTTP_REPLIES.labels(self._name, str(reply.status))
        counter.inc()

    async def _answer(self, request: Request, receive: Receive) -> Reply:
        try:
            if request.method == "OPTIONS":
                return self._preflight(request)
            if request.method not in self._methods:
                raise Refusal(
                    405,
                    "method_not_allowed",
                    f"{request.method[:20]} is not answered here; use {self._allow.decode()}",
                    field="method",
                    headers=[(b"allow", self._allow)],
                )
            if request.method != "GET":
                request.body = await self._read(request, receive)
            return await self._handle(request)
        except Refusal as refusal:
            return refused(refusal)
        except InvalidEvent as error:
            return refused(Refusal(400, error.code, error.reason, field=error.field))
        except (SnapshotMissing, SpoolFull) as error:
            return refused(Refusal(503, "not_now", str(error), retry_after_s=RETRY_AFTER_S))
        except Disconnected:
            raise
        except Exception:  # an edge: whatever goes wrong, the shop gets JSON and we get a log line with its id
            log.exception("edge.failed path=%s request_id=%s", self._name, request.id)
            return refused(
                Refusal(
                    500,
                    "internal_error",
                    f"something went wrong on our side; it is logged with the id {request.id}",
                    retry_after_s=RETRY_AFTER_S,
                )
            )

    def _preflight(self, request: Request) -> Reply:
        """Answer OPTIONS. It carries no key, so any origin passes here and is judged when it asks in earnest."""
        return Reply(
            status=204,
            headers=[
                (b"access-control-allow-methods", self._allow),
                (
                    b"access-control-allow-headers",
                    b"authorization, content-type, content-encoding, x-api-key, x-request-id, idempotency-key",
                ),
                (b"access-control-max-age", b"7200"),
                (b"allow", self._allow),
            ],
        )

    async def _read(self, request: Request, receive: Receive) -> bytes:
        content_type = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if content_type not in _ACCEPTED_TYPES:
            raise Refusal(
                415,
                "unsupported_media_type",
                f"content type {content_type[:100].decode('latin-1')!r} is not read; "
                "use application/json or text/plain",
                field="content-type",
            )
        limit = self._max_secret_body_bytes if request.presents_secret_key else self._max_body_bytes
        announced = request.headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit:
            raise _too_large(limit)
        body = await read_body(receive, limit=limit, timeout_s=self._body_timeout_s)
        encoding = request.headers.get(b"content-encoding", b"").strip().lower()
        if encoding in (b"gzip", b"x-gzip") or (not encoding and body[:2] == b"\x1f\x8b"):
            return gunzip(body, limit=limit)  # beacons cannot carry the header, so the magic number counts, too
        if encoding not in (b"", b"identity"):
            raise Refusal(
                415,
                "unsupported_encoding",
                f"content encoding {encoding[:50].decode('latin-1')!r} is not read; use gzip or none",
                field="content-encoding",
            )
        return body


async def read_body(receive: Receive, *, limit: int, timeout_s: float) -> bytes:
    """Return the whole body; raises ``Refusal`` 413 or 408, and ``Disconnected``."""
    try:
        async with asyncio.timeout(timeout_s):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected("the client went away before its body was read")
            body: bytes = message.get("body", b"")
            if not message.get("more_body", False):
                if len(body) > limit:
                    raise _too_large(limit)
                return body
            chunks = [body]
            size = len(body)
            while message.get("more_body", False) and size <= limit:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected("the client went away before its body was read")
                chunk = message.get("body", b"")
                size += len(chunk)
                chunks.append(chunk)
    except TimeoutError as error:
        raise Refusal(
            408,
            "body_timeout",
            f"the body did not arrive within {timeout_s:g} s; send it at once",
            field="body",
            headers=[(b"connection", b"close")],
        ) from error
    if size > limit:
        raise _too_large(limit)
    return b"".join(chunks)


def gunzip(data: bytes, *, limit: int) -> bytes:
    """Return the decompressed bytes; raises ``Refusal`` 413 for a bomb and 400 for what is not gzip."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        body = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise Refusal(400, "invalid_gzip", f"the body is not gzip: {error}", field="body") from error
    if len(body) > limit:
        raise _too_large(limit)
    if not inflater.eof:
        raise Refusal(400, "invalid_gzip", "the gzip body is cut short; send all of it", field="body")
    return body


def refused(refusal: Refusal) -> Reply:
    """Return the answer of a refusal, in the one shape of all our errors."""
    headers = list(refusal.headers)
    if refusal.retry_after_s is not None:
        headers.append((b"retry-after", str(refusal.retry_after_s).encode()))
    body = {"error": refusal.code, "message": refusal.message, "field": refusal.field, **refusal.extra}
    return Reply(msgspec.json.encode(body), status=refusal.status, headers=headers)


def set_cookie(name: str, value: str, *, is_secure: bool, max_age_s: int = COOKIE_AGE_S) -> Header:
    """Return a first-party cookie's header; scripts may read it, as the SDK must."""
    secure = "; Secure" if is_secure else ""
    return b"set-cookie", f"{name}={value}; Max-Age={max_age_s}; Path=/; SameSite=Lax{secure}".encode("latin-1")


def websocket_origin_is_allowed(scope: Scope, site: SiteInfo) -> bool:
    """Return whether the page that opens a WebSocket may use the site's publishable key."""
    for name, value in scope["headers"]:
        if name == b"origin":
            return site.allows_origin(value.decode("latin-1"))
    return True


async def _send(send: Send, request: Request, reply: Reply) -> None:
    headers = [
        *reply.headers,
        (b"content-length", str(len(reply.body)).encode()),
        (b"x-request-id", request.id.encode()),
        _NO_SNIFF,
    ]
    names = {name for name, _ in reply.headers}
    if reply.body and b"content-type" not in names:
        headers.append(_JSON)
    if b"cache-control" not in names:
        headers.append(_NO_STORE)
    origin = request.headers.get(b"origin")
    if origin is not None:
        # Credentials let the anonymous id's cookie come back. Refusals are readable, too: a browser shows a page
        # an error without these headers as a broken network, and then it would be sent again and again.
        headers += [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", b"retry-after, x-request-id"),
            (b"vary", b"origin"),
        ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def _too_large(limit: int) -> Refusal:
    return Refusal(
        413,
        "body_too_large",
        f"the body is larger than {limit} bytes; send fewer events a request",
        field="body",
        headers=[(b"connection", b"close")],
    )


def _presents_secret_key(headers: dict[bytes, bytes], query: bytes) -> bool:
    bearer = headers.get(b"authorization", b"")
    return (
        bearer[7:].lstrip().startswith(b"sk_")
        or headers.get(b"x-api-key", b"").startswith(b"sk_")
        or b"key=sk_" in query
    )


def _request_id(value: bytes | None) -> str:
    text = value.decode("latin-1") if value is not None else ""
    return text if _REQUEST_ID.fullmatch(text) else secrets.token_hex(8)


@functools.lru_cache(maxsize=8192)
def _address_digest(address: str, secret: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        network = address  # a Unix socket or a proxy's nonsense: still one caller
    else:
        bits = 64 if parsed.version == 6 else 32
        network = str(ipaddress.ip_network((parsed, bits), strict=False))
    return hmac.digest(secret.encode(), network.encode(), "sha256")[:12].hex()
