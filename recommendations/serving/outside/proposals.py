"""Ask the services of a site for the lists of a page, before they are made, within what is left of the page's time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

from recommendations.core.deadline import Deadline
from recommendations.core.types import RequestUser
from recommendations.pipeline.query import ListQuery
from recommendations.pipeline.retrieve import KEPT_MS
from recommendations.retrieval.base import Proposed, Source
from recommendations.retrieval.outside.breaker import Breaker
from recommendations.retrieval.outside.contract import OutsideSpec, Wanted
from recommendations.retrieval.outside.source import Answered, OutsideSource
from recommendations.serving.outside.report import reporter
from recommendations.state.site import SiteServing

PASSING: Final = frozenset({"slow", "failed", "wrong", "busy"})
"""Results that the next request may not have; a service that rests does so for as long as lists are kept."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What services propose for the lists of a page.

    Attributes
    ----------
    by_list : sequence of mapping of name to Source
        For each list in turn; empty where no list of the page wants any.
    is_passing : sequence of bool
        Whether one of them did not answer this time, for each list: such a list is not kept.
    """

    by_list: Sequence[Mapping[str, Source]] = field(default_factory=tuple)
    is_passing: Sequence[bool] = field(default_factory=tuple)


NOTHING_OUTSIDE: Final = Outside()

_breakers: Final[dict[tuple[str, str], Breaker]] = {}
_lock: Final = threading.Lock()
_sources: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], OutsideSource]]] = (
    WeakKeyDictionary()
)


def names_wanted(serving: SiteServing, query: ListQuery) -> tuple[str, ...]:
    """Return the services of the site that a list's placement names."""
    http = serving.own.http
    placement = query.placement
    return tuple(name for name in (*placement.sources, *placement.added_sources) if name in http) if http else ()


def depends_on_who(serving: SiteServing, queries: Sequence[ListQuery]) -> bool:
    """Return whether a service is told whose lists these are, so that nobody else may be shown them."""
    return any(serving.own.http[name].sends_ids for query in queries for name in names_wanted(serving, query))


async def ask_outside(
    serving: SiteServing, queries: Sequence[ListQuery], user: RequestUser, deadline: Deadline
) -> Outside:
    """Return what the services that these lists want propose; each is asked once for all lists, all side by side.

    Waits no longer than the budget of the slowest, and leaves the model and the steps that follow their time. Never
    raises for a service: what does not come is missing from the lists, and counted.
    """
    wanted: dict[str, list[int]] = {}
    for number, query in enumerate(queries):
        for name in names_wanted(serving, query):
            wanted.setdefault(name, []).append(number)
    if not wanted:
        return NOTHING_OUTSIDE
    within_ms = deadline.left_ms - KEPT_MS
    row_of = serving.item_index.catalogue.row
    answers = await asyncio.gather(
        *(
            source_for(serving.own.http[name]).lists(
                [wanted_of(queries[number], user) for number in numbers], row_of, within_ms=within_ms
            )
            for name, numbers in wanted.items()
        )
    )
    by_list: list[dict[str, Source]] = [{} for _ in queries]
    is_passing = [False] * len(queries)
    for (name, numbers), answered in zip(wanted.items(), answers, strict=True):
        reporter.note(breaker_of(serving.own.http[name]))
        for number, each in zip(numbers, answered, strict=True):
            by_list[number][name] = Proposed(name, each.ranked)
            is_passing[number] |= each.result in PASSING
    return Outside(by_list, is_passing)


async def ask_alone(
    spec: OutsideSpec, query: ListQuery, user: RequestUser, serving: SiteServing
) -> tuple[Answered, Breaker]:
    """Ask one service for one list on a connection of its own, whatever its circuit breaker says; for a preview."""
    breaker = Breaker(spec.site, spec.name)
    source = OutsideSource(spec, breaker)
    try:
        (answer,) = await source.lists(
            [wanted_of(query, user)], serving.item_index.catalogue.row, within_ms=spec.budget_ms
        )
        await source.ended()
    finally:
        source.close()
    return answer, breaker


def proposed_now(serving: SiteServing, query: ListQuery, user: RequestUser, deadline: Deadline) -> Mapping[str, Source]:
    """Return what the services that a list wants propose, for a page of the admin, which has no event loop."""
    if not names_wanted(serving, query):
        return {}

    async def proposed() -> Outside:
        try:
            return await ask_outside(serving, [query], user, deadline)
        finally:
            close_outside()

    return asyncio.run(proposed()).by_list[0]


def source_for(spec: OutsideSpec) -> OutsideSource:
    """Return what asks a service on this event loop; one whose declaration changed is another one."""
    loop = asyncio.get_running_loop()
    of_loop = _sources.get(loop)
    if of_loop is None:
        of_loop = _sources[loop] = {}
    key = spec.site, spec.name
    source = of_loop.get(key)
    if source is None or source.spec != spec:
        if source is not None:
            source.close()
            with _lock:
                _breakers.pop(key, None)
        source = of_loop[key] = OutsideSource(spec, breaker_of(spec))
    return source


def breaker_of(spec: OutsideSpec) -> Breaker:
    """Return what this process knows of a service."""
    key = spec.site, spec.name
    with _lock:
        found = _breakers.get(key)
        if found is None:
            found = _breakers[key] = Breaker(*key)
    return found


def states_of(site: str) -> dict[str, Breaker]:
    """Return what this process knows of the services of a site, by name."""
    with _lock:
        return {name: breaker for (of, name), breaker in _breakers.items() if of == site}


def close_outside() -> None:
    """Close the connections of this event loop."""
    for source in _sources.pop(asyncio.get_running_loop(), {}).values():
        source.close()


def wanted_of(query: ListQuery, user: RequestUser) -> Wanted:
    """Return what a service is told of a list."""
    return Wanted(user=user, placement=query.placement.name, context_items=query.context_items, cart=query.cart)
