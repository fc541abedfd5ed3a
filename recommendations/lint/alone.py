"""What is wrong with a rule by itself: it does nothing, touches very much, has ended or ends soon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from recommendations.core.actions import RuleAction
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
            "has ended.",
            "Its end is in the past, so no list follows it.",
            "Withdraw or delete it, or give it a later end.",
        )
        return
    yield from _expiring(rule, now_ms)
    reason = _why_dead(rule, placements)
    if reason is not None:
        why, remedy = reason
        yield _finding(rule, Problem.DEAD, "changes no list.", why, remedy)
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
        f"ends in {hours} {'hour' if hours == 1 else 'hours'}.",
        "After that no list follows it.",
        "Give it a later end if it is to stay.",
    )


def _why_dead(rule: PreparedRule, placements: Mapping[str, PlacementSpec]) -> tuple[str, str] | None:
    """Return why a rule does nothing, and what to do; None for one that does something."""
    spec = rule.spec
    if not rule.placements:
        wanted = names_of_items(list(spec.placements)) or "any"
        return f"There is no active placement {wanted}.", "Choose a placement that is live, or none for all."
    if spec.starts_at_ms is not None and spec.ends_at_ms is not None and spec.starts_at_ms >= spec.ends_at_ms:
        return "It ends before it begins.", "Give it an end after its start."
    if rule.context_mask is not None and not rule.context_mask.any():
        return "No item matches its condition on pages.", "Correct “Only on pages of”, or empty it."
    if ACTIONS[spec.action].factor(spec) == 1.0:
        return "A strength of 1 changes no score.", "Choose a strength above 1."
    if not rule.n_targeted:
        is_waiting = rule.is_filter and rule.is_guard and spec.action == RuleAction.EXCLUDE
        return None if is_waiting else ("No item matches it.", "Check ids, names and limits.")
    if spec.action == RuleAction.EXCLUDE:
        return None
    if (rule.is_pin and not len(rule.pinned_rows)) or not rule.n_shown:
        return "All of its items are sold out or inactive.", "Choose items that can be shown, or wait for stock."
    return _why_dead_in_placements(rule, placements)


def _why_dead_in_placements(rule: PreparedRule, placements: Mapping[str, PlacementSpec]) -> tuple[str, str] | None:
    sizes = {name: placements[name].size for name in sorted(rule.placements)}
    if rule.is_pin:
        beyond = {name: size for name, size in sizes.items() if rule.spec.position > size}
        if beyond and (rule.spec.placements or len(beyond) == len(sizes)):
            name, size = next(iter(beyond.items()))
            return (
                f"It pins to rank {rule.spec.position}, and a list of {name} has {size}.",
                f"Choose a rank from 1 to {size}, or make the lists of {name} longer.",
            )
    if not any((rule.shown & eligible_in(placements[name], rule.item_index)).any() for name in rule.placements):
        name = min(rule.placements)
        return (
            f"The placement's own condition keeps its items out of {name}: {placements[name].filter}.",
            "Change the condition of the placement, or the items of the rule.",
        )
    return None


def _over_broad(rule: PreparedRule, placements: Mapping[str, PlacementSpec]) -> Iterator[Finding]:
    action = rule.spec.action
    if rule.is_pin:
        full = [name for name in sorted(rule.placements) if len(rule.pinned_rows) >= placements[name].size]
        if full and rule.spec.position == 1:
            yield _finding(
                rule,
                Problem.OVER_BROAD,
                f"pins every rank of {full[0]}.",
                f"It pins {len(rule.pinned_rows)} items, and a list has {placements[full[0]].size}: "
                "nothing personal is left.",
                "Pin fewer items, or confirm that this is intended.",
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
        f"touches {share:.0%} of the items that can be shown.",
        f"It {'keeps out' if is_exclude else 'moves'} {rule.n_shown:,} of {n_all:,} items"
        + ("." if is_exclude else ", so that their order hardly changes."),
        "Name fewer items, or confirm that this is intended.",
    )
