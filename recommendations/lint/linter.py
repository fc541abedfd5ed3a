"""The linter: everything that is wrong with the rules and placements of a site, the gravest first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from recommendations.items.index import ItemIndex
from recommendations.lint.alone import alone
from recommendations.lint.emptying import emptying
from recommendations.lint.findings import Finding, Problem
from recommendations.lint.names import unknown_in_placement, unknown_names
from recommendations.lint.prepared import prepare
from recommendations.lint.together import together
from recommendations.lint.vocabulary import vocabulary_of
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.base import CompiledRule


def lint(
    compiled: Iterable[CompiledRule],
    placements: Mapping[str, PlacementSpec],
    item_index: ItemIndex,
    *,
    now_ms: int,
    segments: Collection[str] = (),
) -> list[Finding]:
    """Return what is wrong, the gravest first; the rules are those that would be served together.

    Parameters
    ----------
    compiled : iterable of CompiledRule
        What is published, with a draft in place of what it would replace.
    placements : mapping of name to PlacementSpec
        The active ones; their own ``rules`` are not looked at.
    item_index : ItemIndex
        The catalogue as it is now.
    segments : collection of str
        The segments that exist; none if that is not known.
    """
    rules = prepare(compiled, placements, item_index)
    vocabulary = vocabulary_of(item_index)
    living = [rule for rule in rules if not rule.ended(now_ms)]
    found: list[Finding] = []
    for placement in placements.values():
        found += unknown_in_placement(placement, vocabulary)
    dead: set[int] = set()
    for rule in rules:
        own = list(alone(rule, placements, now_ms=now_ms))
        found += own
        if any(each.problem is Problem.DEAD for each in own):
            dead.add(rule.spec.rule_id)
        if not rule.ended(now_ms):
            found += unknown_names(rule, vocabulary, segments)
    effective = [rule for rule in living if rule.spec.rule_id not in dead]
    found += together(effective, placements)
    # What matches nothing may still empty a list: "show nothing else" of no item.
    found += emptying(living, placements, item_index, now_ms=now_ms)
    return sorted(_once(_gravest(found)), key=lambda each: -each.severity)


def of_rule(findings: Iterable[Finding], rule_id: int) -> list[Finding]:
    """Return the findings that concern one rule."""
    return [finding for finding in findings if rule_id in finding.rule_ids]


def _gravest(findings: Sequence[Finding]) -> list[Finding]:
    """Leave out that a rule does nothing, or very much, where it is what empties a list."""
    emptied = {rule_id for each in findings if each.problem is Problem.EMPTYING for rule_id in each.rule_ids[:1]}
    lesser = (Problem.DEAD, Problem.OVER_BROAD)
    return [each for each in findings if each.problem not in lesser or emptied.isdisjoint(each.rule_ids)]


def _once(findings: Iterable[Finding]) -> list[Finding]:
    return list({(each.problem, each.rule_ids, each.what): each for each in findings}.values())
