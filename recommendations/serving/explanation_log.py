"""What was shown and why, kept for 24 hours under the reply's id: for everybody as long as it is little, else a sample.

Nothing here names the user. Written in the background, a batch a second; when the store is slow or unavailable, or
there is more than the limit, explanations are dropped and counted, never waited for.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from django.conf import settings

from features.exceptions import StoreUnavailable
from recommendations import keys
from recommendations.metrics import EXPLANATIONS_DROPPED
from recommendations.pipeline.explanation import Explanation
from recommendations.serving.rec_ids import RecId
from tracking.background_flusher import BackgroundFlusher
from tracking.redis_client import UNAVAILABLE, connect
from tracking.token_bucket import TokenBucket

if TYPE_CHECKING:
    from recommendations.core.types import RequestUser
    from recommendations.pipeline.state import ListResult
    from recommendations.state.site import SiteState

MAX_AN_HOUR: Final = 5_000
"""Of one site, over all processes; some 5 MB with explanations, 120,000 replies a day."""

TTL_S: Final = keys.EXPLANATIONS.ttl_s
PER_SECOND: Final = 5.0
BURST: Final = 200.0
FLUSH_EVERY_S: Final = 1.0
HOUR_S: Final = 3600


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one reply showed."""

    placement: str
    made_at_s: int
    items: list[tuple[str, str]]
    stage: str
    fallback_reason: str | None
    model_version: str | None
    variant: str
    rule_ids: tuple[int, ...]
    feature_age_ms: int | None
    explanation: Explanation | None = None
    failed_step: str | None = None


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Receipt)


class _Kept(NamedTuple):
    """A receipt that waits to be written."""

    site: str
    rec_id: str
    receipt: Receipt

    @property
    def redis_key(self) -> str:
        return keys.explanations(self.site, self.receipt.made_at_s // HOUR_S)


class ExplanationKeeper:
    """Keeps receipts on Redis, as many as there is room for, without making a request wait."""

    def __init__(self) -> None:
        self._bucket = TokenBucket(rate_per_s=PER_SECOND, burst=BURST)
        self._flusher: BackgroundFlusher[_Kept] = BackgroundFlusher(
            "explanations", self._write, every_s=FLUSH_EVERY_S, capacity=int(BURST) * 2, keeps="newest"
        )

    def has_room(self) -> bool:
        """Return whether another explanation may be kept now; takes its place."""
        return self._bucket.take(time.monotonic())

    def put(self, site: str, rec_id: str, receipt: Receipt) -> None:
        """Keep a receipt; returns at once. The first one starts the thread."""
        self._flusher.start()
        if not self._flusher.put(_Kept(site, rec_id, receipt)):
            EXPLANATIONS_DROPPED.inc()

    def flush(self) -> int:
        """Write what waits, after what is being written now, and return how many; raises what Redis raises."""
        return self._flusher.flush()

    def stop(self) -> None:
        """Write what waits, and end the thread; the next receipt starts it again."""
        self._flusher.stop()

    def _write(self, batch: deque[_Kept]) -> None:
        """Write a batch, two round trips for each site and hour of it."""
        by_key: dict[str, list[_Kept]] = {}
        for kept in batch:
            by_key.setdefault(kept.redis_key, []).append(kept)
        batch.clear()
        batch.extend(chain.from_iterable(by_key.values()))
        client = connect(settings.REDIS_URL, timeout_s=0.5, max_connections=2)
        try:
            for key, waiting in by_key.items():
                held: Any = client.hlen(key)
                room = max(0, MAX_AN_HOUR - int(held))
                fields: dict[Any, Any] = {kept.rec_id: _ENCODER.encode(kept.receipt) for kept in waiting[:room]}
                if fields:
                    pipe = client.pipeline(transaction=False)
                    pipe.hset(key, mapping=fields)
                    pipe.expire(key, TTL_S)
                    pipe.execute()
                EXPLANATIONS_DROPPED.inc(len(waiting) - len(fields))
                for _ in waiting:
                    batch.popleft()
        except UNAVAILABLE:
            EXPLANATIONS_DROPPED.inc(len(batch))
            raise
        finally:
            client.close()


keeper: Final = ExplanationKeeper()


def keep_explanation(rec_id: str, result: ListResult, state: SiteState, user: RequestUser, *, now_s: int) -> None:
    """Keep what a reply showed, as far as there is room."""
    if not keeper.has_room():
        EXPLANATIONS_DROPPED.inc()
        return
    item_id = state.serving.item_index.item_id
    keeper.put(
        state.site,
        rec_id,
        Receipt(
            placement=result.query.placement.name,
            made_at_s=now_s,
            items=[(item_id(row), reason) for row, reason in zip(result.rows, result.reasons, strict=True)],
            stage=result.stage.value,
            fallback_reason=result.fallback_reason.value if result.fallback_reason is not None else None,
            model_version=result.model_version or None,
            variant=result.variant,
            rule_ids=result.rule_ids,
            feature_age_ms=user.feature_age_ms,
            failed_step=result.failed_step,
            explanation=result.explanation,
        ),
    )


def find_explanation(rec_id: str, said: RecId) -> Receipt | None:
    """Return what the reply of a checked id showed; None when it was not kept, or longer than 24 hours ago."""
    client = connect(settings.REDIS_URL, timeout_s=0.5, max_connections=2)
    try:
        blob: Any = client.hget(keys.explanations(said.site, said.made_at_s // HOUR_S), rec_id)
    finally:
        client.close()
    return None if blob is None else _DECODER.decode(blob)


def forget_explanations(site: str, rec_ids: Sequence[str]) -> int:
    """Drop what is kept of some replies, for an erasure; return how many were kept.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    if not rec_ids:
        return 0
    newest = int(time.time()) // HOUR_S
    client = connect(settings.REDIS_URL, timeout_s=0.5, max_connections=2)
    try:
        with client.pipeline(transaction=False) as pipeline:
            for hour in range(newest - TTL_S // HOUR_S, newest + 1):
                pipeline.hdel(keys.explanations(site, hour), *rec_ids)
            return sum(pipeline.execute())
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"the explanations of {site} cannot be reached: {error}") from error
    finally:
        client.close()
