"""What a version in the shadow would have answered, for a sample of requests, after they were answered.

A request hands over its list queries, which takes a microsecond, and goes on. One thread with a small queue makes
both versions' lists, so that both are timed alike, and counts how far they agree. The counts of all
processes meet in Redis, where the admin reads them. When there is more to do than fits, requests are left out.

Scores of two versions are on no common scale, so positions are compared and not scores.
"""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.conf import settings

from recommendations import keys
from recommendations.core.deadline import Deadline
from recommendations.core.types import RequestUser
from recommendations.metrics import SHADOW_LISTS
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery
from recommendations.pipeline.state import ListResult
from recommendations.retrieval.base import ServingContext
from recommendations.serving.faults import aside
from recommendations.state.site import SiteServing, SiteState
from tracking.background_flusher import BackgroundFlusher
from tracking.redis_client import UNAVAILABLE, connect
from tracking.token_bucket import TokenBucket

logger = logging.getLogger(__name__)

PAGES_A_SECOND: Final = 5.0
"""Sample of one process: about half a percent of a core with a list of a millisecond."""

MAX_WAITING: Final = 32
COMPARE_EVERY_S: Final = 0.25
FLUSH_EVERY_S: Final = 2.0
MAX_COUNTS: Final = 10_000
"""Pages whose counts may wait for Redis: half an hour of an outage, some megabytes."""
TTL_S: Final = keys.SHADOW.ttl_s
LIST_BUDGET_MS: Final = 1_000.0
BUCKETS_MS: Final = (0.5, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100, 200, 500)


Answered = tuple[SiteState, Sequence[ListQuery], RequestUser]
"""A request that was answered: what it was answered from, what it asked for, and for whom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How far two lists agree.

    Attributes
    ----------
    overlap : float
        Share of the live list's items that are in the other, 0 to 1; 1 for two empty lists.
    same_first : bool
    moved : float
        Mean number of positions that items in both lists moved.
    """

    overlap: float
    same_first: bool
    moved: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """What was counted of a version since it went into the shadow, over all processes; means over lists."""

    lists: int
    failed: int
    overlap: float
    same_first: float
    moved: float
    same_stage: float
    live_ms: tuple[float, float]
    shadow_ms: tuple[float, float]


def compare(live: Sequence[int], other: Sequence[int]) -> Comparison:
    """Compare two lists of rows.

    >>> compare([1, 2, 3, 4], [2, 1, 3, 9])
    Comparison(overlap=0.75, same_first=False, moved=0.6666666666666666)
    """
    positions = {row: position for position, row in enumerate(other)}
    moves = [abs(position - positions[row]) for position, row in enumerate(live) if row in positions]
    return Comparison(
        overlap=len(moves) / len(live) if live else float(not other),
        same_first=list(live[:1]) == list(other[:1]),
        moved=sum(moves) / len(moves) if moves else 0.0,
    )


class _Counted(NamedTuple):
    """What one page's comparison adds to the counts of a version."""

    redis_key: str
    counts: Mapping[str, float]


class ShadowRunner:
    """Compares a sample of the pages in the background; started by the first page that is handed over.

    Pages and counts wait apart: a page that does not fit is left out, whereas counts wait until Redis takes them.
    """

    def __init__(self) -> None:
        self._sample = TokenBucket(rate_per_s=PAGES_A_SECOND, burst=PAGES_A_SECOND)
        self._pages: BackgroundFlusher[Answered] = BackgroundFlusher(
            "shadow_pages", self._compare_all, every_s=COMPARE_EVERY_S, capacity=MAX_WAITING
        )
        self._counts: BackgroundFlusher[_Counted] = BackgroundFlusher(
            "shadow_counts", _add_counts, every_s=FLUSH_EVERY_S, capacity=MAX_COUNTS, retries=True
        )

    def offer(self, state: SiteState, queries: Sequence[ListQuery], user: RequestUser) -> None:
        """Take a request that was answered, if there is a version in the shadow and room; returns at once."""
        with aside(state.site):
            self._take(state, queries, user)

    def _take(self, state: SiteState, queries: Sequence[ListQuery], user: RequestUser) -> None:
        models = state.serving.models
        if models.shadow is None or models.live is None or any(query.explains for query in queries):
            return
        if not self._sample.take(time.monotonic()):
            return
        self._pages.start()
        self._counts.start()
        if not self._pages.put((state, queries, user)):
            SHADOW_LISTS.labels(state.site, "dropped").inc(len(queries))

    def stop(self) -> None:
        """Compare what waits, write what was counted, and end the threads."""
        self._pages.stop()
        self._counts.stop()

    def _compare_all(self, batch: deque[Answered]) -> None:
        while batch:
            self._compare(*batch.popleft())

    def _compare(self, state: SiteState, queries: Sequence[ListQuery], user: RequestUser) -> None:
        serving = state.serving
        live, shadow = serving.models.live, serving.models.shadow
        if live is None or shadow is None:
            return
        counted: defaultdict[str, float] = defaultdict(float)
        try:
            ours, live_ms = _lists(serving, queries, user, version=live.version, variant="live")
            theirs, shadow_ms = _lists(serving, queries, user, version=shadow.version, variant="shadow")
        except Exception:  # the edge of the thread: a version in the shadow may fail as it likes
            logger.exception("shadow.failed site=%s version=%s", state.site, shadow.version)
            counted["failed"] += len(queries)
            SHADOW_LISTS.labels(state.site, "failed").inc(len(queries))
            self._counts.put(_Counted(keys.shadow(state.site, shadow.version), counted))
            return
        for mine, other in zip(ours, theirs, strict=True):
            found = compare(mine.rows, other.rows)
            counted["lists"] += 1
            counted["overlap"] += found.overlap
            counted["same_first"] += found.same_first
            counted["moved"] += found.moved
            counted["same_stage"] += mine.stage == other.stage
        counted[f"live_ms:{_bucket(live_ms / len(ours))}"] += 1
        counted[f"shadow_ms:{_bucket(shadow_ms / len(theirs))}"] += 1
        SHADOW_LISTS.labels(state.site, "compared").inc(len(queries))
        self._counts.put(_Counted(keys.shadow(state.site, shadow.version), counted))


