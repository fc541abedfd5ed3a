"""``Idempotency-Key``: a server that sends a request again gets the first answer again, for a day.

Kept on Redis. While Redis is unavailable, requests are simply answered: events carry ids, by which readers know
those they met before, so a repeated request never counts twice; only its answer may then differ.
"""

from __future__ import annotations

import hashlib
import logging
import re
from typing import Final

import msgspec
import redis.asyncio
from msgspec import Struct

from tracking import keys
from tracking.access.sites import KeyInfo
from tracking.error_codes import ErrorCode
from tracking.http.edge import Refusal, Reply
from tracking.redis_client import UNAVAILABLE, connect_async, remedy_of_refusal

logger = logging.getLogger(__name__)

KEEP_S: Final = keys.IDEMPOTENCY.ttl_s
CLAIM_S: Final = 30
"""How long a request may take before another of the same key may try: what a killed process had claimed."""
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


class Kept(Struct, frozen=True):
    """What is on Redis of a request: its body's digest, and its answer once there is one."""

    digest: str
    status: int = 0
    body: bytes = b""


class Idempotency:
    """The answers of one process's Redis; for one event loop."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._client: redis.asyncio.Redis | None = None

    async def claim(self, key: KeyInfo, value: str, body: bytes) -> Reply | None:
        """Return the answer that was given before, or ``None``: this request is to be answered now; one round trip.

        Raises
        ------
        Refusal
            400 malformed, 409 the first request is still being answered, 422 the key came with another body.
        """
        if not _KEY.fullmatch(value):
            raise Refusal(
                400, ErrorCode.INVALID_REQUEST, "use 1 to 255 visible ASCII characters", field="idempotency-key"
            )
        digest = hashlib.sha256(body).hexdigest()
        name = _name(key, value)
        claim = msgspec.msgpack.encode(Kept(digest))
        try:
            # Two commands: SET takes NX and GET together only since Redis 7.
            pipe = self._redis().pipeline(transaction=False)
            pipe.set(name, claim, nx=True, ex=CLAIM_S)
            pipe.get(name)
            is_ours, kept = await pipe.execute()
        except (*UNAVAILABLE, redis.ResponseError) as error:
            _warn("claim", error)
            return None
        if is_ours or kept is None:
            return None
        before = msgspec.msgpack.decode(kept, type=Kept)
        if before.digest != digest:
            raise Refusal(
                422,
                ErrorCode.IDEMPOTENCY_KEY_REUSED,
                f"the key {value[:50]!r} came with another body before; use a new key for a new request",
                field="idempotency-key",
            )
        if not before.status:
            raise Refusal(409, ErrorCode.IN_PROGRESS, "the first request is still being answered", retry_after_s=1)
        return Reply(before.body, status=before.status, headers=[(b"idempotent-replayed", b"true")])

    async def keep(self, key: KeyInfo, value: str, body: bytes, reply: Reply) -> None:
        """Remember the answer; one round trip."""
        kept = msgspec.msgpack.encode(Kept(hashlib.sha256(body).hexdigest(), reply.status, reply.body))
        try:
            await self._redis().set(_name(key, value), kept, ex=KEEP_S)
        except (*UNAVAILABLE, redis.ResponseError) as error:
            _warn("keep", error)

    async def release(self, key: KeyInfo, value: str) -> None:
        """Forget the claim of a request that failed, so that it can be sent again at once."""
        try:
            await self._redis().delete(_name(key, value))
        except (*UNAVAILABLE, redis.ResponseError) as error:
            _warn("release", error)

    async def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _redis(self) -> redis.asyncio.Redis:
        if self._client is None:
            self._client = connect_async(self._url, timeout_s=self._timeout_s, max_connections=32)
        return self._client


def _name(key: KeyInfo, value: str) -> str:
    return keys.idempotency(key.site.slug, key.id, hashlib.sha256(value.encode()).hexdigest()[:32])


def _warn(step: str, error: Exception) -> None:
    """Say in one line that Redis is down or takes no writes; raise what is neither."""
    remedy = remedy_of_refusal(error)
    if remedy is None and isinstance(error, redis.ResponseError):
        raise error
    remedy = remedy or "the request is answered as without key"
    logger.warning("idempotency.unavailable step=%s error=%r remedy=%s", step, error, remedy)
