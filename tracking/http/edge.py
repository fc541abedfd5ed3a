"""What every hot path shares: keys, origins, CORS, body limits, time-outs, errors, request ids, metrics.

Hot paths are ASGI applications beside Django, so nothing of Django's middleware runs for them; what it would have
done stands here. An endpoint is one coroutine function wrapped in ``HotPath``::

    async def recommend(request: Request) -> Reply:
        payload = decode(request.body)
        key = request.authenticate(payload.key, scope="recommendations")
        ...
        return Reply(body=encode(answer))

    recommend_application = HotPath(recommend, name="recommend", methods=("GET", "POST"))

It may raise ``Refusal`` anywhere; what else it raises becomes a JSON 500 with an id that stands in the log, too.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, TypeAlias

import msgspec

from tracking.contract.events import MAX_BODY_BYTES, MAX_SERVER_BODY_BYTES
from tracking.error_codes import ErrorCode
from tracking.exceptions import InvalidEvent, SpoolFull
from tracking.http.current import CURRENT
from tracking.http.request import (
    Disconnected,
    Header,
    Receive,
    Refusal,
    Reply,
    Request,
    Scope,
    Send,
    set_cookie,
    websocket_origin_is_allowed,
)
from tracking.metrics import HTTP_REPLIES, HTTP_SECONDS
from tracking.snapshots.snapshot import SnapshotMissing
from tracking.traces import spans

__all__ = [
    "Disconnected",
    "Header",
    "HotPath",
    "Receive",
    "Refusal",
    "Reply",
    "Request",
    "Scope",
    "Send",
    "gunzip",
    "read_body",
    "refused",
    "set_cookie",
    "websocket_origin_is_allowed",
]

logger = logging.getLogger(__name__)

BODY_TIMEOUT_S: Final = 5.0
RETRY_AFTER_S: Final = 5
_ACCEPTED_TYPES: Final = frozenset({b"", b"application/json", b"text/plain"})
_JSON: Final = (b"content-type", b"application/json")
_NO_STORE: Final = (b"cache-control", b"no-store")
_NO_SNIFF: Final = (b"x-content-type-options", b"nosniff")


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
        CURRENT.set(request.id)
        try:
            if spans.sender is None:
                reply = await self._answer(request, receive)
            else:
                reply = await self._traced(request, receive)
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
                    ErrorCode.METHOD_NOT_ALLOWED,
                    f"{request.method[:20]} is not answered here; use {self._allow.decode()}",
                    field="method",
                    headers=[(b"allow", self._allow)],
                )
            if request.method not in ("GET", "HEAD"):
                request.body = await self._read(request, receive)
            return await self._handle(request)
        except Refusal as refusal:
            return refused(refusal)
        except InvalidEvent as error:
            return refused(Refusal(400, error.code, error.reason, field=error.field))
        except (SnapshotMissing, SpoolFull) as error:
            return refused(Refusal(503, ErrorCode.UNAVAILABLE, str(error), retry_after_s=RETRY_AFTER_S))
        except Disconnected:
            raise
        except Exception:  # an edge: whatever goes wrong, the shop gets JSON and we get a log line with its id
            logger.exception("edge.failed path=%s request_id=%s", self._name, request.id)
            return refused(
                Refusal(
                    500,
                    ErrorCode.INTERNAL_ERROR,
                    f"something went wrong on our side; it is logged with the id {request.id}",
                    retry_after_s=RETRY_AFTER_S,
                )
            )

    async def _traced(self, request: Request, receive: Receive) -> Reply:
        """Answer as a span, where this request is sampled."""
        span = None
        if spans.sender is not None and request.method in self._methods:
            named = {"http.request.method": request.method, "recsite.endpoint": self._name}
            span = spans.sender.request(f"{request.method} {self._name}", request.headers.get(b"traceparent"), named)
        if span is None:
            return await self._answer(request, receive)
        spans.set_current(span)
        status = 499  # of who did not wait for the answer
        try:
            reply = await self._answer(request, receive)
            status = reply.status
        finally:
            spans.set_current(None)
            span.end({"http.response.status_code": status})
        return reply

    def _preflight(self, request: Request) -> Reply:
        """Answer OPTIONS. It carries no key, so any origin passes here and is checked with the request itself."""
        return Reply(
            status=204,
            headers=[
                (b"access-control-allow-methods", self._allow),
                (
                    b"access-control-allow-headers",
                    b"authorization, content-type, content-encoding, x-api-key, x-request-id, idempotency-key, "
                    b"traceparent",
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
                ErrorCode.UNSUPPORTED_MEDIA_TYPE,
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
                ErrorCode.UNSUPPORTED_ENCODING,
                f"content encoding {encoding[:50].decode('latin-1')!r} is not read; use gzip or none",
                field="content-encoding",
            )
        return body


async def read_body(receive: Receive, *, limit: int, timeout_s: float) -> bytes:
    """Return the whole body; raises ``Refusal`` 413 or 408, and ``Disconnected``.

    Most bodies came with their head, so that nothing is waited for: the timer, a tenth of what a request costs, is
    set when something is.
    """
    reading = _read_chunks(receive, limit=limit).__await__()
    try:
        awaited = next(reading)
    except StopIteration as done:
        chunks: list[bytes] = done.value
    else:
        chunks = await _within(_Resumed(reading, awaited), timeout_s=timeout_s)
    if len(chunks) == 1 and len(chunks[0]) <= limit:
        return chunks[0]
    if sum(map(len, chunks)) > limit:
        raise _too_large(limit)
    return b"".join(chunks)


async def _read_chunks(receive: Receive, *, limit: int) -> list[bytes]:
    """Return the pieces of the body, up to the one that is beyond the limit."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected("the client disconnected before its body was read")
        chunk: bytes = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if size > limit or not message.get("more_body", False):
            return chunks


