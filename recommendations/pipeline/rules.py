"""Rules of merchandisers: which apply to a list, and what they do to its candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
import numpy as np

from recommendations.core.types import Mask, Ranked, RequestUser, RowArray
from recommendations.filters import language
from recommendations.filters.language import AllOf, AnyOf, Comparison, Condition
from recommendations.items.index import ItemIndex

Action = Literal["pin", "boost", "bury", "exclude", "include_only"]
MAX_PINNED: Final = 20


class RuleSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule as it was published; times in epoch milliseconds. The fields are those of ``models.Rule``."""

    rule_id: int
    name: str
    action: Action
    strength: float = 2.0
    position: int = 1
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
        Which items it speaks of.
    key : str
        Under which masks of ``target`` are cached; another text has another key.
    """

    spec: RuleSpec
    target: Condition
    context: Condition | None
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRule:
    """A rule that applies to this list, with the rows that it speaks of."""

    spec: RuleSpec
    mask: Mask


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
    """Return which items a rule speaks of: any of the named ones, within all of the limits; all if it names none."""
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


def applies(spec: RuleSpec, *, shopper: RequestUser, now_ms: int) -> bool:
    """Return whether a rule's schedule and shoppers fit; placement and context are looked at elsewhere."""
    if spec.starts_at_ms is not None and now_ms < spec.starts_at_ms:
        return False
    if spec.ends_at_ms is not None and now_ms >= spec.ends_at_ms:
        return False
    if spec.shoppers == "new" and shopper.is_returning:
        return False
    if spec.shoppers == "returning" and not shopper.is_returning:
        return False
    return not spec.segments or not shopper.segments.isdisjoint(spec.segments)


def active_rules(
    compiled: Iterable[CompiledRule], shopper: RequestUser, item_index: ItemIndex, *, context: int | None, now_ms: int
) -> list[ActiveRule]:
    """Return the rules that apply to this list, in the order given, with the rows that they speak of."""
    active = []
    for rule in compiled:
        if not applies(rule.spec, shopper=shopper, now_ms=now_ms):
            continue
        if rule.context is not None and (
            context is None or not item_index.mask(f"context:{rule.spec.context_condition}", rule.context)[context]
        ):
            continue
        active.append(ActiveRule(spec=rule.spec, mask=item_index.mask(rule.key, rule.target)))
    return active


def allowed(active: Iterable[ActiveRule], rows: RowArray) -> Mask:
    """Return which of ``rows`` the rules leave: those of some include-only rule, less all excluded ones.

    An item that is both included and excluded is excluded, whatever the priorities: "never show" is a promise.
    """
    kept = np.ones(len(rows), np.bool_)
    included: Mask | None = None
    for rule in active:
        if rule.spec.action == "exclude":
            kept &= ~rule.mask.take(rows)
        elif rule.spec.action == "include_only":
            hits = rule.mask.take(rows)
            included = hits if included is None else included | hits
    return kept if included is None else kept & included


def with_boosts(ranked: Ranked, active: Iterable[ActiveRule]) -> tuple[Ranked, list[int]]:
    """Return the candidates with their scores multiplied or divided, and the ids of rules that touched one."""
    scores = ranked.scores
    used: list[int] = []
    for rule in active:
        if rule.spec.action not in ("boost", "bury"):
            continue
        meant = rule.mask.take(ranked.rows).nonzero()[0]
        if not len(meant):
            continue
        factor = rule.spec.strength if rule.spec.action == "boost" else 1.0 / rule.spec.strength
        if not used:
            scores = scores.copy()
        scores[meant] *= np.float32(factor)
        used.append(rule.spec.rule_id)
    return Ranked(rows=ranked.rows, scores=scores) if used else ranked, used


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """An item and its 0-based place on the page."""

    row: int
    position: int
    rule_id: int


def pins_of(
    active: Iterable[ActiveRule], item_index: ItemIndex, may_show: Callable[[RowArray], RowArray], *, size: int
) -> list[Pin]:
    """Return what is pinned where, by place; a place and an item are given once, to the highest priority.

    Parameters
    ----------
    active : iterable of ActiveRule
        Highest priority first.
    may_show : callable
        Keeps the rows that may be shown: what is sold out, excluded or on the page already is not pinned either.
    size : int
        Places of the list.
    """
    taken: set[int] = set()
    pinned: set[int] = set()
    pins: list[Pin] = []
    for rule in active:
        if rule.spec.action != "pin":
            continue
        position = rule.spec.position - 1
        for row in may_show(item_index.rows(rule.spec.items)).tolist()[:MAX_PINNED]:
            if row in pinned:
                continue
            while position in taken:
                position += 1
            if position >= size:
                break
            taken.add(position)
            pinned.add(row)
            pins.append(Pin(row=row, position=position, rule_id=rule.spec.rule_id))
    return sorted(pins, key=lambda pin: pin.position)


def with_pins(rows: Sequence[int], pins: Sequence[Pin], *, size: int) -> list[int]:
    """Return the list with the pinned items in their places; the others keep their order around them."""
    pinned = {pin.row for pin in pins}
    listed = [row for row in rows if row not in pinned]
    for pin in pins:  # by place, so that each insertion leaves the earlier ones where they are
        listed.insert(min(pin.position, len(listed)), pin.row)
    return listed[:size]
