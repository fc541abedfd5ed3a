"""From what is asked to finished lists, kept while they hold, and to the JSON of a reply; HTTP and live share it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec
from django.conf import settings

from features.state.user_features import NOBODY_VERSION
from recommendations.core.deadline import Deadline
from recommendations.core.types import NOBODY, FallbackReason, RequestUser
from recommendations.metrics import FALLBACKS, LISTS, STAGE_SECONDS
from recommendations.pipeline.explain import Trace
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.serving.explanation_log import keep_explanation
from recommendations.serving.list_cache import ListCache
from recommendations.serving.rec_ids import digest_of, signer
from recommendations.serving.response import MadeList, cards_of
from recommendations.serving.schemas import ListReply
from recommendations.serving.user import Reading
from recommendations.state.site import SiteState
from tracking.access.sites import SiteInfo

logger = logging.getLogger(__name__)

_PIPELINE_SECONDS: Final = STAGE_SECONDS.labels("pipeline")
RANK_PLACEMENT: Final = PlacementSpec(name="rank", strategy="rerank", size=100, fallback="empty")
"""Stands in where ``POST /v1/rank`` names no placement of the site."""


_PASSING: Final = frozenset({FallbackReason.DEADLINE, FallbackReason.MODEL_FAILED, FallbackReason.STORE_UNAVAILABLE})
"""Reasons that may be gone at the next request."""


_UNKNOWN: Final = frozenset({"", NOBODY_VERSION})
"""Versions of a shopper of whom no state is kept, or none could be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the lists of one request share."""

    site: SiteInfo
    state: SiteState
    asks: Sequence[ListQuery]
    fields: tuple[str, ...] | None = None
    locale: str | None = None
    explain: bool = False


@dataclass(slots=True)
class _Workers:
    """The one bridge from asyncio to the pipeline's arithmetic; ONNX Runtime releases the GIL while it computes."""

    pool: ThreadPoolExecutor | None = field(default=None)

    def get(self) -> ThreadPoolExecutor:
        if self.pool is None:
            self.pool = ThreadPoolExecutor(settings.INFERENCE_THREADS, thread_name_prefix="pipeline")
        return self.pool

    def stop(self) -> None:
        pool, self.pool = self.pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


_workers: Final = _Workers()
_cache: Final[ListCache[tuple[MadeList, ...]]] = ListCache()
_late: Final[dict[Hashable, asyncio.Future[tuple[MadeList, ...]]]] = {}
"""What a thread still works on: who asks again waits for that, and does not begin anew."""


async def make_lists(page: Page, reading: Reading, *, deadline: Deadline) -> tuple[MadeList, ...]:
    """Return the lists of a page, none of them repeating an item of another.

    Made on a thread of a small pool, and kept for as long as neither the shopper nor the site changes. When the
    budget is spent before they are made, popular lists are returned, and what comes later is kept for next time.
    """
    shopper = reading.shopper
    if page.explain:
        return await _on_worker(page, shopper, reading.problem, deadline, key=None)
    key: Hashable = (
        page.site.slug,
        page.state.serving.number,
        page.state.placements.stamp_at(int(time.time() * 1000)),
        _whose(page, shopper),
        shopper.version,
        reading.problem,
        tuple(_ask_key(ask) for ask in page.asks),
    )
    return await _cache.get_or_make(
        key, lambda: _on_worker(page, shopper, reading.problem, deadline, key=key), is_worth_keeping=_is_good
    )


def _whose(page: Page, shopper: RequestUser) -> Hashable:
    """Return what of a shopper's identity its lists depend on: of those who did nothing yet, the variant alone.

    So a crowd of them costs one list: a rule that is published to 10,000 open pages, or all anonymous first visits.
    """
    is_known = shopper.version not in _UNKNOWN or bool(shopper.segments)
    if is_known or any(ask.placement.exploration for ask in page.asks):
        return shopper.key
    return ("all", page.state.serving.models.for_shopper(shopper.key)[1])


def _is_good(made: tuple[MadeList, ...]) -> bool:
    """Return whether lists are as good as they can be; others are made anew at the next request."""
    return not any(each.recommendation.fallback_reason in _PASSING for each in made)


def _ask_key(ask: ListQuery) -> Hashable:
    return (
        ask.placement.name,
        ask.limit,
        ask.context_items,
        ask.cart,
        ask.exclude,
        ask.condition.key if ask.condition else None,
        ask.candidates,
    )


