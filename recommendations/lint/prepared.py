"""A rule as the linter looks at it: its rows, its scope, and when it holds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from recommendations.core.actions import RuleAction
from recommendations.core.types import Mask, RowArray
from recommendations.core.visit import matches_locale
from recommendations.filters.language import names_of
from recommendations.filters.masks import mask_of
from recommendations.filters.relative import on_any_page
from recommendations.items.index import ItemIndex
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.base import ActiveRule, CompiledRule, RuleSpec
from recommendations.pipeline.rules.pin import candidates_of
from recommendations.pipeline.rules.registry import ACTIONS

VOLATILE: Final = frozenset({"stock", "availability", "in_stock", "on_sale", "age_days"})
"""What changes by itself from day to day: a guard that matches nothing now may match tomorrow."""

_NEVER_MS: Final = 2**62

MAX_MASKS_BYTES: Final = 256 * 1024 * 1024
"""For the masks of rules that are looked at; others are made again when they are."""

VISIT_LISTS: Final = ("devices", "locales", "countries", "campaigns", "queries", "pages")
"""The fields of ``RuleSpec`` that say for which visits it is."""


class Masks:
    """What rules target, made when asked for and kept as long as there is room."""

    def __init__(self, item_index: ItemIndex) -> None:
        self._item_index = item_index
        self._most = max(8, MAX_MASKS_BYTES // max(item_index.n_rows, 1))
        self._known: OrderedDict[str, Mask] = OrderedDict()

    def of(self, rule: PreparedRule) -> Mask:
        """Return which rows a rule targets."""
        key = rule.compiled.key
        found = self._known.get(key)
        if found is None:
            target = rule.compiled.target
            found = self._known[key] = mask_of(on_any_page(target) if rule.is_relative else target, self._item_index)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return found


def visit_of(spec: RuleSpec) -> tuple[tuple[str, ...], ...]:
    """Return for which visits a rule is; of empty lists, for all."""
    return tuple(getattr(spec, name) for name in VISIT_LISTS)


def visits_meet(mine: RuleSpec, theirs: RuleSpec) -> bool:
    """Return whether some visit is one that both rules are for, as far as their lists can tell."""
    return (
        _meet(mine.devices, theirs.devices)
        and _meet(mine.countries, theirs.countries)
        and (
            not mine.locales
            or not theirs.locales
            or any(matches_locale(theirs.locales, each) for each in mine.locales)
            or any(matches_locale(mine.locales, each) for each in theirs.locales)
        )
        and (_meet(mine.campaigns, theirs.campaigns) or "*" in "".join((*mine.campaigns, *theirs.campaigns)))
        # One search may have the words of both, and one page be of a kind and below a path.
        and (_meet(mine.pages, theirs.pages) or "/" in "".join((*mine.pages, *theirs.pages)))
    )


def visit_covers(mine: RuleSpec, theirs: RuleSpec) -> bool:
    """Return whether every visit that the second rule is for is one that the first is for, too."""
    return all(
        not wanted or (bool(narrower) and set(narrower) <= set(wanted))
        for wanted, narrower in zip(visit_of(mine), visit_of(theirs), strict=True)
    )


def _meet(mine: Collection[str], theirs: Collection[str]) -> bool:
    return not mine or not theirs or not set(mine).isdisjoint(theirs)


@dataclass(frozen=True, kw_only=True)
class PreparedRule:
    """One action of a rule with what it targets now.

    Attributes
    ----------
    placements : frozenset of str
        The active placements that it is for.
    """

    compiled: CompiledRule
    placements: frozenset[str]
    item_index: ItemIndex = field(repr=False)
    masks: Masks = field(repr=False)

    @property
    def targeted(self) -> Mask:
        """Which rows it targets, of a rule that is relative to the page's item on some page; not kept for long."""
        return self.masks.of(self)

    @property
    def is_relative(self) -> bool:
        """Whether what it targets depends on the item of the page."""
        return self.compiled.is_relative

    @property
    def spec(self) -> RuleSpec:
        """The rule itself."""
        return self.compiled.spec

    @property
    def shown(self) -> Mask:
        """Which of the targeted rows can be shown now."""
        mask: Mask = self.targeted & self.item_index.catalogue.is_recommendable
        return mask

    @cached_property
    def n_targeted(self) -> int:
        """How many items it targets."""
        return int(np.count_nonzero(self.targeted))

    @cached_property
    def n_shown(self) -> int:
        """How many of them can be shown now."""
        return int(np.count_nonzero(self.shown))

    @cached_property
    def pinned_rows(self) -> RowArray:
        """The items of a pin in the order of their ranks; those that cannot be shown are skipped, as in a list."""
        target = self.item_index.targets(self.compiled.key, self.compiled.target)
        active = ActiveRule(spec=self.spec, mask=target, key=self.compiled.key)
        rows = candidates_of(active, self.item_index)
        if not self.spec.items:
            return rows[: self.spec.pin_count]
        return rows[self.item_index.catalogue.is_recommendable[rows]] if len(rows) else rows

    @cached_property
    def replacement_rows_shown(self) -> RowArray:
        """Of what is shown instead of its items, what can be shown."""
        rows = self.item_index.rows(self.spec.replacements)
        return rows[self.item_index.catalogue.is_recommendable[rows]] if len(rows) else rows

    @cached_property
    def names(self) -> frozenset[str]:
        """The attributes that decide what it targets."""
        return frozenset(names_of(self.compiled.target))

    @property
    def is_guard(self) -> bool:
        """Whether what it targets changes from day to day, and matching nothing is its usual state."""
        return bool(self.names & VOLATILE)

    @property
    def is_filter(self) -> bool:
        """Whether it decides which items may be listed."""
        return ACTIONS[self.spec.action].is_filter

    @property
    def is_pin(self) -> bool:
        """Whether it gives items ranks."""
        return self.spec.action == RuleAction.PIN

    @cached_property
    def factor(self) -> float:
        """What it multiplies scores by; 1 for what leaves them alone."""
        return ACTIONS[self.spec.action].factor(self.spec) or 1.0

    @property
    def quoted(self) -> str:
        """Its name in quotation marks."""
        return f"“{self.spec.name}”"

    def ended(self, now_ms: int) -> bool:
        """Return whether its time is over."""
        return self.spec.ends_at_ms is not None and self.spec.ends_at_ms <= now_ms

    @property
    def starts_at_ms(self) -> int:
        """When it begins, for one that always has, long ago."""
        return _start(self.spec)

    @property
    def ends_at_ms(self) -> int:
        """When it ends, for one that never does, in a far future."""
        return _end(self.spec)

    def holds_at(self, moment_ms: int) -> bool:
        """Return whether its time has come and is not over."""
        return _start(self.spec) <= moment_ms < _end(self.spec)

    # --- scopes ------------------------------------------------------------------------------------------

    def meets(self, other: PreparedRule) -> bool:
        """Return whether some list may be touched by both."""
        mine, theirs = self.spec, other.spec
        return (
            not self.placements.isdisjoint(other.placements)
            and (not mine.segments or not theirs.segments or not set(mine.segments).isdisjoint(theirs.segments))
            and ("all" in (mine.shoppers, theirs.shoppers) or mine.shoppers == theirs.shoppers)
            and _start(mine) < _end(theirs)
            and _start(theirs) < _end(mine)
            and visits_meet(mine, theirs)
            and self._contexts_meet(other)
        )

    def covers(self, other: PreparedRule) -> bool:
        """Return whether every list that ``other`` may touch is one that this rule touches, too."""
        return self.is_as_wide_as(other) and (
            _start(self.spec) <= _start(other.spec) and _end(other.spec) <= _end(self.spec)
        )

    def is_as_wide_as(self, other: PreparedRule) -> bool:
        """Return whether it is for all placements, users and pages that ``other`` is for, whenever that is."""
        mine, theirs = self.spec, other.spec
        return (
            other.placements <= self.placements
            and (not mine.segments or (bool(theirs.segments) and set(theirs.segments) <= set(mine.segments)))
            and mine.shoppers in ("all", theirs.shoppers)
            and (not mine.context_condition or mine.context_condition == theirs.context_condition)
            and visit_covers(mine, theirs)
        )

    def _contexts_meet(self, other: PreparedRule) -> bool:
        mine, theirs = self.context_mask, other.context_mask
        return mine is None or theirs is None or bool((mine & theirs).any())

    @property
    def context_mask(self) -> Mask | None:
        """On the pages of which items it holds; None for any page."""
        context = self.compiled.context
        if context is None:
            return None
        return self.item_index.targets(f"context:{self.spec.context_condition}", context).whole()


