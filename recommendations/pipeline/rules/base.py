"""A rule as it is published, compiled and applied, and what every action promises."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec

from recommendations.core.actions import LimitPer, PagePrice, PinOrder, RuleAction
from recommendations.core.types import Mask, RequestUser
from recommendations.core.visit import (
    NO_VISIT,
    Visit,
    matches_campaign,
    matches_locale,
    matches_page,
    matches_query,
)
from recommendations.filters import language
from recommendations.filters.language import AllOf, AnyOf, Comparison, Condition, PageValue
from recommendations.filters.relative import is_relative
from recommendations.filters.targets import Targets

MAX_ALSO: Final = 20
"""Further actions that a rule may have."""


class RulePart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one action of a rule does to which items."""

    action: RuleAction
    strength: float = 2.0
    position: int = 1
    pin_count: int = 3
    pin_order: PinOrder = PinOrder.NEWEST
    at_most: int = 2
    per: LimitPer = LimitPer.BRAND
    replacements: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    price_from: float | None = None
    price_to: float | None = None
    stock_from: int | None = None
    stock_to: int | None = None
    condition: str = ""
    same: tuple[str, ...] = ()
    page_price: PagePrice = PagePrice.ANY
    page_price_percent: float = 20.0


class RuleSpec(RulePart, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule as it was published; times in epoch milliseconds. The fields are those of ``models.Rule``.

    Attributes
    ----------
    same : tuple of str
        Attributes in which items are like the item of the page.
    also : tuple of RulePart
        Further actions, for the same users, pages and times.
    """

    rule_id: int
    name: str
    also: Annotated[tuple[RulePart, ...], msgspec.Meta(max_length=MAX_ALSO)] = ()
    placements: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    shoppers: Literal["all", "new", "returning"] = "all"
    context_condition: str = ""
    devices: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    campaigns: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    starts_at_ms: int | None = None
    ends_at_ms: int | None = None
    priority: int = 0

    @property
    def visit_fields(self) -> tuple[str, ...]:
        """The fields of ``Visit`` on which it depends whether the rule applies."""
        named = {"device": self.devices, "locale": self.locales, "country": self.countries,
                 "campaign": self.campaigns, "query": self.queries, "page": self.pages}  # fmt: skip
        found = tuple(name for name, wanted in named.items() if wanted)
        return (*found, "path") if any(page.startswith("/") for page in self.pages) else found


AUDIENCE_FIELDS: Final = (
    "starts_at_ms", "ends_at_ms", "shoppers", "segments", "devices", "locales", "countries", "campaigns", "queries",
    "pages", "context_condition",
)  # fmt: skip
"""The fields that say for whom, where and when a rule holds, its placements aside; see ``applies``."""

PART_FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(RulePart))


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRule:
    """A published rule with its conditions parsed.

    Attributes
    ----------
    spec : RuleSpec
        With the first action of the rule; of each ``also``, with that action in its place.
    target : Condition
        Which items match.
    key : str
        Under which what ``target`` matches is cached; another condition has another key.
    is_relative : bool
        Whether ``target`` compares with the item of the page.
    also : tuple of CompiledRule
        The further actions.
    """

    spec: RuleSpec
    target: Condition
    context: Condition | None
    key: str
    is_relative: bool = False
    also: tuple[CompiledRule, ...] = ()

    @property
    def parts(self) -> tuple[CompiledRule, ...]:
        """Every action of the rule, the first one first."""
        return (self, *self.also)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRule:
    """One action of a rule that applies to this list, with what it targets; ``key`` is that of its ``CompiledRule``."""

    spec: RuleSpec
    mask: Mask | Targets
    key: str = ""

    def targets(self, row: int) -> bool:
        """Return whether it targets a row."""
        return bool(self.mask.take([row])[0])


def parts_of(spec: RuleSpec) -> Iterator[RuleSpec]:
    """Yield the rule once for each of its actions, each with that action alone."""
    yield msgspec.structs.replace(spec, also=())
    for part in spec.also:
        yield msgspec.structs.replace(spec, also=(), **{name: getattr(part, name) for name in PART_FIELDS})


def compile_rule(spec: RuleSpec) -> CompiledRule:
    """Return the rule with its conditions parsed, its further actions beside it.

    Raises
    ------
    InvalidQuery
        A condition is not in the language; forms refuse such rules, so it was written by other means.
    """
    context = language.parse(spec.context_condition, field="context_condition") if spec.context_condition else None
    first, *others = (_compiled(part, context) for part in parts_of(spec))
    return CompiledRule(
        spec=spec, target=first.target, context=context, key=first.key, is_relative=first.is_relative,
        also=tuple(others),
    )  # fmt: skip


def _compiled(spec: RuleSpec, context: Condition | None) -> CompiledRule:
    target = target_of(spec)
    return CompiledRule(
        spec=spec, target=target, context=context, key=key_of(target), is_relative=is_relative(target)
    )  # fmt: skip


def key_of(target: Condition, *, begin: str = "rule:") -> str:
    """Return the key of a condition in caches: conditions that match alike by their form share one."""
    return begin + hashlib.blake2b(target.normal_form.encode(), digest_size=16).hexdigest()


def target_of(spec: RuleSpec) -> Condition:
    """Return which items a rule targets: any of the named ones, within all of the limits; all if it names none."""
    named: list[Condition] = []
    if spec.items:
        named.append(Comparison("item_id", "in", spec.items))
    if spec.categories:
        named.append(AnyOf(tuple(Comparison("category", "under", (name,)) for name in spec.categories)))
    if spec.brands:
        named.append(Comparison("brand", "in", spec.brands))
    if spec.tags:
        named.append(Comparison("tags", "in", spec.tags))
    parts: list[Condition] = [AnyOf(tuple(named))] if named else []
    if spec.price_from is not None:
        parts.append(Comparison("price", ">=", (spec.price_from,)))
    if spec.price_to is not None:
        parts.append(Comparison("price", "<=", (spec.price_to,)))
    if spec.stock_from is not None:
        parts.append(Comparison("stock", ">=", (float(spec.stock_from),)))
    if spec.stock_to is not None:
        parts.append(Comparison("stock", "<=", (float(spec.stock_to),)))
    if spec.condition:
        parts.append(language.parse(spec.condition, field="condition", allows_page=True))
    return AllOf((*parts, *_relative_to_page(spec)))


def _relative_to_page(spec: RuleSpec) -> Iterator[Condition]:
    for name in spec.same:
        yield Comparison(name, "=", (PageValue(name),))
    share = spec.page_price_percent / 100.0
    if spec.page_price == PagePrice.WITHIN:
        yield Comparison("price", ">=", (PageValue("price", 1.0 - share),))
        yield Comparison("price", "<=", (PageValue("price", 1.0 + share),))
    elif spec.page_price == PagePrice.CHEAPER:
        yield Comparison("price", "<", (PageValue("price"),))
    elif spec.page_price == PagePrice.DEARER:
        yield Comparison("price", ">", (PageValue("price"),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """An item and its 0-based position on the page."""

    row: int
    position: int
    rule_id: int


class Action:
    """What the rules of one action do; each action overrides what it changes in a list.

    Attributes
    ----------
    name : RuleAction
    is_filter : bool
        Whether ``kept`` decides which rows may be listed.
    is_of_list : bool
        Whether it looks at a list as a whole: what stands in it already.
    moves : bool
        Whether ``factor`` says by how much scores of targeted rows are multiplied.
    """

    name: RuleAction
    is_filter: bool = False
    is_of_list: bool = False
    moves: bool = False

    def problems(self, part: RulePart) -> Iterator[tuple[str, str]]:
        """Yield the fields that make no sense for this action, each with what to do."""
        yield from ()

    def kept(self, targeted: Mask) -> Mask:
        """Return which rows may be listed, given which of them some rule of this action targets; for filters."""
        raise NotImplementedError

    def factor(self, spec: RuleSpec) -> float | None:
        """Return what scores of targeted rows are multiplied by; None for actions that leave scores alone."""
        return None

    def sentence(self, spec: RuleSpec, targets: str) -> str:
        """Return what the rule does to what it targets, as the beginning of a sentence in the reader's language."""
        raise NotImplementedError

    def effect_words(self, *, factor: float | None, position: int | None) -> str:
        """Return what a rule did to one item, in words."""
        raise NotImplementedError


def applies(spec: RuleSpec, *, user: RequestUser, now_ms: int, visit: Visit = NO_VISIT) -> bool:
    """Return whether a rule's schedule, users and visits fit; placement and page item are looked at elsewhere."""
    if spec.starts_at_ms is not None and now_ms < spec.starts_at_ms:
        return False
    if spec.ends_at_ms is not None and now_ms >= spec.ends_at_ms:
        return False
    if spec.shoppers == "new" and user.is_returning:
        return False
    if spec.shoppers == "returning" and not user.is_returning:
        return False
    if spec.segments and user.segments.isdisjoint(spec.segments):
        return False
    return _fits(spec, visit)


def _fits(spec: RuleSpec, visit: Visit) -> bool:
    """Return whether a visit is one of those that a rule is for; what is not known of it fits no rule that asks."""
    return (
        (not spec.devices or visit.device in spec.devices)
        and (not spec.countries or visit.country in spec.countries)
        and (not spec.locales or matches_locale(spec.locales, visit.locale))
        and (not spec.campaigns or matches_campaign(spec.campaigns, visit.campaign))
        and (not spec.queries or matches_query(spec.queries, visit.query))
        and (not spec.pages or matches_page(spec.pages, visit.page, visit.path))
    )


def has_target(part: Any) -> bool:
    """Return whether a rule, one of its parts or a row of ``models.Rule`` names any items at all."""
    limits = (part.price_from, part.price_to, part.stock_from, part.stock_to)
    return bool(
        part.items
        or part.categories
        or part.brands
        or part.tags
        or part.condition
        or part.same
        or part.page_price
        or any(limit is not None for limit in limits)
    )