async def _on_worker(
    page: Page, shopper: RequestUser, problem: FallbackReason | None, deadline: Deadline, *, key: Hashable
) -> tuple[MadeList, ...]:
    """Make the lists, on a worker thread where there are several; when that takes too long, make them without a model.

    With one thread they are made on the event loop itself: handing over costs more CPU than it saves, and a thread
    that computes keeps the loop from the GIL for up to five milliseconds (benchmarks/serve.py). Scale by processes.
    """
    if settings.INFERENCE_THREADS == 1:
        try:
            return make_lists_now(page, shopper, problem, deadline)
        except Exception:  # the edge of a request: a shop's page never breaks because of us
            logger.exception("lists.failed site=%s", page.site.slug)
            return make_lists_now(page, NOBODY, FallbackReason.MODEL_FAILED, Deadline.after(0.0))
    work = _late.get(key)
    if work is None:
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(_workers.get(), make_lists_now, page, shopper, problem, deadline)
        if key is not None:
            _late[key] = work
            work.add_done_callback(partial(_keep_late, key))
    try:
        async with asyncio.timeout(deadline.left_s):
            return await asyncio.shield(work)
    except TimeoutError:
        return make_lists_now(page, shopper, problem, Deadline.after(0.0))
    except Exception:  # the edge of a request: a shop's page never breaks because of us
        logger.exception("lists.failed site=%s", page.site.slug)
        return make_lists_now(page, NOBODY, FallbackReason.MODEL_FAILED, Deadline.after(0.0))


def _keep_late(key: Hashable, work: asyncio.Future[tuple[MadeList, ...]]) -> None:
    """Keep what a thread made, also when nobody could wait for it any more."""
    _late.pop(key, None)
    if not work.cancelled() and work.exception() is None and _is_good(work.result()):
        _cache.put(key, work.result())


def make_lists_now(
    page: Page, shopper: RequestUser, problem: FallbackReason | None, deadline: Deadline
) -> tuple[MadeList, ...]:
    """Make the lists of a page on this thread."""
    started = time.perf_counter()
    serving = page.state.serving.for_shopper(shopper.key, now_ms=int(time.time() * 1000))
    shown: set[int] = set()
    made = []
    for ask in page.asks:
        trace = Trace() if page.explain else None
        recommendation = recommend(
            ask, shopper, serving, deadline=deadline, shown=shown, shopper_problem=problem, trace=trace
        )
        shown.update(recommendation.rows)
        made.append(
            MadeList(
                ask=ask,
                recommendation=recommendation,
                cards=cards_of(recommendation, serving.item_index, fields=None, locale=None),
                digest=digest_of(serving.item_index.item_id(row) for row in recommendation.rows),
                explanation=trace.explanation if trace is not None else None,
            )
        )
    _PIPELINE_SECONDS.observe(time.perf_counter() - started)
    return tuple(made)


def reply_of(made: MadeList, page: Page, shopper: RequestUser, *, now_s: int) -> ListReply:
    """Return a list as JSON says it, under a new signed id."""
    result = made.recommendation
    placement = made.ask.placement
    rec_id = signer().make(
        site=page.site.slug,
        placement=placement.name,
        model_version=result.model_version,
        variant=result.variant,
        now_s=now_s,
        rule_ids=result.rule_ids,
        digest=made.digest,
    )
    LISTS.labels(page.site.slug, placement.name, result.stage.value).inc()
    if result.fallback_reason is not None:
        FALLBACKS.labels(page.site.slug, result.fallback_reason.value).inc()
    keep_explanation(page.site.slug, rec_id, made, page.state.serving.item_index, shopper, now_s=now_s)
    return ListReply(
        placement=placement.name,
        heading=placement.heading or None,
        rec_id=rec_id,
        items=msgspec.Raw(
            made.cards
            if page.fields is None and page.locale is None
            else cards_of(result, page.state.serving.item_index, fields=page.fields, locale=page.locale)
        ),
        stage=result.stage.value,
        fallback_reason=result.fallback_reason.value if result.fallback_reason is not None else None,
        model_version=result.model_version or None,
        variant=result.variant,
        feature_age_ms=shopper.feature_age_ms,
        explanation=made.explanation if made.explanation is not None else msgspec.UNSET,
    )


def stop_workers() -> None:
    """End the worker threads; the next list starts them again."""
    _workers.stop()


def forget_lists() -> None:
    """Drop everything that was kept; for tests."""
    _cache.clear()
    _late.clear()
