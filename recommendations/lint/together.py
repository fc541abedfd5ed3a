"""What is wrong between two rules: they contradict each other, say the same, or one leaves the other nothing to do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np

from recommendations.core.actions import RuleAction
from recommendations.core.types import Mask
from recommendations.lint.findings import Finding, Problem, names_of_items
from recommendations.lint.prepared import PreparedRule, titles
from recommendations.pipeline.query import PlacementSpec

MUCH: Final = 0.5
"""Share of all items of two rules which both target, from which on opposite directions are a contradiction."""


def together(rules: Sequence[PreparedRule], placements: Mapping[str, PlacementSpec]) -> Iterator[Finding]:
    """Yield what is wrong between any two rules that may touch one list; the rules as ``prepare`` returns them."""
    including = [rule for rule in rules if rule.spec.action == RuleAction.INCLUDE_ONLY]
    for first, second in combinations(rules, 2):
        if first.meets(second):
            found = next(_between(first, second, placements, including), None)
            if found is not None:
                yield found


def _between(
    first: PreparedRule,
    second: PreparedRule,
    placements: Mapping[str, PlacementSpec],
    including: Sequence[PreparedRule],
) -> Iterator[Finding]:
    """Yield the faults of a pair, the gravest first."""
    if first.spec.action == second.spec.action:
        yield from _duplicates(first, second)
    if first.is_pin and second.is_pin:
        yield from _pins(first, second, placements)
        return
    for rule, other in ((first, second), (second, first)):
        if other.is_filter:
            yield from _against_filter(rule, other, including)
    if first.factor != 1.0 and second.factor != 1.0 and (first.factor > 1.0) is not (second.factor > 1.0):
        yield from _opposite(first, second)


def _finding(problem: Problem, rule: PreparedRule, other: PreparedRule, *, what: str, why: str, remedy: str) -> Finding:
    return Finding(
        problem=problem,
        rule_ids=(rule.spec.rule_id, other.spec.rule_id),
        subject=rule.spec.name,
        what=what,
        why=why,
        remedy=remedy,
    )


def _duplicates(first: PreparedRule, second: PreparedRule) -> Iterator[Finding]:
    if first.names != second.names or not first.n_targeted or not (first.covers(second) and second.covers(first)):
        return
    if not np.array_equal(first.targeted, second.targeted):
        return
    if first.is_pin and (first.spec.position, first.spec.items) != (second.spec.position, second.spec.items):
        return
    counted = first.factor * second.factor
    why = "Both target the same items in the same lists" + (
        f", and both count: the items count {counted:g} times." if first.factor != 1.0 else "."
    )
    yield _finding(
        Problem.DUPLICATE,
        second,
        first,
        what=f"{second.quoted} does what {first.quoted} does.",
        why=why,
        remedy="Withdraw one of the two.",
    )


def _pins(first: PreparedRule, second: PreparedRule, placements: Mapping[str, PlacementSpec]) -> Iterator[Finding]:
    same = [row for row in first.pinned_rows.tolist() if row in set(second.pinned_rows.tolist())]
    if len(same) and len(same) == len(second.pinned_rows) and first.covers(second):
        yield _finding(
            Problem.SHADOWED,
            second,
            first,
            what=f"{second.quoted} pins nothing.",
            why=f"{first.quoted}, which wins, pins all of its items already.",
            remedy="Withdraw it, or give it a higher priority.",
        )
    if same:
        yield _finding(
            Problem.CONFLICT,
            second,
            first,
            what=f"{first.quoted} and {second.quoted} pin the same item.",
            why=f"{names_of_items(titles(same, first.item_index))} can have one rank alone; {first.quoted} wins.",
            remedy="Take the item out of one of the two.",
        )
    ranks = [rule.spec.position + np.arange(len(rule.pinned_rows)) for rule in (first, second)]
    shared = sorted(set(ranks[0].tolist()) & set(ranks[1].tolist()))
    where = sorted(first.placements & second.placements)
    visible = [rank for rank in shared if any(rank <= placements[name].size for name in where)]
    if visible and first.spec.priority == second.spec.priority:
        yield _finding(
            Problem.CONFLICT,
            second,
            first,
            what=f"{first.quoted} and {second.quoted} both pin to rank {visible[0]}.",
            why=f"One rank holds one item; of equal priorities the older rule wins, and {second.quoted} moves down.",
            remedy="Choose another rank, or give the one that is to win a higher priority.",
        )


def _against_filter(rule: PreparedRule, other: PreparedRule, including: Sequence[PreparedRule]) -> Iterator[Finding]:
    """Yield what a filter leaves of what another rule is for; rules that show nothing else add up."""
    is_exclude = other.spec.action == RuleAction.EXCLUDE
    kept_out = other.targeted if is_exclude else ~_included(rule, including)
    does = "never shows" if is_exclude else "shows nothing but others, without"
    if rule.is_pin:
        if not other.is_as_wide_as(rule):
            return  # an exception to the pin, for some users or pages
        lost = [row for row in rule.pinned_rows.tolist() if kept_out[row]]
        if lost:
            yield _finding(
                Problem.CONFLICT,
                rule,
                other,
                what=f"{rule.quoted} pins what {other.quoted} keeps out.",
                why=f"{other.quoted} {does} {names_of_items(titles(lost, rule.item_index))}, and that beats a pin.",
                remedy="Take the item out of one of the two.",
            )
        return
    if not rule.n_targeted or not other.covers(rule):
        return
    if is_exclude and rule.spec.action == RuleAction.EXCLUDE:
        if not other.is_guard and not (rule.targeted & ~other.targeted).any() and rule.n_targeted < other.n_targeted:
            yield _shadowed(rule, other, f"{other.quoted} keeps all of its items out already.")
    elif is_exclude and rule.spec.action == RuleAction.INCLUDE_ONLY:
        return  # what is left of it is the business of ``emptying``
    elif rule.factor != 1.0 and rule.n_shown and not (rule.shown & ~kept_out).any():
        yield _shadowed(rule, other, f"{other.quoted} keeps all of its items out.")


def _included(rule: PreparedRule, including: Sequence[PreparedRule]) -> Mask:
    """Return the rows that some "show nothing else" which may hold together with a rule lets through."""
    mask = np.zeros(rule.item_index.n_rows, np.bool_)
    for other in including:
        if other.meets(rule):
            mask |= other.targeted
    return mask


def _shadowed(rule: PreparedRule, other: PreparedRule, why: str) -> Finding:
    return _finding(
        Problem.SHADOWED,
        rule,
        other,
        what=f"{other.quoted} leaves {rule.quoted} nothing to do.",
        why=why,
        remedy="Withdraw it, or change what one of the two targets.",
    )


def _opposite(first: PreparedRule, second: PreparedRule) -> Iterator[Finding]:
    both = int(np.count_nonzero(first.targeted & second.targeted))
    if not both:
        return
    either = first.n_targeted + second.n_targeted - both
    cancels = math.isclose(first.factor * second.factor, 1.0)
    is_inside = both in (first.n_targeted, second.n_targeted)
    if both < MUCH * either and not (cancels and is_inside):
        return
    up, down = (first, second) if first.factor > 1.0 else (second, first)
    net = first.factor * second.factor
    outcome = "they cancel each other" if cancels else f"together they count {net:.3g} times"
    yield _finding(
        Problem.CONFLICT,
        second,
        first,
        what=f"{up.quoted} moves up what {down.quoted} moves down.",
        why=f"Both target {both:,} {'item' if both == 1 else 'items'}; {outcome}.",
        remedy="Withdraw one of the two, or take those items out of one.",
    )
