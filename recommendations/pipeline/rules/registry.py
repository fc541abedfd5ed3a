"""The actions of rules by name, and what a set of rules does to rows and scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import numpy as np

from recommendations.core.actions import RuleAction
from recommendations.core.types import Mask, Ranked
from recommendations.pipeline.rules.base import Action, ActiveRule
from recommendations.pipeline.rules.boost import Boost
from recommendations.pipeline.rules.bury import Bury
from recommendations.pipeline.rules.exclude import Exclude
from recommendations.pipeline.rules.include_only import IncludeOnly
from recommendations.pipeline.rules.pin import PinItems

ACTIONS: Final[Mapping[str, Action]] = {
    action.name: action for action in (PinItems(), Boost(), Bury(), Exclude(), IncludeOnly())
}
"""Every ``RuleAction`` with what it does; a test holds the two to each other."""

_FILTERS: Final = frozenset(name for name, action in ACTIONS.items() if action.is_filter)
_PINS: Final = frozenset(name for name, action in ACTIONS.items() if action.is_pin)


def filters_of(active: Iterable[ActiveRule]) -> list[ActiveRule]:
    """Return the rules that decide which rows may be listed."""
    return [rule for rule in active if rule.spec.action in _FILTERS]


def pinning(active: Iterable[ActiveRule]) -> list[ActiveRule]:
    """Return the rules that give items positions."""
    return [rule for rule in active if rule.spec.action in _PINS]


def allowed(filters: Iterable[ActiveRule], look: Callable[[Mask], Mask]) -> Mask | None:
    """Return which rows every kind of filter leaves; None where there is no filter.

    Parameters
    ----------
    filters : iterable of ActiveRule
    look : callable
        Takes the part of a rule's mask that is wanted: some rows, or all.
    """
    targeted: dict[RuleAction, Mask] = {}
    for rule in filters:
        hits = look(rule.mask)
        known = targeted.get(rule.spec.action)
        targeted[rule.spec.action] = hits if known is None else known | hits
    kept: Mask | None = None
    for name, hits in targeted.items():
        left = ACTIONS[name].kept(hits)
        kept = left if kept is None else kept & left
    return kept


def blamed(filters: Iterable[ActiveRule], row: int) -> int | None:
    """Return the first rule that keeps this row out by itself."""
    for rule in filters:
        if not ACTIONS[rule.spec.action].kept(rule.mask[row : row + 1])[0]:
            return rule.spec.rule_id
    return None


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