def _add_counts(batch: deque[_Counted]) -> None:
    """Add the counts of pages to Redis, page by page: what is added is taken from the batch, and never added twice."""
    client = connect(settings.REDIS_URL, timeout_s=0.5, max_connections=2)
    try:
        while batch:
            key, counts = batch[0]
            pipe = client.pipeline(transaction=True)
            for name, value in counts.items():
                pipe.hincrbyfloat(key, name, value)
            pipe.expire(key, TTL_S)
            pipe.execute()
            batch.popleft()
    finally:
        client.close()


def read_report(site: str, version: str) -> ShadowReport | None:
    """Return what was counted of a version; None when nothing was, and when Redis is unavailable."""
    client = connect(settings.REDIS_URL, timeout_s=0.5, max_connections=2)
    try:
        found: Any = client.hgetall(keys.shadow(site, version))
    except UNAVAILABLE as error:
        logger.warning("shadow.store_unavailable error=%r", error)
        return None
    finally:
        client.close()
    counted = {name.decode(): float(value) for name, value in found.items()}
    n = counted.get("lists", 0.0)
    failed = counted.get("failed", 0.0)
    if not n and not failed:
        return None
    mean = {name: counted.get(name, 0.0) / max(n, 1.0) for name in ("overlap", "same_first", "moved", "same_stage")}
    return ShadowReport(
        lists=int(n),
        failed=int(failed),
        live_ms=_percentiles(counted, "live_ms"),
        shadow_ms=_percentiles(counted, "shadow_ms"),
        **mean,
    )


def forget_report(site: str, version: str) -> None:
    """Delete what was counted of a version; an unavailable Redis keeps the counts, which is no error."""
    client = connect(settings.REDIS_URL, timeout_s=0.5, max_connections=2)
    try:
        client.delete(keys.shadow(site, version))
    except UNAVAILABLE as error:
        logger.warning("shadow.store_unavailable error=%r", error)
    finally:
        client.close()


def _lists(
    serving: SiteServing, queries: Sequence[ListQuery], user: RequestUser, *, version: str, variant: str
) -> tuple[list[ListResult], float]:
    """Return the lists of a page as a version makes them, and the milliseconds that it took."""
    context = ServingContext(
        item_index=serving.item_index, model=serving.links.get(version), now_ms=int(time.time() * 1000), variant=variant
    )
    shown: set[int] = set()
    results = []
    started = time.perf_counter()
    deadline = Deadline.after(LIST_BUDGET_MS)
    for query in queries:
        results.append(recommend(query, user, context, deadline=deadline, shown=shown))
        shown.update(results[-1].rows)
    return results, (time.perf_counter() - started) * 1000


def _bucket(took_ms: float) -> str:
    return next((f"{limit:g}" for limit in BUCKETS_MS if took_ms <= limit), f"{BUCKETS_MS[-1]:g}")


def _percentiles(counted: dict[str, float], name: str) -> tuple[float, float]:
    """Return upper bounds of the median and the 99th percentile, in milliseconds."""
    counts = [counted.get(f"{name}:{limit:g}", 0.0) for limit in BUCKETS_MS]
    total = sum(counts)
    if not total:
        return math.nan, math.nan
    found = []
    for share in (0.5, 0.99):
        seen = 0.0
        for limit, count in zip(BUCKETS_MS, counts, strict=True):
            seen += count
            if seen >= share * total:
                found.append(float(limit))
                break
    return found[0], found[1]


runner: Final = ShadowRunner()
