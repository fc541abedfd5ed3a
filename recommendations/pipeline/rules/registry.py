"""The actions of rules by name, and what a set of rules does to rows and scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import numpy as np

from recommendations.core.actions import RuleAction
from recommendations.core.types import Mask, Ranked
from recommendations.filters.targets import Targets
from recommendations.pipeline.rules.base import Action, ActiveRule
from recommendations.pipeline.rules.boost import Boost
from recommendations.pipeline.rules.bury import Bury
from recommendations.pipeline.rules.exclude import Exclude
from recommendations.pipeline.rules.include_only import IncludeOnly
from recommendations.pipeline.rules.limit import Limit
from recommendations.pipeline.rules.pin import PinItems
from recommendations.pipeline.rules.replace import Replace

ACTIONS: Final[Mapping[str, Action]] = {
    action.name: action for action in (PinItems(), Boost(), Bury(), Exclude(), IncludeOnly(), Replace(), Limit())
}
"""Every ``RuleAction`` with what it does; a test holds the two to each other."""

FILTERS: Final = frozenset(action.name for action in ACTIONS.values() if action.is_filter)
MOVING: Final = frozenset(action.name for action in ACTIONS.values() if action.moves)
OF_MANY: Final = FILTERS | MOVING
"""Actions that ask of every candidate whether they target it."""


def allowed(
    filters: Iterable[ActiveRule],
    look: Callable[[Mask | Targets], Mask],
    *,
    targeted: Mapping[RuleAction, Mask] | None = None,
) -> Mask | None:
    """Return which rows every kind of filter leaves; None where there is no filter.

    Parameters
    ----------
    filters : iterable of ActiveRule
    look : callable
        Takes the part of what a rule targets that is wanted: some rows, or all.
    targeted : mapping of RuleAction to Mask, optional
        What further filters target, by their actions.
    """
    found = dict(targeted or {})
    for rule in filters:
        hits = look(rule.mask)
        known = found.get(rule.spec.action)
        found[rule.spec.action] = hits if known is None else known | hits
    kept: Mask | None = None
    for name, hits in found.items():
        left = ACTIONS[name].kept(hits)
        kept = left if kept is None else kept & left
    return kept


def blamed(filters: Iterable[ActiveRule], row: int) -> int | None:
    """Return the first rule that keeps this row out by itself."""
    for rule in filters:
        if not ACTIONS[rule.spec.action].kept(rule.mask.take([row]))[0]:
            return rule.spec.rule_id
    return None


@np.errstate(over="ignore", under="ignore")  # of hundreds of boosts the product is endless
def with_boosts(ranked: Ranked, active: Iterable[ActiveRule]) -> tuple[Ranked, list[int]]:
    """Return the candidates with their scores multiplied, and the ids of rules that changed one."""
    scores = ranked.scores
    used: list[int] = []
    for rule in active:
        factor = ACTIONS[rule.spec.action].factor(rule.spec)
        if factor is None:
            continue
        targeted = rule.mask.take(ranked.rows).nonzero()[0]
        if not len(targeted):
            continue
        if not used:
            scores = scores.copy()
        scores[targeted] *= np.float32(factor)
        used.append(rule.spec.rule_id)
    return Ranked(rows=ranked.rows, scores=scores) if used else ranked, used
