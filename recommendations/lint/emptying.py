"""Lists that rules and conditions leave empty, or shorter than the placement is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Final

import numpy as np

from recommendations.core.actions import RuleAction
from recommendations.core.types import Mask
from recommendations.core.words import all_of, ngettext
from recommendations.core.words import gettext as _
from recommendations.items.index import ItemIndex
from recommendations.lint.findings import Finding, Problem
from recommendations.lint.prepared import PreparedRule, eligible_in, visit_covers, visit_of, visits_meet
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.base import RuleSpec

ANYBODY: Final = RuleSpec(rule_id=0, name="", action=RuleAction.EXCLUDE)
MAX_VISITS: Final = 20
"""Different visits of rules that are looked at two by two."""


def emptying(
    rules: Sequence[PreparedRule], placements: Mapping[str, PlacementSpec], item_index: ItemIndex, *, now_ms: int
) -> Iterator[Finding]:
    """Yield for each placement what leaves it empty or short: its own condition, or the rules that filter.

    Every set of rules that holds for some user, on some page, now or at a later time, is looked at once.
    """
    if not item_index.catalogue.is_recommendable.any():
        return  # no rule is to blame
    # What a rule that is relative to the page's item leaves is known on a page alone: lists tried again show that.
    filters = [rule for rule in rules if rule.is_filter and not rule.is_relative and not rule.ended(now_ms)]
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

    Users are new or returning and of one segment or none; pages match one condition or none; visits are none that a
    rule asks for, or such that one rule or two ask for; sets change whenever a rule begins or ends.
    """
    segments = {None, *(name for rule in filters for name in rule.spec.segments)}
    contexts = {"", *(rule.spec.context_condition for rule in filters)}
    turns = {moment for rule in filters for moment in (rule.spec.starts_at_ms, rule.spec.ends_at_ms) if moment}
    moments = {now_ms, *(moment for moment in turns if moment > now_ms)}
    visits = _visits([rule.spec for rule in filters])
    sets: dict[tuple[int, ...], list[PreparedRule]] = {}
    for moment in sorted(moments):
        alive = [rule for rule in filters if rule.holds_at(moment)]
        for kind, segment, context, visit in product(("new", "returning"), segments, contexts, visits):
            held = [
                rule
                for rule in alive
                if rule.spec.shoppers in ("all", kind)
                and (not rule.spec.segments or segment in rule.spec.segments)
                and rule.spec.context_condition in ("", context)
                and any(visit_covers(rule.spec, asked) for asked in visit)
            ]
            if held:
                sets.setdefault(tuple(rule.spec.rule_id for rule in held), held)
    return list(sets.values())


def _visits(specs: Sequence[RuleSpec]) -> list[tuple[RuleSpec, ...]]:
    """Return for whose visits to look at rules: nobody's in particular, one rule's, those of two that meet."""
    different = list({visit_of(spec): spec for spec in specs if any(visit_of(spec))}.values())
    pairs = [pair for pair in combinations(different[:MAX_VISITS], 2) if visits_meet(*pair)]
    return [(ANYBODY,), *((spec,) for spec in different), *pairs]


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
        why=_("So few items that can be shown match its own condition: %(filter)s.") % {"filter": placement.filter}
        if n_eligible
        else _("No item that can be shown matches its own condition: %(filter)s.") % {"filter": placement.filter},
        remedy=_("Change the condition under Placements, or empty it."),
    )


def _by_rules(problem: Problem, blamed: list[PreparedRule], placement: PlacementSpec, n_left: int) -> Finding:
    is_for_some = blamed[0].spec.shoppers != "all" or bool(blamed[0].spec.segments)
    values = {
        "rules": all_of([rule.quoted for rule in blamed]),
        "left": ngettext("%(count)s item", "%(count)s items", n_left) % {"count": n_left} if n_left else _("no item"),
        "placement": placement.name,
    }
    if len(blamed) == 1:
        what = _("%(rules)s leaves %(left)s for %(placement)s.")
        if is_for_some:
            what = _("%(rules)s leaves %(left)s for %(placement)s for those shoppers.")
    else:
        what = _("%(rules)s together leave %(left)s for %(placement)s.")
        if is_for_some:
            what = _("%(rules)s together leave %(left)s for %(placement)s for those shoppers.")
    return Finding(
        problem=problem,
        rule_ids=tuple(rule.spec.rule_id for rule in blamed),
        subject=blamed[0].spec.name,
        placement=placement.name,
        what=what % values,
        why=_("A list there has %(size)s.") % {"size": placement.size},
        remedy=_("Keep out fewer items, or choose other placements."),
    )


def _what(placement: PlacementSpec, n_left: int) -> str:
    if not n_left:
        return _("%(placement)s shows nothing.") % {"placement": placement.name}
    return ngettext(
        "%(placement)s shows %(left)s item of %(size)s.", "%(placement)s shows %(left)s items of %(size)s.", n_left
    ) % {"placement": placement.name, "left": n_left, "size": placement.size}
