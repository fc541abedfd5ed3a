"""A rule as it is published, compiled and applied, and what every action promises."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from recommendations.core.actions import PinOrder, RuleAction
from recommendations.core.types import Mask, RequestUser
from recommendations.filters import language
from recommendations.filters.language import AllOf, AnyOf, Comparison, Condition
from recommendations.items.index import ItemIndex


class RuleSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule as it was published; times in epoch milliseconds. The fields are those of ``models.Rule``."""

    rule_id: int
    name: str
    action: RuleAction
    strength: float = 2.0
    position: int = 1
    pin_count: int = 3
    pin_order: PinOrder = PinOrder.NEWEST
    items: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    price_from: float | None = None
    price_to: float | None = None
    stock_from: int | None = None
    stock_to: int | None = None
    condition: str = ""
    placements: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    shoppers: Literal["all", "new", "returning"] = "all"
    context_condition: str = ""
    starts_at_ms: int | None = None
    ends_at_ms: int | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRule:
    """A published rule with its conditions parsed.

    Attributes
    ----------
    target : Condition
        Which items match.
    key : str
        Under which masks of ``target`` are cached; another text has another key.
    """

    spec: RuleSpec
    target: Condition
    context: Condition | None
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRule:
    """A rule that applies to this list, with the rows that it targets; ``key`` is that of its ``CompiledRule``."""

    spec: RuleSpec
    mask: Mask
    key: str = ""


def compile_rule(spec: RuleSpec) -> CompiledRule:
    """Return the rule with its conditions parsed.

    Raises
    ------
    InvalidQuery
        A condition is not in the language; forms refuse such rules, so it was written by other means.
    """
    context = language.parse(spec.context_condition, field="context_condition") if spec.context_condition else None
    target = target_of(spec)
    return CompiledRule(spec=spec, target=target, context=context, key=f"rule:{target!r}")


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
        parts.append(language.parse(spec.condition, field="condition"))
    return AllOf(tuple(parts))


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
    verb : str
        How the sentence about a rule begins, such as "Moves up".
    is_filter : bool
        Whether ``kept`` decides which rows may be listed.
    is_pin : bool
        Whether the rule's items are given positions of their own.
    """

    name: RuleAction
    verb: str
    is_filter: bool = False
    is_pin: bool = False

    def kept(self, targeted: Mask) -> Mask:
        """Return which rows may be listed, given which of them some rule of this action targets; for filters."""
        raise NotImplementedError

    def factor(self, spec: RuleSpec) -> float | None:
        """Return what scores of targeted rows are multiplied by; None for actions that leave scores alone."""
        return None

    def sentence_begin(self, spec: RuleSpec) -> str:
        """Return what stands before the targets in the sentence about a rule."""
        return self.verb

    def sentence_end(self, spec: RuleSpec) -> str:
        """Return what follows the targets in the sentence about a rule, such as ", 2 times"."""
        return ""

    def effect_words(self, *, factor: float | None, position: int | None) -> str:
        """Return what a rule did to one item, in words."""
        raise NotImplementedError


def applies(spec: RuleSpec, *, user: RequestUser, now_ms: int) -> bool:
    """Return whether a rule's schedule and users fit; placement and context are looked at elsewhere."""
    if spec.starts_at_ms is not None and now_ms < spec.starts_at_ms:
        return False
    if spec.ends_at_ms is not None and now_ms >= spec.ends_at_ms:
        return False
    if spec.shoppers == "new" and user.is_returning:
        return False
    if spec.shoppers == "returning" and not user.is_returning:
        return False
    return not spec.segments or not user.segments.isdisjoint(spec.segments)


def active_rules(
    compiled: Iterable[CompiledRule], user: RequestUser, item_index: ItemIndex, *, page_row: int | None, now_ms: int
) -> list[ActiveRule]:
    """Return the rules that apply to this list, in the order given, with the rows that they target."""
    active = []
    for rule in compiled:
        if not applies(rule.spec, user=user, now_ms=now_ms):
            continue
        if rule.context is not None and (
            page_row is None or not item_index.mask(f"context:{rule.spec.context_condition}", rule.context)[page_row]
        ):
            continue
        active.append(ActiveRule(spec=rule.spec, mask=item_index.mask(rule.key, rule.target), key=rule.key))
    return active
