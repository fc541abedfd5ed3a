"""What shoppers get when there is too little to go by: popular or editorial items, an empty list, never an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from recommendations.core.types import FallbackReason, Stage
from recommendations.items.index import ItemIndex
from recommendations.pipeline.eligibility import Allowed
from recommendations.pipeline.query import ListQuery
from recommendations.pipeline.retrieve import Found
from recommendations.pipeline.rules import Pin
from recommendations.pipeline.strategies import About, Strategy, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A list that was filled up.

    Attributes
    ----------
    rows : tuple of int
    n_own : int
        How many of them the strategy itself found; they come first.
    reasons : mapping of row to ``popular`` or ``editorial``
    """

    rows: tuple[int, ...]
    n_own: int
    reasons: dict[int, str] = field(default_factory=dict)


def fill(
    chosen: Sequence[int], ask: ListQuery, item_index: ItemIndex, allowed: Allowed, *, strategy: Strategy
) -> Filled:
    """Return the chosen rows, and as many popular or editorial ones as the placement wants to fill it.

    Lists that speak of a shopper's own past are never filled: nobody "recently viewed" a popular item. Given
    candidates are never added to.
    """
    rows = list(chosen)
    missing = ask.limit - len(rows)
    policy = ask.placement.fallback
    own_past = strategy.is_personal and strategy.about is About.NOTHING
    if missing <= 0 or policy == "empty" or own_past or ask.candidates is not None:
        return Filled(rows=tuple(rows), n_own=len(rows))
    listed = set(rows)
    groups = {group for row in rows if (group := int(item_index.similarity.group[row]))}
    reasons: dict[int, str] = {}
    editorial = allowed.keep(item_index.rows(ask.placement.editorial_items)).tolist()
    popular = allowed.popular(ask.limit + 2 * len(listed)).tolist() if policy == "popular" else []
    # Items that merchandisers named come before what is merely popular only where they asked for that.
    order = (
        [(row, "popular") for row in popular] + [(row, "editorial") for row in editorial]
        if policy == "popular"
        else [(row, "editorial") for row in editorial]
    )
    for row, reason in order:
        if len(rows) == ask.limit:
            break
        group = int(item_index.similarity.group[row])
        if row in listed or group in groups:
            continue
        listed.add(row)
        if group:
            groups.add(group)
        rows.append(row)
        reasons[row] = reason
    return Filled(rows=tuple(rows), n_own=len(chosen), reasons=reasons)


def stage_of(
    strategy: Strategy,
    about: Subject,
    filled: Filled,
    *,
    pins: Sequence[Pin],
    found: Found,
    shopper_problem: FallbackReason | None,
) -> tuple[Stage, FallbackReason | None]:
    """Return how good the list is, and why it is not better where it should be.

    A list is as good as its best item: one that the strategy itself found makes it personalised (by the shopper's
    history) or session (by what the request says).
    """
    reason = (shopper_problem if strategy.is_personal else None) or found.problem
    if filled.n_own:
        if strategy.about is About.NOTHING and not strategy.is_personal:
            return Stage.POPULAR, reason
        if about.is_of_shopper:
            return Stage.PERSONALISED, reason
        if about.rows:
            return Stage.SESSION, reason
        return Stage.POPULAR, reason or FallbackReason.NO_HISTORY
    knows_nothing = not about.rows if strategy.about is not About.NOTHING else strategy.is_personal
    if reason is None:
        is_new = knows_nothing and not about.is_of_shopper
        reason = FallbackReason.NO_HISTORY if is_new else FallbackReason.NO_CANDIDATES
    if filled.rows:
        first = filled.reasons[filled.rows[0]]
        return (Stage.EDITORIAL if first == "editorial" else Stage.POPULAR), reason
    return (Stage.EDITORIAL if pins else Stage.EMPTY), reason
