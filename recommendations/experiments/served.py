"""How fast lists of an arm were served and how different their items are: counted by web processes, kept on Redis.

Guardrails and nothing else are made of it, so it is written in the background: while Redis is unavailable lists are
served and not counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from itertools import groupby
from typing import Any, Final, NamedTuple

import redis
from django.conf import settings

from features.exceptions import StoreUnavailable
from recommendations import keys
from recommendations.experiments.assignment import position
from recommendations.experiments.statistics.guardrails import GROUPS, ServedLists, list_difference
from recommendations.items.index import ItemIndex
from recommendations.pipeline.state import ListResult
from tracking.background_flusher import BackgroundFlusher
from tracking.redis_client import UNAVAILABLE, connect

SLOW_SHARE: Final = 0.5
"""A list is slow that takes more than this share of ``BUDGET_MS``, after which everybody gets popular items."""
CAPACITY: Final = 20_000
FLUSH_EVERY_S: Final = 2.0
_FIELDS: Final = ("lists", "slow", "micros", "compared", "difference")


class Served(NamedTuple):
    """One list: for whom, and what is counted of it, in the order of ``_FIELDS``."""

    site: str
    experiment: str
    arm: int
    group: int
    counts: tuple[int, int, int, int, int]


def _experiment(one: Served) -> tuple[str, str]:
    return one.site, one.experiment


def _sums(lists: Iterable[Served]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for one in lists:
        for figure, count in zip(_FIELDS, one.counts, strict=True):
            if count:
                name = f"{one.arm}:{one.group}:{figure}"
                sums[name] = sums.get(name, 0) + count
    return sums


def slow_ms() -> float:
    """Return above how many milliseconds a list is slow."""
    return SLOW_SHARE * float(settings.BUDGET_MS)


def group_of(site: str, user_key: str) -> int:
    """Return the group of a user, which no experiment chooses by."""
    return int(position(site, "guardrails", user_key) * GROUPS)


class ServedCounter:
    """Counts served lists without making one wait."""

    def __init__(self) -> None:
        self._flusher: BackgroundFlusher[Served] = BackgroundFlusher(
            "served_arms", self._write, every_s=FLUSH_EVERY_S, capacity=CAPACITY, per=_experiment, retries=True
        )

    def note(
        self,
        results: Iterable[ListResult],
        item_index: ItemIndex,
        *,
        site: str,
        user_key: str,
        experiments: Collection[str],
        took_s: float,
    ) -> None:
        """Count the lists of one request that were made for arms of ``experiments``; returns at once."""
        slow = int(1e3 * took_s > slow_ms())
        for result in results:
            arms = [(name, arm) for name, arm in result.query.arms if name in experiments]
            if not arms:
                continue
            rows = list(result.rows)
            catalogue = item_index.catalogue
            differs = list_difference(catalogue.category[rows].tolist(), catalogue.brand[rows].tolist())
            known = (0, 0) if differs is None else (1, round(1e3 * differs))
            group = group_of(site, user_key)
            counts = (1, slow, round(1e6 * took_s), *known)
            self._flusher.start()
            self.put_all(Served(site, name, arm, group, counts) for name, arm in arms)

    def put_all(self, lists: Iterable[Served]) -> None:
        """Let lists wait for the next write."""
        for one in lists:
            self._flusher.put(one)

    def flush(self) -> int:
        """Write what waits, and return how many lists; raises what Redis raises."""
        return self._flusher.flush()

    def stop(self) -> None:
        """Write what waits, and end the thread; the next list starts it again."""
        self._flusher.stop()

    def _write(self, batch: deque[Served]) -> None:
        """Add a batch to the sums, each experiment's in one transaction: it counts as a whole or not at all."""
        client = connect(settings.REDIS_URL, timeout_s=0.5, max_connections=2)
        try:
            for (site, experiment), of_one in groupby(list(batch), key=_experiment):
                lists = list(of_one)
                key = keys.served(site, experiment)
                with client.pipeline(transaction=True) as pipe:
                    for name, count in _sums(lists).items():
                        pipe.hincrby(key, name, count)
                    pipe.expire(key, keys.SERVED.ttl_s)
                    pipe.execute()
                for _ in lists:
                    batch.popleft()
        finally:
            client.close()


served_counter: Final = ServedCounter()


def read_served(client: redis.Redis, site: str, experiment: str) -> dict[int, ServedLists]:
    """Return what was served for each arm; one round trip.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    try:
        fields: Any = client.hgetall(keys.served(site, experiment))
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"what was served for {experiment} cannot be reached: {error}") from error
    found: dict[int, ServedLists] = {}
    for name, count in fields.items():
        arm, group, figure = name.decode().split(":")
        if figure in _FIELDS and int(group) < GROUPS:
            getattr(found.setdefault(int(arm), ServedLists()), figure)[int(group)] = int(count)
    return found
