"""What is wrong between two rules: they contradict each other, say the same, or one leaves the other nothing to do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from recommendations.core.actions import RuleAction
from recommendations.core.types import Mask
from recommendations.lint.findings import Finding, Problem, names_of_items
from recommendations.lint.prepared import PreparedRule, titles
from recommendations.pipeline.query import PlacementSpec

EVERY_BIT: Final = 2**64 - 1

_PINS, _FILTERS, _MOVED_UP, _MOVED_DOWN = range(4)
_APART: Final = np.array([[False, False, True, True], [False] * 4, [True, False, False, False], [True, *[False] * 3]])
"""Kinds of rules that never contradict each other: pins and what moves items."""

MUCH: Final = 0.5
"""Share of all items of two rules which both target, from which on opposite directions are a contradiction."""


def together(rules: Sequence[PreparedRule], placements: Mapping[str, PlacementSpec]) -> Iterator[Finding]:
    """Yield what is wrong between any two rules that may touch one list; the rules as ``prepare`` returns them."""
    others = [rule for rule in rules if rule.is_pin or rule.spec.action == RuleAction.INCLUDE_ONLY]
    for first, second in _pairs(rules):
        if first.meets(second):
            found = next(_between(first, second, placements, others), None)
            if found is not None:
                yield found


def _pairs(rules: Sequence[PreparedRule]) -> Iterator[tuple[PreparedRule, PreparedRule]]:
    """Yield the pairs of which something may be said, in the order of all pairs.

    Of 5,000 rules there are twelve million pairs; most are for other placements, users or times, or cannot touch each
    other: two that move up are looked at only where they target as many items.
    """
    if not rules:
        return
    numbers = _Bits(), _Bits()
    placements = np.array([numbers[0].of(sorted(rule.placements)) for rule in rules], np.uint64)
    segments = np.array([numbers[1].of(rule.spec.segments) or EVERY_BIT for rule in rules], np.uint64)
    users = np.array([{"new": 1, "returning": 2}.get(rule.spec.shoppers, 3) for rule in rules], np.uint8)
    starts = np.array([rule.starts_at_ms for rule in rules], np.int64)
    ends = np.array([rule.ends_at_ms for rule in rules], np.int64)
    kinds = np.array([_kind(rule) for rule in rules], np.uint8)
    sizes = np.array([rule.n_targeted for rule in rules], np.int64)
    for at, first in enumerate(rules[:-1]):
        rest = slice(at + 1, None)
        others = kinds[rest]
        may_differ = others != _MOVED_UP if kinds[at] == _MOVED_UP else others != _MOVED_DOWN
        if kinds[at] in (_PINS, _FILTERS):
            may_differ = np.ones(len(others), np.bool_)
        met = (
            ((placements[rest] & placements[at]) != 0)
            & ((segments[rest] & segments[at]) != 0)
            & ((users[rest] & users[at]) != 0)
            & (starts[rest] < ends[at])
            & (ends[rest] > starts[at])
            & (may_differ | (sizes[rest] == sizes[at]))
            & ~_APART[kinds[at]][others]
        )
        for offset in np.flatnonzero(met).tolist():
            yield first, rules[at + 1 + offset]


class _Bits:
    """Names as bits of one number; names beyond the 63rd share the last bit, and are told apart by ``meets``."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def of(self, names: Sequence[str]) -> int:
        bits = 0
        for name in names:
            bits |= 1 << min(self._numbers.setdefault(name, len(self._numbers)), 63)
        return bits


def _kind(rule: PreparedRule) -> int:
    if rule.is_pin or rule.is_filter:
        return _PINS if rule.is_pin else _FILTERS
    return _MOVED_UP if rule.factor > 1.0 else _MOVED_DOWN


def _between(
    first: PreparedRule,
    second: PreparedRule,
    placements: Mapping[str, PlacementSpec],
    others: Sequence[PreparedRule],
) -> Iterator[Finding]:
    """Yield the faults of a pair, the gravest first; ``others`` are the rules that pin or show nothing else."""
    if first.spec.action == second.spec.action:
        yield from _duplicates(first, second)
    if first.is_pin and second.is_pin:
        yield from _pins(first, second, placements, others)
        return
    for rule, other in ((first, second), (second, first)):
        if other.is_filter:
            yield from _against_filter(rule, other, others)
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
    if first.is_pin and (
        first.spec.position != second.spec.position
        or first.spec.items != second.spec.items
        or first.pinned_rows.tolist() != second.pinned_rows.tolist()
    ):
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


def _pins(
    first: PreparedRule,
    second: PreparedRule,
    placements: Mapping[str, PlacementSpec],
    others: Sequence[PreparedRule],
) -> Iterator[Finding]:
    pinned = second.pinned_rows.tolist()
    same = [row for row in first.pinned_rows.tolist() if row in set(pinned)]
    # Pins that win over the first move its items down, by one rank each at most.
    n_before = sum(len(other.pinned_rows) for other in _before(first, others) if other.meets(first))
    size = min(placements[name].size for name in second.placements)
    n_fitting = max(0, size - n_before - first.spec.position + 1)
    if pinned and set(pinned) <= set(first.pinned_rows.tolist()[:n_fitting]) and first.covers(second):
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


def _before(rule: PreparedRule, others: Sequence[PreparedRule]) -> Iterator[PreparedRule]:
    """Yield the pins that win over a rule."""
    for other in others:
        if other is rule:
            return
        if other.is_pin:
            yield other


def _against_filter(rule: PreparedRule, other: PreparedRule, others: Sequence[PreparedRule]) -> Iterator[Finding]:
    """Yield what a filter leaves of what another rule is for; rules that show nothing else add up."""
    is_exclude = other.spec.action == RuleAction.EXCLUDE
    kept_out = other.targeted if is_exclude else ~_included(rule, others)
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


def _included(rule: PreparedRule, others: Sequence[PreparedRule]) -> Mask:
    """Return the rows that some "show nothing else" which may hold together with a rule lets through."""
    mask = np.zeros(rule.item_index.n_rows, np.bool_)
    for other in others:
        if other.spec.action == RuleAction.INCLUDE_ONLY and other.meets(rule):
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
