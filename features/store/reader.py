"""Features at serving time: one round trip to Redis a user, and never longer than the time-out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import redis
import redis.asyncio
from django.conf import settings

from features import keys
from features.exceptions import StoreUnavailable
from features.metrics import FEATURE_READ_FAILURES, FEATURE_READ_SECONDS
from features.state.user_features import StateBlobs, UserFeatures, merge
from features.store import connections
from features.store.fast_redis import SharedConnection
from tracking.contract.user_key import UserKey, key_of_anonymous, key_of_user
from tracking.redis_client import UNAVAILABLE, connect_async, is_cluster

logger = logging.getLogger(__name__)

MAX_KEYS: Final = 6
OPEN_AFTER_FAILURES: Final = 3
OPEN_S: Final = 0.5
KNOWN_ALIASES: Final = 20_000
KEPT_FEATURES: Final = 2_048
KEEP_FEATURES_MS: Final = 10_000
"""How long features are kept while their states stay the same, byte by byte; ages in them are older by that much."""


class OnlineReader:
    """Reads users' features for one event loop.

    After a few failures in a row the breaker opens: for half a second nobody waits for Redis, then one read tries.

    Parameters
    ----------
    url : str, optional
        Redis; ``settings.REDIS_URL`` by default.
    timeout_s : float, optional
        The longest a read takes; ``settings.REDIS_TIMEOUT_MS`` by default.
    clock : callable
        Epoch milliseconds now.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        partitions: int | None = None,
        timeout_s: float | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._url = url or settings.REDIS_URL
        self._partitions = partitions or connections.partitions()
        self._timeout_s = timeout_s if timeout_s is not None else settings.REDIS_TIMEOUT_MS / 1_000
        self._clock = clock
        self._is_cluster = is_cluster(self._url)
        self._shared: SharedConnection | None = None
        self._cluster: redis.asyncio.Redis | None = None
        self._failures = 0
        self._failed_at = 0.0
        self._closed_until = 0.0
        self._aliases: OrderedDict[tuple[str, str], tuple[str, ...]] = OrderedDict()
        self._kept: OrderedDict[tuple[StateBlobs, ...], tuple[int, UserFeatures]] = OrderedDict()

    async def read_user(
        self,
        site: str,
        *,
        user_id: str | None,
        anonymous_id: str | None,
        extra_anonymous_ids: Sequence[str] = (),
    ) -> UserFeatures:
        """Return what is known of a user under all its ids; one MGET (one a slot on a Cluster).

        ``user_id`` must have been vouched for. The user's other anonymous ids are learnt from its state, and read
        along from the next time on.

        Raises
        ------
        StoreUnavailable
            Redis did not answer in time, or did not lately: answer without features.
        UnknownState
            A newer program wrote the states.
        """
        user_keys = self._user_keys(site, user_id, anonymous_id, extra_anonymous_ids)
        if not user_keys:
            return merge((), now_ms=self._clock())
        started = time.perf_counter()
        blobs = await self._read(site, user_keys)
        features = self._merged(tuple(blobs))
        if user_id and features.aliases:
            self._remember_aliases((site, user_id), features.aliases)
        FEATURE_READ_SECONDS.observe(time.perf_counter() - started)
        return features

    async def close(self) -> None:
        """Close the connections."""
        if self._shared is not None:
            await self._shared.close()
            self._shared = None
        if self._cluster is not None:
            await self._cluster.aclose()
            self._cluster = None

    def _merged(self, blobs: tuple[StateBlobs, ...]) -> UserFeatures:
        """Return the features of these states; those of a user who did nothing since are not recomputed."""
        now_ms = self._clock()
        kept = self._kept.get(blobs)
        if kept is not None and 0 <= now_ms - kept[0] < KEEP_FEATURES_MS:
            made_ms, features = kept
            if features.freshness_ms is None:
                return features
            return replace(features, freshness_ms=features.freshness_ms + now_ms - made_ms)
        features = merge(blobs, now_ms=now_ms)
        self._kept[blobs] = (now_ms, features)
        self._kept.move_to_end(blobs)
        if len(self._kept) > KEPT_FEATURES:
            self._kept.popitem(last=False)
        return features

    def _user_keys(
        self, site: str, user_id: str | None, anonymous_id: str | None, extra: Sequence[str]
    ) -> list[UserKey]:
        anonymous = [anonymous_id] if anonymous_id else []
        anonymous += extra
        found: list[UserKey] = []
        if user_id:
            found.append(key_of_user(user_id))
            anonymous += self._aliases.get((site, user_id), ())
        for one in dict.fromkeys(anonymous):
            found.append(key_of_anonymous(one))
        return found[:MAX_KEYS]

    def _remember_aliases(self, user: tuple[str, str], aliases: tuple[str, ...]) -> None:
        self._aliases[user] = aliases
        self._aliases.move_to_end(user)
        if len(self._aliases) > KNOWN_ALIASES:
            self._aliases.popitem(last=False)

    async def _read(self, site: str, user_keys: Sequence[UserKey]) -> list[StateBlobs]:
        if time.monotonic() < self._closed_until:
            FEATURE_READ_FAILURES.labels(reason="breaker").inc()
            raise StoreUnavailable("Redis failed a moment ago; it is not asked again yet")
        groups = [self._keys_of(site, user_key) for user_key in user_keys]
        asked_at = time.monotonic()
        try:
            answers = await (self._mget_cluster(groups) if self._is_cluster else self._mget(groups))
        except StoreUnavailable:
            self._note_failure(asked_at)
            raise
        self._failures = 0
        return [StateBlobs(*answers[index : index + 3]) for index in range(0, len(answers), 3)]

    def _keys_of(self, site: str, user_key: UserKey) -> tuple[str, str, str]:
        partition = keys.partition_of(site, user_key, self._partitions)
        return (
            keys.session(partition, site, user_key),
            keys.profile(partition, site, user_key),
            keys.segment(partition, site, user_key),
        )

    def _note_failure(self, asked_at: float) -> None:
        """Count a failure, once for all reads that were on their way together: one pause of a crowd is one failure."""
        FEATURE_READ_FAILURES.labels(reason="unavailable").inc()
        if asked_at < self._failed_at:
            return
        self._failed_at = time.monotonic()
        self._failures += 1
        if self._failures >= OPEN_AFTER_FAILURES:
            self._closed_until = time.monotonic() + OPEN_S
            if self._shared is not None:
                self._shared.reset()

    async def _mget(self, groups: Sequence[tuple[str, ...]]) -> list[bytes | None]:
        if self._shared is None:
            self._shared = SharedConnection(self._url, timeout_s=self._timeout_s)
        found: list[bytes | None] = await self._shared.execute("MGET", *(key for group in groups for key in group))
        return found

    async def _mget_cluster(self, groups: Sequence[tuple[str, ...]]) -> list[bytes | None]:
        if self._cluster is None:
            self._cluster = connect_async(self._url, timeout_s=self._timeout_s)
        try:
            async with asyncio.timeout(self._timeout_s):
                pipeline: Any = self._cluster.pipeline(transaction=False)  # asks the nodes side by side
                for group in groups:
                    for key in group:
                        pipeline.get(key)  # redis-py refuses MGET in a Cluster's pipeline
                found: list[bytes | None] = await pipeline.execute()
                return found
        except (*UNAVAILABLE, TimeoutError, redis.RedisError) as error:
            raise StoreUnavailable(f"the Redis Cluster did not answer within {self._timeout_s} s: {error}") from error