def prepare(
    compiled: Iterable[CompiledRule], placements: Mapping[str, PlacementSpec], item_index: ItemIndex
) -> list[PreparedRule]:
    """Return the rules with what they target now, highest priority first."""
    every = frozenset(placements)
    masks = Masks(item_index)
    rules = [
        PreparedRule(
            compiled=part,
            placements=every & frozenset(part.spec.placements) if part.spec.placements else every,
            item_index=item_index,
            masks=masks,
        )
        for rule in compiled
        for part in rule.parts
    ]
    return sorted(rules, key=lambda rule: (-rule.spec.priority, rule.spec.rule_id))


def eligible_in(placement: PlacementSpec, item_index: ItemIndex) -> Mask:
    """Return which rows a placement may list before any rule."""
    mask = item_index.catalogue.is_recommendable
    if placement.condition is not None:
        mask = mask & item_index.mask(f"filter:{placement.filter}", placement.condition)
    return mask


def titles(rows: Collection[int], item_index: ItemIndex) -> list[str]:
    """Return how rows are called, by title and id."""
    named = []
    for row in rows:
        card = item_index.catalogue.cards[row]
        item_id = item_index.item_id(row)
        named.append(f"{card.title} ({item_id})" if card is not None and card.title != item_id else item_id)
    return named


def _start(spec: RuleSpec) -> int:
    return -_NEVER_MS if spec.starts_at_ms is None else spec.starts_at_ms


def _end(spec: RuleSpec) -> int:
    return _NEVER_MS if spec.ends_at_ms is None else spec.ends_at_ms
