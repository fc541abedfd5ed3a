"""What is wrong between two rules: they contradict each other, say the same, or one leaves the other nothing to do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np

from recommendations.core.actions import RuleAction
from recommendations.core.types import Mask
from recommendations.core.words import gettext as _
from recommendations.core.words import gettext_noop, ngettext, number
from recommendations.lint.findings import Finding, Problem, names_of_items
from recommendations.lint.prepared import PreparedRule, titles
from recommendations.pipeline.query import PlacementSpec

EVERY_BIT: Final = 2**64 - 1

_PINS, _FILTERS, _MOVED_UP, _MOVED_DOWN, _OTHERS = range(5)
_APART: Final = np.array(
    [
        [False, False, True, True, False],
        [False] * 5,
        [True, False, False, False, True],
        [True, False, False, False, True],
        [False, False, True, True, False],
    ]
)
"""Kinds of rules that never contradict each other: pins, replacements and limits, and what moves items."""

MUCH: Final = 0.5
"""Share of all items of two rules which both target, from which on opposite directions are a contradiction."""


def together(rules: Sequence[PreparedRule], placements: Mapping[str, PlacementSpec]) -> Iterator[Finding]:
    """Yield what is wrong between any two rules that may touch one list; the rules as ``prepare`` returns them."""
    yield from _relative_duplicates([rule for rule in rules if rule.is_relative])
    rules = [rule for rule in rules if not rule.is_relative]
    others = [rule for rule in rules if rule.is_pin or rule.spec.action == RuleAction.INCLUDE_ONLY]
    for first, second in _pairs(rules):
        if first.meets(second):
            found = next(_between(first, second, placements, others), None)
            if found is not None:
                yield found


def _relative_duplicates(rules: Sequence[PreparedRule]) -> Iterator[Finding]:
    """Yield what says the same of the page's item twice; what else they say together is known on a page alone."""
    for first, second in combinations(rules, 2):
        is_same = first.compiled.key == second.compiled.key and first.spec.action == second.spec.action
        if is_same and first.meets(second) and (second.covers(first) or first.covers(second)):
            yield _finding(
                Problem.DUPLICATE,
                second,
                first,
                what=_("%(quoted)s does what %(quoted2)s does.") % {"quoted": second.quoted, "quoted2": first.quoted},
                why=_("Both compare with the item of the page alike, in the same lists."),
                remedy=_("Withdraw one of the two."),
            )


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
        if kinds[at] in (_PINS, _FILTERS, _OTHERS):
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
    if rule.factor == 1.0:
        return _OTHERS
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
    if first.spec.action == second.spec.action == RuleAction.LIMIT:
        yield from _limits(first, second)
    for rule, other in ((first, second), (second, first)):
        if rule.spec.action == RuleAction.REPLACE:
            yield from _against_replacement(rule, other)
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
    if (first.spec.replacements, first.spec.per, first.spec.at_most) != (
        second.spec.replacements, second.spec.per, second.spec.at_most,
    ):  # fmt: skip
        return
    counted = first.factor * second.factor
    why = _("Both target the same items in the same lists.")
    if first.factor != 1.0:
        why = _("Both target the same items in the same lists, and both count: the items count %(counted)s times.") % {
            "counted": f"{counted:g}"
        }
    yield _finding(
        Problem.DUPLICATE,
        second,
        first,
        what=_("%(quoted)s does what %(quoted2)s does.") % {"quoted": second.quoted, "quoted2": first.quoted},
        why=why,
        remedy=_("Withdraw one of the two."),
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
            what=_("%(quoted)s pins nothing.") % {"quoted": second.quoted},
            why=_("%(quoted)s, which wins, pins all of its items already.") % {"quoted": first.quoted},
            remedy=_("Withdraw it, or give it a higher priority."),
        )
    if same:
        yield _finding(
            Problem.CONFLICT,
            second,
            first,
            what=_("%(quoted)s and %(quoted2)s pin the same item.")
            % {"quoted": first.quoted, "quoted2": second.quoted},
            why=_("%(names_of_items)s can have one rank alone; %(quoted)s wins.")
            % {"names_of_items": names_of_items(titles(same, first.item_index)), "quoted": first.quoted},
            remedy=_("Take the item out of one of the two."),
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
            what=_("%(quoted)s and %(quoted2)s both pin to rank %(visible)s.")
            % {"quoted": first.quoted, "quoted2": second.quoted, "visible": visible[0]},
            why=_("One rank holds one item; of equal priorities the older rule wins, and %(quoted)s moves down.")
            % {"quoted": second.quoted},
            remedy=_("Choose another rank, or give the one that is to win a higher priority."),
        )


