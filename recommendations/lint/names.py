"""Names that the catalogue does not have: ids, brands, categories, tags, attributes and their values."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from features.state.identity.attributes import SEGMENT_PREFIX
from recommendations.core.pasted import split_ids
from recommendations.exceptions import InvalidQuery
from recommendations.filters import language
from recommendations.filters.language import AllOf, AnyOf, Comparison, Condition, Not, as_text
from recommendations.lint.findings import Finding, Problem
from recommendations.lint.prepared import PreparedRule
from recommendations.lint.vocabulary import ATTRIBUTES, CODES, Vocabulary
from recommendations.pipeline.query import PlacementSpec

MAX_NAMED: Final = 10
REPEATABLE: Final = f"{ATTRIBUTES}repeatable"
"""Stands in every placement, with all the values that a feed might have, for shops whose feed says it."""

_UNNAMED: Final = frozenset({"has", "empty", "<", "<=", ">", ">="})
"""Operators whose values are no names."""

_FIELDS: Final = (("categories", "category", "category"), ("brands", "brand", "brand"), ("tags", "tags", "tag"))


def unknown_names(rule: PreparedRule, vocabulary: Vocabulary, segments: Collection[str]) -> Iterator[Finding]:
    """Yield a finding for each name of a rule that nothing has; ``segments`` are the known ones, none for any."""
    spec = rule.spec

    def finding(what: str, why: str, remedy: str) -> Finding:
        return Finding(
            problem=Problem.UNKNOWN,
            rule_ids=(spec.rule_id,),
            subject=spec.name,
            what=f"{rule.quoted} names {what}.",
            why=why,
            remedy=remedy,
        )

    for item_id in [item_id for item_id in spec.items if vocabulary.unknown_value("item_id", item_id)][:MAX_NAMED]:
        near = vocabulary.item(item_id) or vocabulary.nearest_item(item_id)
        remedy = _instead(near, "id")
        if near is None and len(split_ids(item_id)) > 1:
            remedy = "These are several ids: write each on a line of its own."
        yield finding(f"the item {item_id}", "The catalogue has no item of that id.", remedy)
    for attribute, name, word in _FIELDS:
        unknown = [value for value in getattr(spec, attribute) if vocabulary.unknown_value(name, value)]
        for value in unknown[:MAX_NAMED]:
            near = vocabulary.nearest_value(name, value)
            yield finding(f"the {word} {value}", f"No item has that {word}.", _instead(near, word))
    for text in (spec.condition, spec.context_condition):
        for what, why, remedy in unknown_in(text, vocabulary):
            yield finding(what, why, remedy)
    if segments:
        for segment in spec.segments:
            if segment not in segments and not segment.startswith(SEGMENT_PREFIX):
                yield finding(f"the segment {segment}", "No shopper is in it.", "Choose one of Shoppers → Segments.")


def unknown_in_placement(placement: PlacementSpec, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Yield a finding for each name in the conditions of a placement that nothing has."""
    for text in (placement.filter, placement.repeatable_filter):
        for what, why, remedy in unknown_in(text, vocabulary):
            yield Finding(
                problem=Problem.UNKNOWN,
                rule_ids=(),
                subject=placement.name,
                placement=placement.name,
                what=f"The condition of {placement.name} names {what}.",
                why=why,
                remedy=remedy,
            )


def unknown_in(text: str, vocabulary: Vocabulary) -> Iterator[tuple[str, str, str]]:
    """Yield what a condition names that nothing has, why that matters, and the nearest name; nothing for nonsense."""
    if not text:
        return
    try:
        condition = language.parse(text)
    except InvalidQuery:
        return
    for comparison in comparisons_of(condition):
        name = comparison.name
        if name == REPEATABLE:
            continue
        if not vocabulary.has_attribute(name):
            near = vocabulary.nearest_attribute(name)
            hint = f"Write {near}." if near else f"Attributes of your own are written {ATTRIBUTES}name."
            yield f"the attribute {name}", "No item has it.", hint
            continue
        if comparison.operator in _UNNAMED and (comparison.operator != "has" or name != "tags"):
            continue
        for value in comparison.values:
            if vocabulary.unknown_value(name, as_text(value)):
                near = vocabulary.nearest_value(name, as_text(value))
                remedy = _instead(near, "value")
                if near is None and name in CODES:
                    remedy = f"Write one of {', '.join(CODES[name])}."
                yield f"the {_word(name)} {as_text(value)}", f"No item has that {_word(name)}.", remedy


def comparisons_of(condition: Condition) -> Iterator[Comparison]:
    """Yield every comparison of a condition, from left to right."""
    match condition:
        case Comparison():
            yield condition
        case Not(part=part):
            yield from comparisons_of(part)
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for each in parts:
                yield from comparisons_of(each)


def _word(name: str) -> str:
    return {"item_id": "item", "tags": "tag", "group_id": "product"}.get(name, name.removeprefix(ATTRIBUTES))


def _instead(near: str | None, word: str) -> str:
    return f"Did you mean {near}?" if near else f"Correct the {word}, or take it out."
