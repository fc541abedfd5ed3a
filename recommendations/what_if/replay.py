"""Requests answered twice, as the placements are and as a draft would have them, and how the lists differ. No I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgspec
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from recommendations.core.deadline import Deadline
from recommendations.core.types import RequestUser
from recommendations.exceptions import InvalidQuery
from recommendations.filters import language
from recommendations.pipeline.pipeline import rows_of
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.pipeline.rules.applying import Rules
from recommendations.pipeline.state import PipelineError
from recommendations.retrieval.base import ServingContext
from recommendations.state.site import SiteServing
from recommendations.what_if.estimate import Expected, ItemCounts, expected
from recommendations.what_if.request_log import KeptRequest
from tracking.templatetags.written import whole

TELL_EVERY: Final = 100
"""Requests between two words on how far it is."""

Pair = tuple[tuple[int, ...], tuple[int, ...]]
"""The rows of a list as it is, and with the draft."""

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
    n_displaced : int
        Items that left a list, of all lists together.
    expected : Expected, optional
        What that may change of clicks, revenue and margin; None where too little was clicked, or nobody asked.
    """

    n_kept: int = 0
    n_lists: int = 0
    n_changed: int = 0
    n_short: int = 0
    n_emptied: int = 0
    n_displaced: int = 0
    expected: Expected | None = None

    @property
    def sentence(self) -> str:
        """All of it, in words."""
        if not self.n_lists:
            return _("No request for these lists in the last hour to try it on.")
        which = ngettext("%(count)s list of the last hour", "%(count)s lists of the last hour", self.n_lists) % {
            "count": whole(self.n_lists)
        }
        if not self.n_changed:
            return _("Of %(which)s none would change.") % {"which": which}
        parts = [_("%(count)s would change") % {"count": whole(self.n_changed)}]
        if self.n_short:
            parts.append(_("%(count)s would be shorter") % {"count": whole(self.n_short)})
        if self.n_emptied:
            parts.append(_("%(count)s would be empty") % {"count": whole(self.n_emptied)})
        end = "" if len(parts) > 1 else _("; none would be shorter or empty")
        said = _("Of %(which)s %(parts)s%(end)s.") % {"which": which, "parts": ", ".join(parts), "end": end}
        return f"{said} {self.expected.sentence}" if self.expected is not None else said


def replay(
    requests: Iterable[KeptRequest],
    now: Mapping[str, PlacementSpec],
    draft: Mapping[str, PlacementSpec],
    serving: SiteServing,
    *,
    budget_s: float,
    counts: ItemCounts | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Difference:  # house: what is compared, on what, for how long, and who is told
    """Return how the lists differ; ends when the time is over, with those that were made until then.

    New items shown by chance are left out of both, so that a difference is the draft's. A list that no rule touches
    which the two disagree about is made once, and requests that are alike in all that lists depend on are one.

    Parameters
    ----------
    counts : ItemCounts, optional
        By which what is expected of the draft is estimated.
    progress : callable
        Told now and then how many requests are done, and of how many.
    """
    kept = list(requests)
    compared = {name: _Compared.of(now[name], draft[name]) for name in now.keys() & draft.keys()}
    known: dict[KeptRequest, Pair | None] = {}
    pairs: list[Pair] = []
    until = time.monotonic() + budget_s
    context = serving.for_user(None, now_ms=int(time.time() * 1000))
    for number, request in enumerate(kept):
        if number % TELL_EVERY == 0:
            progress(number, len(kept))
        if request.placement not in compared:
            continue
        if pairs and time.monotonic() > until:
            break
        same = msgspec.structs.replace(request, made_at_s=0)
        if same not in known:
            known[same] = _made_twice(request, compared[request.placement], context)
        pair = known[same]
        if pair is not None:
            pairs.append(pair)
    progress(len(kept), len(kept))
    return Difference(
        n_kept=len(kept),
        n_lists=len(pairs),
        n_changed=sum(before != after for before, after in pairs),
        n_short=sum(bool(after) and len(after) < len(before) for before, after in pairs),
        n_emptied=sum(bool(before) and not after for before, after in pairs),
        n_displaced=sum(len(set(before) - set(after)) for before, after in pairs if before != after),
        expected=None if counts is None else expected(
            [before for before, _ in pairs], [after for _, after in pairs], counts
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """A placement as it is and as a draft would have it, both without new items by chance.

    ``disputed`` are the rules that one of the two has alone; None where they differ in more than their rules.
    """

    now: PlacementSpec
    draft: PlacementSpec
    disputed: Rules | None

    @classmethod
    def of(cls, now: PlacementSpec, draft: PlacementSpec) -> _Compared:
        now, draft = replace(now, exploration=0.0), replace(draft, exploration=0.0)
        return cls(now=now, draft=draft, disputed=_disputed(now, draft))


def _disputed(now: PlacementSpec, draft: PlacementSpec) -> Rules | None:
    if replace(now, rules=()) != replace(draft, rules=()):
        return None
    ours, theirs = ({rule.spec: rule for rule in each.rules} for each in (now, draft))
    order = [rule.rule_id for rule in ours if rule in theirs] != [rule.rule_id for rule in theirs if rule in ours]
    return None if order else Rules({**ours, **theirs}[spec] for spec in ours.keys() ^ theirs.keys())


def _made_twice(request: KeptRequest, compared: _Compared, context: ServingContext) -> Pair | None:
    """Return the rows of both lists; ``None`` where a list cannot be made again."""
    before = _query(request, compared.now)
    if before is None:
        return None
    user, disputed = request.user, compared.disputed
    try:
        first = rows_of(before, user, context, deadline=Deadline.after(LIST_MS))
        if disputed is not None and not _touches(disputed, before, user, context):
            return first.rows, first.rows
        after = replace(before, placement=compared.draft)
        like = first if disputed is not None else None
        return first.rows, rows_of(after, user, context, deadline=Deadline.after(LIST_MS), like=like).rows
    except PipelineError:
        return None


def _touches(rules: Rules, query: ListQuery, user: RequestUser, context: ServingContext) -> bool:
    """Return whether some of the rules apply to a request."""
    page = context.item_index.sequence(query.context_items)
    return bool(
        rules.active(
            user, context.item_index, page_row=page[0] if page else None, now_ms=context.now_ms, visit=query.visit
        )
    )  # fmt: skip


def _query(request: KeptRequest, spec: PlacementSpec) -> ListQuery | None:
    try:
        condition = language.parse(request.filter) if request.filter else None
    except InvalidQuery:
        return None
    return ListQuery(
        placement=spec,
        limit=request.limit,
        context_items=request.context_items,
        cart=request.cart,
        exclude=request.exclude,
        filter=request.filter,
        condition=condition,
        candidates=request.candidates,
        visit=request.visit,
    )