class _Resumed:
    """Resumes a coroutine that was begun and waits for ``awaited``."""

    def __init__(self, begun: Generator[Any, Any, list[bytes]], awaited: Any) -> None:
        self._begun = begun
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, list[bytes]]:
        awaited = self._awaited
        while True:
            try:
                try:
                    answer = yield awaited
                except BaseException as error:  # of the timer or the server: the coroutine's to hear of
                    awaited = self._begun.throw(error)
                else:
                    awaited = self._begun.send(answer)
            except StopIteration as done:
                chunks: list[bytes] = done.value
                return chunks


async def _within(reading: _Resumed, *, timeout_s: float) -> list[bytes]:
    try:
        async with asyncio.timeout(timeout_s):
            return await reading
    except TimeoutError as error:
        raise Refusal(
            408,
            ErrorCode.BODY_TIMEOUT,
            f"the body did not arrive within {timeout_s:g} s; send it at once",
            field="body",
            headers=[(b"connection", b"close")],
        ) from error


def gunzip(data: bytes, *, limit: int) -> bytes:
    """Return the decompressed bytes; raises ``Refusal`` 413 for a bomb and 400 for what is not gzip."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        body = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise Refusal(400, ErrorCode.INVALID_GZIP, f"the body is not gzip: {error}", field="body") from error
    if len(body) > limit:
        raise _too_large(limit)
    if not inflater.eof:
        raise Refusal(400, ErrorCode.INVALID_GZIP, "the gzip body is cut short; send all of it", field="body")
    return body


def refused(refusal: Refusal) -> Reply:
    """Return the answer of a refusal, in the one shape of all our errors."""
    headers = list(refusal.headers)
    if refusal.retry_after_s is not None:
        headers.append((b"retry-after", str(refusal.retry_after_s).encode()))
    body = {"error": refusal.code, "message": refusal.message, "field": refusal.field, **refusal.extra}
    return Reply(msgspec.json.encode(body), status=refusal.status, headers=headers)


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
        ErrorCode.BODY_TOO_LARGE,
        f"the body is larger than {limit} bytes; send fewer events a request",
        field="body",
        headers=[(b"connection", b"close")],
    )
