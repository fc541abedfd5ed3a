"""Names that the catalogue does not have: ids, brands, categories, tags, attributes and their values."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from features.state.identity.attributes import SEGMENT_PREFIX
from recommendations.core.pasted import split_ids
from recommendations.core.words import gettext as _
from recommendations.core.words import gettext_noop
from recommendations.exceptions import InvalidQuery
from recommendations.filters import language
from recommendations.filters.language import PAGE, AllOf, AnyOf, Comparison, Condition, Not, PageValue, as_text
from recommendations.lint.findings import Finding, Problem
from recommendations.lint.prepared import PreparedRule
from recommendations.lint.vocabulary import ATTRIBUTES, CODES, Vocabulary
from recommendations.pipeline.query import PlacementSpec

MAX_NAMED: Final = 10
REPEATABLE: Final = f"{ATTRIBUTES}repeatable"
"""Stands in every placement, with all the values that a feed might have, for shops whose feed says it."""

_UNNAMED: Final = frozenset({"has", "empty", "<", "<=", ">", ">="})
"""Operators whose values are no names."""

_FIELDS: Final = (
    ("categories", "category", gettext_noop("category")),
    ("brands", "brand", gettext_noop("brand")),
    ("tags", "tags", gettext_noop("tag")),
)
_WORDS: Final = {
    "item_id": gettext_noop("item"),
    "tags": gettext_noop("tag"),
    "group_id": gettext_noop("product"),
    "brand": gettext_noop("brand"),
    "category": gettext_noop("category"),
}


def unknown_names(rule: PreparedRule, vocabulary: Vocabulary, segments: Collection[str]) -> Iterator[Finding]:
    """Yield a finding for each name of a rule that nothing has; ``segments`` are the known ones, none for any."""
    spec = rule.spec

    def finding(what: str, why: str, remedy: str) -> Finding:
        return Finding(
            problem=Problem.UNKNOWN,
            rule_ids=(spec.rule_id,),
            subject=spec.name,
            what=_("%(quoted)s names %(what)s.") % {"quoted": rule.quoted, "what": what},
            why=why,
            remedy=remedy,
        )

    for item_id in [item_id for item_id in spec.items if vocabulary.unknown_value("item_id", item_id)][:MAX_NAMED]:
        near = vocabulary.item(item_id) or vocabulary.nearest_item(item_id)
        remedy = _instead(near, _("id"))
        if near is None and len(split_ids(item_id)) > 1:
            remedy = _("These are several ids: write each on a line of its own.")
        yield finding(
            _("the item %(item_id)s") % {"item_id": item_id}, _("The catalogue has no item of that id."), remedy
        )
    for attribute, name, word in _FIELDS:
        unknown = [value for value in getattr(spec, attribute) if vocabulary.unknown_value(name, value)]
        for value in unknown[:MAX_NAMED]:
            near = vocabulary.nearest_value(name, value)
            yield finding(
                _("the %(word)s %(value)s") % {"word": _(word), "value": value},
                _("No item has that %(word)s.") % {"word": _(word)},
                _instead(near, _(word)),
            )
    for item_id in [each for each in spec.replacements if vocabulary.unknown_value("item_id", each)][:MAX_NAMED]:
        near = vocabulary.item(item_id) or vocabulary.nearest_item(item_id)
        yield finding(
            _("the item %(item_id)s to show instead") % {"item_id": item_id},
            _("The catalogue has no item of that id."),
            _instead(near, _("id")),
        )
    for name in spec.same:
        if not vocabulary.has_attribute(name):
            near = vocabulary.nearest_attribute(name)
            yield finding(
                _("the attribute %(name)s") % {"name": name},
                _("No item has it."),
                _("Write %(near)s.") % {"near": near} if near else _("Take it out."),
            )
    for text in (spec.condition, spec.context_condition):
        for what, why, remedy in unknown_in(text, vocabulary):
            yield finding(what, why, remedy)
    if segments:
        for segment in spec.segments:
            if segment not in segments and not segment.startswith(SEGMENT_PREFIX):
                yield finding(
                    _("the segment %(segment)s") % {"segment": segment},
                    _("No shopper is in it."),
                    _("Choose one of Shoppers → Segments."),
                )


def unknown_in_placement(placement: PlacementSpec, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Yield a finding for each name in the conditions of a placement that nothing has."""
    for text in (placement.filter, placement.repeatable_filter):
        for what, why, remedy in unknown_in(text, vocabulary):
            yield Finding(
                problem=Problem.UNKNOWN,
                rule_ids=(),
                subject=placement.name,
                placement=placement.name,
                what=_("The condition of %(placement)s names %(what)s.") % {"placement": placement.name, "what": what},
                why=why,
                remedy=remedy,
            )


def unknown_in(text: str, vocabulary: Vocabulary) -> Iterator[tuple[str, str, str]]:
    """Yield what a condition names that nothing has, why that matters, and the nearest name; nothing for nonsense."""
    if not text:
        return
    try:
        condition = language.parse(text, allows_page=True)
    except InvalidQuery:
        return
    for name in language.page_names_of(condition):
        if not vocabulary.has_attribute(name):
            near = vocabulary.nearest_attribute(name)
            yield (
                _("the attribute %(PAGE)s%(name)s") % {"PAGE": PAGE, "name": name},
                _("No item has it."),
                _("Write %(PAGE)s%(near)s.") % {"PAGE": PAGE, "near": near} if near else _("Take it out."),
            )
    for comparison in comparisons_of(condition):
        name = comparison.name
        if name == REPEATABLE:
            continue
        if not vocabulary.has_attribute(name):
            near = vocabulary.nearest_attribute(name)
            hint = (
                _("Write %(near)s.") % {"near": near}
                if near
                else _("Attributes of your own are written %(ATTRIBUTES)sname.") % {"ATTRIBUTES": ATTRIBUTES}
            )
            yield _("the attribute %(name)s") % {"name": name}, _("No item has it."), hint
            continue
        if comparison.operator in _UNNAMED and (comparison.operator != "has" or name != "tags"):
            continue
        for value in comparison.values:
            if isinstance(value, PageValue):
                continue
            if vocabulary.unknown_value(name, as_text(value)):
                near = vocabulary.nearest_value(name, as_text(value))
                remedy = _instead(near, _("value"))
                if near is None and name in CODES:
                    remedy = _("Write one of %(CODES)s.") % {"CODES": ", ".join(CODES[name])}
                yield (
                    _("the %(word)s %(value)s") % {"word": _word(name), "value": as_text(value)},
                    _("No item has that %(word)s.") % {"word": _word(name)},
                    remedy,
                )


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
    return _(_WORDS[name]) if name in _WORDS else name.removeprefix(ATTRIBUTES)


def _instead(near: str | None, word: str) -> str:
    return (
        _("Did you mean %(near)s?") % {"near": near}
        if near
        else _("Correct the %(word)s, or take it out.") % {"word": word}
    )
