"""Requests of the last hour, as far as a list depends on them: a sample, bounded, and nobody's.

An entry holds the placement, the page, the cart, and what lists are made from: items and segments. No id of a user,
browser, session or reply is kept, so an entry cannot be traced to a person; the whole ring is dropped when any user
of the site is erased, and after an hour. Written in the background; what there is no room for is dropped.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

import msgspec
from django.conf import settings

from features.exceptions import StoreUnavailable
from recommendations import keys
from recommendations.core.types import RequestUser
from recommendations.core.visit import VISIT_FIELDS, Visit
from tracking.background_flusher import BackgroundFlusher
from tracking.contract.user_key import key_of_anonymous
from tracking.redis_client import UNAVAILABLE, connect
from tracking.token_bucket import TokenBucket

if TYPE_CHECKING:
    from recommendations.pipeline.query import ListQuery

MAX_KEPT: Final = 10_000
"""Of one site, over all processes and placements; some 3 MB."""

MAX_ITEMS: Final = 50
"""Of each of a user's histories; what lies further back moves no list by much."""

ALWAYS_KEPT: Final = ("device", "locale", "country", "page")
"""Of a visit, for rules that are only being written; campaign, search and path where a rule asks for them."""

PER_SECOND: Final = 5.0
BURST: Final = 100.0
FLUSH_EVERY_S: Final = 1.0
HOUR_S: Final = 3_600


class KeptRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, array_like=True):
    """What one list was made from. The fields are those of ``ListQuery``, ``RequestUser`` and ``Visit``.

    Of a visit that much is kept for which some rule of the placement asks, and device and language, which say little of
    anybody: searches and paths may hold what a person typed.
    """

    placement: str
    made_at_s: int
    limit: int
    context_items: tuple[str, ...] = ()
    cart: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    filter: str = ""
    candidates: tuple[str, ...] | None = None
    recents: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    purchases: tuple[str, ...] = ()
    user_cart: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    is_returning: bool = False
    device: str = ""
    locale: str = ""
    country: str = ""
    campaign: str = ""
    query: str = ""
    page: str = ""
    path: str = ""
    clicked: tuple[str, ...] = ()

    @property
    def visit(self) -> Visit:
        """Where and how the page was looked at."""
        return Visit(**{name: getattr(self, name) for name in VISIT_FIELDS})

    @property
    def user(self) -> RequestUser:
        """Somebody of whom the same is known, and nothing else."""
        return RequestUser(
            key=key_of_anonymous("replay"),
            recents=self.recents,
            session=self.session,
            clicked=self.clicked,
            purchases=self.purchases,
            cart=self.user_cart,
            segments=frozenset(self.segments),
            is_returning=self.is_returning,
        )


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(KeptRequest)


class RequestKeeper:
    """Keeps requests on Redis without making one wait."""

    def __init__(self) -> None:
        self._bucket = TokenBucket(rate_per_s=PER_SECOND, burst=BURST)
        self._flusher: BackgroundFlusher[tuple[str, KeptRequest]] = BackgroundFlusher(
            "requests", self._write, every_s=FLUSH_EVERY_S, capacity=int(BURST) * 2, keeps="newest"
        )

    def keep(self, site: str, query: ListQuery, user: RequestUser, *, now_s: int) -> None:
        """Keep a request if there is room; returns at once."""
        if not self._bucket.take(time.monotonic()):
            return
        self._flusher.start()
        self._flusher.put((site, kept_request(query, user, now_s=now_s)))

    def flush(self) -> int:
        """Write what waits, and return how many; raises what Redis raises."""
        return self._flusher.flush()

    def stop(self) -> None:
        """Write what waits, and end the thread; the next request starts it again."""
        self._flusher.stop()

    def _write(self, batch: deque[tuple[str, KeptRequest]]) -> None:
        """Write a batch, one round trip a site."""
        by_site: dict[str, list[bytes]] = {}
        for site, request in batch:
            by_site.setdefault(site, []).append(_ENCODER.encode(request))
        client = connect(settings.REDIS_URL, timeout_s=0.5, max_connections=2)
        try:
            for site, requests in by_site.items():
                key = keys.requests(site)
                with client.pipeline(transaction=False) as pipe:
                    pipe.lpush(key, *requests)
                    pipe.ltrim(key, 0, MAX_KEPT - 1)
                    pipe.expire(key, HOUR_S)
                    pipe.execute()
        finally:
            client.close()


request_keeper: Final = RequestKeeper()


def kept_request(query: ListQuery, user: RequestUser, *, now_s: int) -> KeptRequest:
    """Return what is kept of a request: nothing that says whose it was."""
    return KeptRequest(
        placement=query.placement.name,
        made_at_s=now_s,
        limit=query.limit,
        context_items=query.context_items[:MAX_ITEMS],
        cart=query.cart[:MAX_ITEMS],
        exclude=query.exclude[:MAX_ITEMS],
        filter=query.filter,
        candidates=None if query.candidates is None else query.candidates[: 2 * MAX_ITEMS],
        recents=user.recents[:MAX_ITEMS],
        session=user.session[:MAX_ITEMS],
        clicked=user.clicked[:MAX_ITEMS],
        purchases=user.purchases[:MAX_ITEMS],
        user_cart=user.cart[:MAX_ITEMS],
        segments=tuple(sorted(user.segments)),
        is_returning=user.is_returning,
        **{name: getattr(query.visit, name) for name in {*ALWAYS_KEPT, *query.placement.visit_fields}},
    )


def recent_requests(site: str, placements: Collection[str], *, most: int, now_s: int) -> list[KeptRequest]:
    """Return requests of the last hour for some placements, the newest first; one round trip.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    client = connect(settings.REDIS_URL, timeout_s=2.0, max_connections=2)
    try:
        blobs: Any = client.lrange(keys.requests(site), 0, MAX_KEPT - 1)
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"the requests of {site} cannot be reached: {error}") from error
    finally:
        client.close()
    found: list[KeptRequest] = []
    for blob in blobs:
        try:
            request = _DECODER.decode(blob)
        except msgspec.DecodeError:  # of another release
            continue
        if request.placement in placements and request.made_at_s > now_s - HOUR_S:
            found.append(request)
            if len(found) == most:
                break
    return found


def forget_requests(site: str) -> None:
    """Drop all that is kept of a site: nothing says which of it was of an erased user.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    client = connect(settings.REDIS_URL, timeout_s=2.0, max_connections=2)
    try:
        client.delete(keys.requests(site))
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"the requests of {site} cannot be reached: {error}") from error
    finally:
        client.close()
