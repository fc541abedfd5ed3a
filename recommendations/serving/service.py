"""From list queries to finished lists, cached for as long as they hold; HTTP and live share it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from django.conf import settings

from features.state.user_features import NOBODY_VERSION
from recommendations.core.deadline import Deadline
from recommendations.core.types import FallbackReason, RequestUser
from recommendations.experiments.running import arranged, running_on
from recommendations.experiments.served import served_counter
from recommendations.metrics import PIPELINE_ERRORS, STAGE_SECONDS
from recommendations.pipeline.pipeline import recommend, recover
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.pipeline.state import ListResult, PipelineError
from recommendations.retrieval.base import ServingContext
from recommendations.retrieval.once_a_page import OnceAPage
from recommendations.serving import rescue
from recommendations.serving.admission.turns import Sender, TooBusy, turns
from recommendations.serving.faults import Part, aside, note_failure
from recommendations.serving.filters import make_masks
from recommendations.serving.list_cache import ListCache
from recommendations.serving.outside.proposals import NOTHING_OUTSIDE, Outside, ask_outside, depends_on_who
from recommendations.serving.response import encode_items
from recommendations.serving.workers import workers
from recommendations.state.site import SiteState
from tracking.traces import spans

logger = logging.getLogger(__name__)

_PIPELINE_SECONDS: Final = STAGE_SECONDS.labels("pipeline")
RANK_PLACEMENT: Final = PlacementSpec(name="rank", strategy="rerank", size=100, fallback="empty")
"""Stands in where ``POST /v1/rank`` names no placement of the site."""


_PASSING: Final = frozenset(
    {
        FallbackReason.DEADLINE,
        FallbackReason.MODEL_FAILED,
        FallbackReason.PIPELINE_ERROR,
        FallbackReason.STORE_UNAVAILABLE,
    }
)
"""Reasons that may be gone at the next request."""


_UNKNOWN: Final = frozenset({"", NOBODY_VERSION})
"""Versions of a user of whom no state is kept, or none could be read."""


_cache: Final[ListCache[tuple[ListResult, ...]]] = ListCache()
_late: Final[dict[Hashable, asyncio.Future[tuple[ListResult, ...]]]] = {}
"""What a thread still works on: the next request for the same waits for that, and does not begin again."""


async def make_lists(
    state: SiteState,
    queries: Sequence[ListQuery],
    user: RequestUser,
    *,
    deadline: Deadline,
    sender: Sender | None = None,
) -> tuple[ListResult, ...]:
    """Return the lists of a page, none of them repeating an item of another.

    Made on a thread of a small pool, and cached for as long as neither the user nor the site changes. When the
    budget is spent before they are made, popular lists are returned, and what comes later is cached for next time.
    A mistake of ours, wherever it is, costs personal lists and not the page.

    Parameters
    ----------
    sender : Sender, optional
        Whose turn it is to be when there is not time for all; without one there is no waiting.

    Raises
    ------
    TooBusy
        The sender had its share of the work.
    """
    started = time.perf_counter()
    try:
        if user.key is None or (running := running_on(state.site)).is_empty:
            return await _cached_lists(state, queries, user, deadline, sender)
        queries = arranged(state.site, running, queries, user, user.key)
        results = await _cached_lists(state, queries, user, deadline, sender)
        with aside(state.site):
            served_counter.note(
                results,
                state.serving.item_index,
                site=state.site,
                user_key=user.key,
                experiments=running.names,
                took_s=time.perf_counter() - started,
            )
        return results
    except TooBusy:
        raise
    except Exception as error:
        note_failure(state.site, Part.PAGE, error)
        return rescue.popular_lists(state, queries, user)


async def _cached_lists(
    state: SiteState, queries: Sequence[ListQuery], user: RequestUser, deadline: Deadline, sender: Sender | None
) -> tuple[ListResult, ...]:
    if any(query.explains for query in queries):
        return await _with_outside(state, queries, user, deadline, sender, key=None)
    key: Hashable = (
        state.site,
        state.serving.number,
        state.placements.stamp_at(int(time.time() * 1000)),
        _whose(state, queries, user),
        user.version,
        user.problem,
        tuple(query.cache_key for query in queries),
    )
    return await _cache.get_or_make(
        key, lambda: _with_outside(state, queries, user, deadline, sender, key=key), is_worth_keeping=_is_good
    )


def _whose(state: SiteState, queries: Sequence[ListQuery], user: RequestUser) -> Hashable:
    """Return what of a user's identity their lists depend on: of those without any event yet, the variant alone.

    So a crowd of them costs one list: a rule that is published to 10,000 open pages, or all anonymous first visits.
    """
    is_known = user.version not in _UNKNOWN or bool(user.segments)
    is_told = bool(state.serving.own.http) and depends_on_who(state.serving, queries)
    if is_known or is_told or any(query.placement.exploration for query in queries):
        return user.key
    return ("all", state.serving.models.for_user(user.key)[1])


def _is_good(results: tuple[ListResult, ...]) -> bool:
    """Return whether lists are as good as they can be; others are made again at the next request."""
    return not any(result.is_passing or result.fallback_reason in _PASSING for result in results)


async def _with_outside(
    state: SiteState,
    queries: Sequence[ListQuery],
    user: RequestUser,
    deadline: Deadline,
    sender: Sender | None,
    *,
    key: Hashable,
) -> tuple[ListResult, ...]:
    """Ask the services of the shop that the lists want, and make them; waiting for one is nobody's turn."""
    has_services = bool(state.serving.own.http)  # most sites have none, and pay nothing for it
    outside = await ask_outside(state.serving, queries, user, deadline) if has_services else NOTHING_OUTSIDE
    return await _in_turn(state, queries, user, deadline, sender, outside, key=key)


