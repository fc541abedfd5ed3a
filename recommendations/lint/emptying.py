"""Lists that rules and conditions leave empty, or shorter than the placement is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np

from recommendations.core.actions import RuleAction
from recommendations.core.types import Mask
from recommendations.items.index import ItemIndex
from recommendations.lint.findings import Finding, Problem
from recommendations.lint.prepared import PreparedRule, eligible_in
from recommendations.pipeline.query import PlacementSpec


def emptying(
    rules: Sequence[PreparedRule], placements: Mapping[str, PlacementSpec], item_index: ItemIndex, *, now_ms: int
) -> Iterator[Finding]:
    """Yield for each placement what leaves it empty or short: its own condition, or the rules that filter.

    Every set of rules that holds for some user, on some page, now or at a later time, is looked at once.
    """
    if not item_index.catalogue.is_recommendable.any():
        return  # no rule is to blame
    filters = [rule for rule in rules if rule.is_filter and not rule.ended(now_ms)]
    seen: set[tuple[Problem, tuple[int, ...]]] = set()
    for name, placement in sorted(placements.items()):
        eligible = eligible_in(placement, item_index)
        size = min(placement.size, _count(item_index, item_index.catalogue.is_recommendable))
        n_eligible = _count(item_index, eligible)
        if n_eligible < size:
            yield _by_condition(placement, n_eligible)
            size = n_eligible  # what is missing because of rules is missing besides
        here = [rule for rule in filters if name in rule.placements]
        for together in _sets_that_hold(here, now_ms):
            n_left = _count(item_index, _left(eligible, together))
            if n_left >= size:
                continue
            blamed = _blamed(eligible, together, item_index, size=min(size, n_left + 1))
            problem = Problem.EMPTYING if not n_left else Problem.SHORT
            key = problem, tuple(sorted(each.spec.rule_id for each in blamed))
            if key not in seen:
                seen.add(key)
                yield _by_rules(problem, blamed, placement, n_left)


def _sets_that_hold(filters: Sequence[PreparedRule], now_ms: int) -> list[list[PreparedRule]]:
    """Return the distinct sets of rules that hold together, for some user, on some page, now or later.

    Users are new or returning and of one segment or none; pages match one condition or none; sets change whenever a
    rule begins or ends.
    """
    segments = {None, *(name for rule in filters for name in rule.spec.segments)}
    contexts = {"", *(rule.spec.context_condition for rule in filters)}
    turns = {moment for rule in filters for moment in (rule.spec.starts_at_ms, rule.spec.ends_at_ms) if moment}
    moments = {now_ms, *(moment for moment in turns if moment > now_ms)}
    sets: dict[tuple[int, ...], list[PreparedRule]] = {}
    for moment in sorted(moments):
        alive = [rule for rule in filters if rule.holds_at(moment)]
        for kind, segment, context in product(("new", "returning"), segments, contexts):
            held = [
                rule
                for rule in alive
                if rule.spec.shoppers in ("all", kind)
                and (not rule.spec.segments or segment in rule.spec.segments)
                and rule.spec.context_condition in ("", context)
            ]
            if held:
                sets.setdefault(tuple(rule.spec.rule_id for rule in held), held)
    return list(sets.values())


def _count(item_index: ItemIndex, mask: Mask) -> int:
    """Return how many products the rows are of, since a list shows one variant of each."""
    rows = np.flatnonzero(mask)
    return len(np.unique(item_index.products.of_row[rows])) if item_index.products.has_variants else len(rows)


def _left(eligible: Mask, filters: Sequence[PreparedRule]) -> Mask:
    left = eligible.copy()
    included: Mask | None = None
    for rule in filters:
        if rule.spec.action == RuleAction.EXCLUDE:
            left &= ~rule.targeted
        else:
            included = rule.targeted if included is None else included | rule.targeted
    if included is not None:
        left &= included
    return left


def _blamed(eligible: Mask, filters: Sequence[PreparedRule], item_index: ItemIndex, *, size: int) -> list[PreparedRule]:
    """Return a smallest set of rules that leave fewer than ``size``: each that can be left out is."""
    blamed = list(filters)
    for rule in filters:
        fewer = [each for each in blamed if each is not rule]
        if fewer and _count(item_index, _left(eligible, fewer)) < size:
            blamed = fewer
    return blamed


def _by_condition(placement: PlacementSpec, n_eligible: int) -> Finding:
    return Finding(
        problem=Problem.SHORT if n_eligible else Problem.EMPTYING,
        rule_ids=(),
        subject=placement.name,
        placement=placement.name,
        what=_what(placement, n_eligible),
        why=f"So few items that can be shown match its own condition: {placement.filter}."
        if n_eligible
        else f"No item that can be shown matches its own condition: {placement.filter}.",
        remedy="Change the condition under Placements, or empty it.",
    )


def _by_rules(problem: Problem, blamed: list[PreparedRule], placement: PlacementSpec, n_left: int) -> Finding:
    names = " and ".join(rule.quoted for rule in blamed)
    verb = "leaves" if len(blamed) == 1 else "together leave"
    left = f"{n_left} {'item' if n_left == 1 else 'items'}" if n_left else "no item"
    whose = "" if blamed[0].spec.shoppers == "all" and not blamed[0].spec.segments else " for those shoppers"
    return Finding(
        problem=problem,
        rule_ids=tuple(rule.spec.rule_id for rule in blamed),
        subject=blamed[0].spec.name,
        placement=placement.name,
        what=f"{names} {verb} {left} for {placement.name}{whose}.",
        why=f"A list there has {placement.size}.",
        remedy="Keep out fewer items, or choose other placements.",
    )


def _what(placement: PlacementSpec, n_left: int) -> str:
    if not n_left:
        return f"{placement.name} shows nothing."
    return f"{placement.name} shows {n_left} {'item' if n_left == 1 else 'items'} of {placement.size}."