def _limits(first: PreparedRule, second: PreparedRule) -> Iterator[Finding]:
    """Yield a limit beside a narrower one for the same items and lists."""
    narrow, wide = sorted((first, second), key=lambda rule: rule.spec.at_most)
    if narrow.spec.per != wide.spec.per or not narrow.covers(wide) or narrow.spec.at_most == wide.spec.at_most:
        return
    if not (wide.targeted & ~narrow.targeted).any():
        yield _shadowed(
            wide,
            narrow,
            _("%(quoted)s lets in at most %(at_most)s of them already.")
            % {"quoted": narrow.quoted, "at_most": narrow.spec.at_most},
        )


def _against_replacement(rule: PreparedRule, other: PreparedRule) -> Iterator[Finding]:
    """Yield what another rule leaves of a replacement: its items pinned, or what it shows instead kept out."""
    if other.is_pin and other.meets(rule):
        pinned = [row for row in other.pinned_rows.tolist() if rule.targeted[row]]
        if pinned:
            yield _finding(
                Problem.CONFLICT,
                other,
                rule,
                what=_("%(quoted)s pins what %(quoted2)s shows others instead of.")
                % {"quoted": other.quoted, "quoted2": rule.quoted},
                why=_("%(names_of_items)s is listed all the same: a pin is put in last.")
                % {"names_of_items": names_of_items(titles(pinned, rule.item_index))},
                remedy=_("Pin what is shown instead, or withdraw one of the two."),
            )
    elif other.spec.action == RuleAction.EXCLUDE and other.is_as_wide_as(rule):
        kept_out = other.targeted
        instead = rule.replacement_rows_shown
        if len(instead) and kept_out[instead].all():
            yield _finding(
                Problem.CONFLICT,
                rule,
                other,
                what=_("%(quoted)s shows what %(quoted2)s keeps out.")
                % {"quoted": rule.quoted, "quoted2": other.quoted},
                why=_("%(names_of_items)s is never shown there.")
                % {"names_of_items": names_of_items(titles(instead.tolist(), rule.item_index))},
                remedy=_("Show other items instead, or withdraw one of the two."),
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
    does = (
        gettext_noop("%(quoted)s never shows %(items)s, and that beats a pin.")
        if is_exclude
        else gettext_noop("%(quoted)s shows nothing but others, without %(items)s, and that beats a pin.")
    )
    if rule.is_pin:
        if not other.is_as_wide_as(rule):
            return  # an exception to the pin, for some users or pages
        lost = [row for row in rule.pinned_rows.tolist() if kept_out[row]]
        if lost:
            yield _finding(
                Problem.CONFLICT,
                rule,
                other,
                what=_("%(quoted)s pins what %(quoted2)s keeps out.")
                % {"quoted": rule.quoted, "quoted2": other.quoted},
                why=_(does) % {"quoted": other.quoted, "items": names_of_items(titles(lost, rule.item_index))},
                remedy=_("Take the item out of one of the two."),
            )
        return
    if not rule.n_targeted or not other.covers(rule):
        return
    if is_exclude and rule.spec.action == RuleAction.EXCLUDE:
        if not other.is_guard and not (rule.targeted & ~other.targeted).any() and rule.n_targeted < other.n_targeted:
            yield _shadowed(rule, other, _("%(quoted)s keeps all of its items out already.") % {"quoted": other.quoted})
    elif is_exclude and rule.spec.action == RuleAction.INCLUDE_ONLY:
        return  # what is left of it is the business of ``emptying``
    elif (rule.factor != 1.0 or rule.spec.action in (RuleAction.REPLACE, RuleAction.LIMIT)) and (
        rule.n_shown and not (rule.shown & ~kept_out).any()
    ):
        yield _shadowed(rule, other, _("%(quoted)s keeps all of its items out.") % {"quoted": other.quoted})


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
        what=_("%(quoted)s leaves %(quoted2)s nothing to do.") % {"quoted": other.quoted, "quoted2": rule.quoted},
        why=why,
        remedy=_("Withdraw it, or change what one of the two targets."),
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
    outcome = _("they cancel each other") if cancels else _("together they count %(net)s times") % {"net": f"{net:.3g}"}
    yield _finding(
        Problem.CONFLICT,
        second,
        first,
        what=_("%(quoted)s moves up what %(quoted2)s moves down.") % {"quoted": up.quoted, "quoted2": down.quoted},
        why=ngettext("Both target %(both)s item; %(outcome)s.", "Both target %(both)s items; %(outcome)s.", both)
        % {"both": number(both), "outcome": outcome},
        remedy=_("Withdraw one of the two, or take those items out of one."),
    )