async def _in_turn(
    state: SiteState,
    queries: Sequence[ListQuery],
    user: RequestUser,
    deadline: Deadline,
    sender: Sender | None,
    outside: Outside,
    *,
    key: Hashable,
) -> tuple[ListResult, ...]:
    """Make the lists when it is the sender's turn, which lasts until a thread has done with them, late or not."""
    try:
        turn = await turns().take(sender, within_s=deadline.left_s)
    except TimeoutError:
        return make_lists_now(state, queries, user, Deadline.after(0.0), outside)
    try:
        return await _on_worker(state, queries, user, deadline, outside, key=key)
    finally:
        late = _late.get(key) if key is not None else None
        if late is None:
            turn.done()
        else:
            late.add_done_callback(turn.done)


async def _on_worker(
    state: SiteState,
    queries: Sequence[ListQuery],
    user: RequestUser,
    deadline: Deadline,
    outside: Outside,
    *,
    key: Hashable,
) -> tuple[ListResult, ...]:
    """Make the lists, on a worker thread where there are several; when that takes too long, make them without a model.

    With one thread they are made on the event loop itself: handing over costs more CPU than it saves, and a thread
    that computes keeps the loop from the GIL for up to five milliseconds (benchmarks/serve.py). Scale by processes.
    The conditions of the request, whose cost callers choose, are never evaluated on the loop.
    """
    await make_masks(queries, state.serving.item_index, deadline=deadline)
    if settings.INFERENCE_THREADS == 1:
        return make_lists_now(state, queries, user, deadline, outside)
    work = _late.get(key)
    if work is None:
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(
            workers.get(), spans.carried(make_lists_now), state, queries, user, deadline, outside
        )
        if key is not None:
            _late[key] = work
            work.add_done_callback(partial(_keep_late, key))
    try:
        async with asyncio.timeout(deadline.left_s):
            return await asyncio.shield(work)
    except TimeoutError:
        return make_lists_now(state, queries, user, Deadline.after(0.0), outside)


def _keep_late(key: Hashable, work: asyncio.Future[tuple[ListResult, ...]]) -> None:
    """Cache what a thread made, also when nobody could wait for it any more."""
    _late.pop(key, None)
    if not work.cancelled() and work.exception() is None and _is_good(work.result()):
        _cache.put(key, work.result())


def make_lists_now(
    state: SiteState,
    queries: Sequence[ListQuery],
    user: RequestUser,
    deadline: Deadline,
    outside: Outside = NOTHING_OUTSIDE,
) -> tuple[ListResult, ...]:
    """Make the lists of a page on this thread.

    Parameters
    ----------
    outside : Outside, optional
        What services of the shop propose for them.
    """
    started = time.perf_counter()
    context = state.serving.for_user(user.key, now_ms=int(time.time() * 1000))
    if len(queries) > 1 and context.model is not None:
        context = replace(context, model=OnceAPage(context.model))
    shown: set[int] = set()
    results = []
    for number, query in enumerate(queries):
        try:
            own = _context_of(state, query, context) if query.model else context
            if outside.by_list and outside.by_list[number]:
                own = replace(own, own={**own.own, **outside.by_list[number]})
            result = _made(state.site, query, user, own, deadline=deadline, shown=frozenset(shown))
            result.is_passing = bool(outside.is_passing) and outside.is_passing[number]
            encode_items(result, context.item_index)
        except Exception as error:
            note_failure(state.site, Part.LIST, error, placement=query.placement.name)
            result = rescue.popular_list(state, query, user, shown=frozenset(shown))
        shown.update(result.rows)
        results.append(result)
    _PIPELINE_SECONDS.observe(time.perf_counter() - started)
    return tuple(results)


def _context_of(state: SiteState, query: ListQuery, context: ServingContext) -> ServingContext:
    """Return the context with the version that an experiment's arm asks for; the user's own where there is none."""
    if query.model == "none":
        return replace(context, model=None, variant="none")
    served = getattr(state.serving.models, query.model, None)
    link = state.serving.links.get(served.version) if served is not None else None
    return context if link is None else replace(context, model=link, variant=query.model)


def _made(
    site: str,
    query: ListQuery,
    user: RequestUser,
    context: ServingContext,
    *,
    deadline: Deadline,
    shown: frozenset[int],
) -> ListResult:
    """Make one list; one that a step fails for is what can be had without the step."""
    span = spans.begin("list", {"recsite.placement": query.placement.name})
    began: list[tuple[str, int]] | None = None if span is None else []
    try:
        return recommend(query, user, context, deadline=deadline, shown=shown, began=began)
    except PipelineError as error:
        step = error.state.step
        logger.exception("lists.failed site=%s placement=%s step=%s", site, query.placement.name, step)
        PIPELINE_ERRORS.labels(site, step.value).inc()
        return recover(error)
    finally:
        if span is not None and began is not None:
            spans.add_steps(span, began, end_ns=time.perf_counter_ns())
            span.end()


def stop_workers() -> None:
    """End the worker threads; the next list starts them again."""
    workers.stop()
