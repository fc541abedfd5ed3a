"""Whose features changed: announced once per micro-batch, heard by the web processes.

An announcement is a hint: none is repeated, and one may be lost with a connection. Whoever missed it reads the same
features a moment later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec
import redis
from django.conf import settings

from features.keys import CHANGED_CHANNEL
from tracking.redis_client import UNAVAILABLE, connect_async

logger = logging.getLogger(__name__)

Changed = dict[str, list[str]]  # site -> user keys

TRACES: Final = "~traces"
"""Stands among the sites, and is none's slug: for users whose event is traced, ``traceparent site user_key``."""

RECONNECT_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0)
WAIT_S: Final = 1.0
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Changed)


def announce_changed(client: redis.Redis, changed: Mapping[str, Sequence[str]]) -> None:
    """Say whose features changed; one round trip. Failing is not an error: the features are written already."""
    if not changed:
        return
    try:
        client.publish(CHANGED_CHANNEL, _ENCODER.encode(changed))
    except UNAVAILABLE as error:
        logger.warning("notify.lost sites=%s error=%s", len(changed), error)


def traces_of(traced: Iterable[tuple[tuple[str, str], str]], changed: Iterable[tuple[str, str]]) -> list[str]:
    """Return what is announced under ``TRACES`` of users who changed."""
    mine = set(changed)
    return [f"{traceparent} {user[0]} {user[1]}" for user, traceparent in traced if user in mine]


def traced_users(changed: Changed) -> dict[tuple[str, str], str]:
    """Return the traceparent by user of what is announced under ``TRACES``."""
    found = {}
    for line in changed.get(TRACES, ()):
        traceparent, site, user_key = line.split(" ", 2)
        found[site, user_key] = traceparent
    return found


async def listen_changed(callback: Callable[[Changed], Awaitable[None] | None], *, url: str | None = None) -> None:
    """Call ``callback`` with every announcement until cancelled; connects again by itself.

    Parameters
    ----------
    callback : callable
        Called in this event loop, one announcement after the other. An error in it is logged and ends nothing.
    url : str, optional
        Redis to listen to; ``settings.REDIS_URL`` by default.
    """
    address = (url or settings.REDIS_URL).replace("+cluster", "")  # every node of a Cluster hears every channel
    failures = 0
    while True:
        client = connect_async(address, timeout_s=2 * WAIT_S)
        try:
            async with client.pubsub() as pubsub:
                await pubsub.subscribe(CHANGED_CHANNEL)
                while True:
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=WAIT_S)
                    failures = 0
                    if message is not None:
                        await _call(callback, message["data"])
        except UNAVAILABLE as error:
            delay_s = RECONNECT_S[min(failures, len(RECONNECT_S) - 1)]
            failures += 1
            logger.warning("notify.disconnected retry_s=%s error=%s", delay_s, error)
            await asyncio.sleep(delay_s)
        finally:
            await client.aclose()


async def _call(callback: Callable[[Changed], Awaitable[None] | None], data: bytes) -> None:
    try:
        answer = callback(_DECODER.decode(data))
        if answer is not None:
            await answer
    except Exception:
        logger.exception("notify.callback_failed bytes=%s", len(data))
