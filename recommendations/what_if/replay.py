"""Requests answered twice, as the placements are and as a draft would have them, and how the lists differ. No I/O."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from recommendations.core.deadline import Deadline
from recommendations.exceptions import InvalidQuery
from recommendations.filters import language
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.pipeline.state import PipelineError
from recommendations.state.site import SiteServing
from recommendations.what_if.request_log import KeptRequest

LIST_MS: Final = 2_000.0
"""Time for one list: enough that none falls back for want of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a draft changes of lists that were really asked for.

    Attributes
    ----------
    n_kept : int
        Requests there were.
    n_lists : int
        Requests that were answered twice; fewer where time was short.
    n_changed, n_short, n_emptied : int
        Lists with other items or another order; with fewer items than now; with none, where there are some now.
    """

    n_kept: int = 0
    n_lists: int = 0
    n_changed: int = 0
    n_short: int = 0
    n_emptied: int = 0

    @property
    def sentence(self) -> str:
        """All of it, in words."""
        if not self.n_lists:
            return "No request for these lists in the last hour to try it on."
        which = f"{self.n_lists:,} {'list' if self.n_lists == 1 else 'lists'} of the last hour"
        if not self.n_changed:
            return f"Of {which} none would change."
        parts = [f"{self.n_changed:,} would change"]
        parts += [f"{self.n_short:,} would be shorter"] if self.n_short else []
        parts += [f"{self.n_emptied:,} would be empty"] if self.n_emptied else []
        end = "" if len(parts) > 1 else "; none would be shorter or empty"
        return f"Of {which} {', '.join(parts)}{end}."


def replay(
    requests: Iterable[KeptRequest],
    now: Mapping[str, PlacementSpec],
    draft: Mapping[str, PlacementSpec],
    serving: SiteServing,
    *,
    budget_s: float,
) -> Difference:
    """Return how the lists differ; ends when the time is over, with those that were made until then.

    New items shown by chance are left out of both, so that a difference is the draft's.
    """
    kept = list(requests)
    until = time.monotonic() + budget_s
    context = serving.for_user(None, now_ms=int(time.time() * 1000))
    n_lists = n_changed = n_short = n_emptied = 0
    for request in kept:
        before_spec, after_spec = now.get(request.placement), draft.get(request.placement)
        if before_spec is None or after_spec is None:
            continue
        if n_lists and time.monotonic() > until:
            break
        lists = []
        for spec in (before_spec, after_spec):
            query = _query(request, spec)
            if query is None:
                break
            try:
                result = recommend(query, request.user, context, deadline=Deadline.after(LIST_MS))
            except PipelineError:
                break
            lists.append(result.rows)
        if len(lists) < 2:
            continue
        before, after = lists
        n_lists += 1
        n_changed += before != after
        n_emptied += bool(before) and not after
        n_short += bool(after) and len(after) < len(before)
    return Difference(n_kept=len(kept), n_lists=n_lists, n_changed=n_changed, n_short=n_short, n_emptied=n_emptied)


def _query(request: KeptRequest, spec: PlacementSpec) -> ListQuery | None:
    try:
        condition = language.parse(request.filter) if request.filter else None
    except InvalidQuery:
        return None
    return ListQuery(
        placement=replace(spec, exploration=0.0),
        limit=request.limit,
        context_items=request.context_items,
        cart=request.cart,
        exclude=request.exclude,
        filter=request.filter,
        condition=condition,
        candidates=request.candidates,
    )
