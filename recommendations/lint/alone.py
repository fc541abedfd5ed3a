"""What is wrong with a rule by itself: it does nothing, touches very much, has ended or ends soon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from recommendations.core.actions import RuleAction
from recommendations.core.strategies import STRATEGIES, About
from recommendations.core.words import gettext as _
from recommendations.core.words import ngettext, number
from recommendations.lint.findings import Finding, Problem, names_of_items
from recommendations.lint.prepared import PreparedRule, eligible_in
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.registry import ACTIONS

HOUR_MS: Final = 3_600_000
EXPIRES_WITHIN_MS: Final = 72 * HOUR_MS
"""So that a rule that ends at a weekend is seen on the Friday before."""

MAX_EXCLUDED: Final = 0.5
MAX_MOVED: Final = 0.75
"""Shares of the items that can be shown which a rule may touch before a person is asked: what moves nearly everything
moves nothing."""

FEW_ITEMS: Final = 10
"""In a smaller catalogue any rule touches a large share."""


def alone(rule: PreparedRule, placements: Mapping[str, PlacementSpec], *, now_ms: int) -> Iterator[Finding]:
    """Yield what is wrong with one rule, whatever the others do."""
    if rule.ended(now_ms):
        yield _finding(
            rule,
            Problem.EXPIRED,
            _("has ended."),
            _("Its end is in the past, so no list follows it."),
            _("Withdraw or delete it, or give it a later end."),
        )
        return
    yield from _expiring(rule, now_ms)
    yield from _without_page(rule, placements)
    reason = _why_dead(rule, placements)
    if reason is not None:
        why, remedy = reason
        yield _finding(rule, Problem.DEAD, _("changes no list."), why, remedy)
    else:
        yield from _over_broad(rule, placements)


def _finding(rule: PreparedRule, problem: Problem, what: str, why: str, remedy: str) -> Finding:
    return Finding(
        problem=problem,
        rule_ids=(rule.spec.rule_id,),
        subject=rule.spec.name,
        what=f"{rule.quoted} {what}",
        why=why,
        remedy=remedy,
    )


def _expiring(rule: PreparedRule, now_ms: int) -> Iterator[Finding]:
    ends_at_ms, starts_at_ms = rule.spec.ends_at_ms, rule.spec.starts_at_ms
    if ends_at_ms is None or ends_at_ms - now_ms > EXPIRES_WITHIN_MS:
        return
    if starts_at_ms is not None and ends_at_ms - starts_at_ms <= EXPIRES_WITHIN_MS:
        return  # as short as it is meant to be
    hours = max(1, round((ends_at_ms - now_ms) / HOUR_MS))
    yield _finding(
        rule,
        Problem.EXPIRING,
        ngettext("ends in %(hours)s hour.", "ends in %(hours)s hours.", hours) % {"hours": hours},
        _("After that no list follows it."),
        _("Give it a later end if it is to stay."),
    )


def _without_page(rule: PreparedRule, placements: Mapping[str, PlacementSpec]) -> Iterator[Finding]:
    """Yield that a rule compares with the item of a page in lists that do not go with one."""
    if not rule.is_relative:
        return
    named = [name for name in rule.spec.placements if name in placements]
    without = [name for name in named if STRATEGIES[placements[name].strategy].about is not About.CONTEXT]
    if without:
        yield _finding(
            rule,
            Problem.NO_PAGE,
            _("does nothing on pages without an item, such as those of %(names_of_items)s.")
            % {"names_of_items": names_of_items(without)},
            _("It compares with the item of the page, and where there is none it matches nothing."),
            _("Choose placements of product pages, or take out what compares with the page's item."),
        )


def _why_dead(rule: PreparedRule, placements: Mapping[str, PlacementSpec]) -> tuple[str, str] | None:
    """Return why a rule does nothing, and what to do; None for one that does something."""
    spec = rule.spec
    if not rule.placements:
        wanted = names_of_items(list(spec.placements)) or "any"
        return _("There is no active placement %(wanted)s.") % {"wanted": wanted}, _(
            "Choose a placement that is live, or none for all."
        )
    if spec.starts_at_ms is not None and spec.ends_at_ms is not None and spec.starts_at_ms >= spec.ends_at_ms:
        return _("It ends before it begins."), _("Give it an end after its start.")
    if rule.context_mask is not None and not rule.context_mask.any():
        return _("No item matches its condition on pages."), _("Correct “Only on pages of”, or empty it.")
    if ACTIONS[spec.action].factor(spec) == 1.0:
        return _("A strength of 1 changes no score."), _("Choose a strength above 1.")
    if not rule.n_targeted:
        is_waiting = rule.is_filter and rule.is_guard and spec.action == RuleAction.EXCLUDE
        return None if is_waiting else (_("No item matches it."), _("Check ids, names and limits."))
    if spec.action == RuleAction.EXCLUDE:
        return None
    if rule.is_relative and rule.is_pin:
        return None  # what it pins is known on a page
    if spec.action == RuleAction.REPLACE and not len(rule.replacement_rows_shown):
        return _("None of what it shows instead can be shown."), _("Choose items that are in stock, or wait for stock.")
    if spec.action == RuleAction.LIMIT and spec.at_most >= max(placements[name].size for name in rule.placements):
        return (
            _("No list that it is for has more than %(at_most)s items.") % {"at_most": spec.at_most},
            _("Choose a smaller number, or larger lists."),
        )
    if (rule.is_pin and not len(rule.pinned_rows)) or not rule.n_shown:
        return _("All of its items are sold out or inactive."), _("Choose items that can be shown, or wait for stock.")
    return _why_dead_in_placements(rule, placements)


def _why_dead_in_placements(rule: PreparedRule, placements: Mapping[str, PlacementSpec]) -> tuple[str, str] | None:
    sizes = {name: placements[name].size for name in sorted(rule.placements)}
    if rule.is_pin:
        beyond = {name: size for name, size in sizes.items() if rule.spec.position > size}
        if beyond and (rule.spec.placements or len(beyond) == len(sizes)):
            name, size = next(iter(beyond.items()))
            return (
                _("It pins to rank %(position)s, and a list of %(name)s has %(size)s.")
                % {"position": rule.spec.position, "name": name, "size": size},
                _("Choose a rank from 1 to %(size)s, or make the lists of %(name)s longer.")
                % {"size": size, "name": name},
            )
    if not any((rule.shown & eligible_in(placements[name], rule.item_index)).any() for name in rule.placements):
        name = min(rule.placements)
        return (
            _("The placement's own condition keeps its items out of %(name)s: %(filter)s.")
            % {"name": name, "filter": placements[name].filter},
            _("Change the condition of the placement, or the items of the rule."),
        )
    return None


def _over_broad(rule: PreparedRule, placements: Mapping[str, PlacementSpec]) -> Iterator[Finding]:
    action = rule.spec.action
    if rule.is_relative or action == RuleAction.LIMIT:
        return  # how much that is depends on the page
    if rule.is_pin:
        full = [name for name in sorted(rule.placements) if len(rule.pinned_rows) >= placements[name].size]
        if full and rule.spec.position == 1:
            yield _finding(
                rule,
                Problem.OVER_BROAD,
                _("pins every rank of %(full)s.") % {"full": full[0]},
                _("It pins %(pinned_rows)s items, and a list has %(size)s: nothing personal is left.")
                % {"pinned_rows": len(rule.pinned_rows), "size": placements[full[0]].size},
                _("Pin fewer items, or confirm that this is intended."),
            )
        return
    limit = MAX_EXCLUDED if action == RuleAction.EXCLUDE else MAX_MOVED
    if action == RuleAction.INCLUDE_ONLY:
        return
    n_all = int(np.count_nonzero(rule.item_index.catalogue.is_recommendable))
    share = rule.n_shown / n_all if n_all else 0.0
    if n_all < FEW_ITEMS or share <= limit:
        return
    is_exclude = action == RuleAction.EXCLUDE
    yield _finding(
        rule,
        Problem.OVER_BROAD,
        _("touches %(share)s of the items that can be shown.") % {"share": f"{share:.0%}"},
        (
            _("It keeps out %(n_shown)s of %(n_all)s items.")
            if is_exclude
            else _("It moves %(n_shown)s of %(n_all)s items, so that their order hardly changes.")
        )
        % {"n_shown": number(rule.n_shown), "n_all": number(n_all)},
        _("Name fewer items, or confirm that this is intended."),
    )
