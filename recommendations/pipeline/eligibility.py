"""Which items may stand in a list: in stock, matching, not excluded, not repeated."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from recommendations.core.row_index import places_in
from recommendations.core.types import Mask, RequestUser, RowArray
from recommendations.items.index import MAX_ORDER, ItemIndex
from recommendations.pipeline import rules
from recommendations.pipeline.query import ListQuery
from recommendations.pipeline.rules import ActiveRule

NOT_RECOMMENDABLE: Final = "not_recommendable"
CONDITION: Final = "condition"
RULE: Final = "rule"
REPEAT: Final = "repeat"
FEW: Final = 4


class Allowed:
    """The filter step: what it lets through, and why not.

    Masks are looked up at the rows of candidates only, so a request costs the same for any size of catalogue.
    """

    def __init__(
        self,
        ask: ListQuery,
        item_index: ItemIndex,
        active: Sequence[ActiveRule],
        *,
        hidden: Collection[int],
    ) -> None:
        self._item_index = item_index
        self._active = [rule for rule in active if rule.spec.action in ("exclude", "include_only")]
        self.conditions = [
            item_index.mask(keyed.key, keyed.condition)
            for keyed in (ask.placement.condition, ask.condition)
            if keyed is not None
        ]
        self._condition_keys = [keyed.key for keyed in (ask.placement.condition, ask.condition) if keyed is not None]
        self._hidden = frozenset(hidden)
        self._hidden_rows = np.fromiter(self._hidden, np.int32, len(self._hidden))

    def of(self, rows: RowArray) -> Mask:
        """Return which of ``rows`` may be shown."""
        kept: Mask = self._item_index.catalogue.is_recommendable.take(rows)
        for mask in self.conditions:
            kept &= mask.take(rows)
        if self._active:
            kept &= rules.allowed(self._active, rows)
        if self._hidden:
            kept &= ~places_in(self._hidden_rows, rows)[1]
        return kept

    def keep(self, rows: RowArray) -> RowArray:
        """Return the rows that may be shown, in the same order."""
        if len(rows) <= FEW:  # as pins have them
            return rows[[self.why_not(row) is None for row in rows.tolist()]]
        return rows[self.of(rows)]

    def popular(self, n: int) -> RowArray:
        """Return the ``n`` most popular rows that may be shown."""
        for looked_at in (8 * n, MAX_ORDER):  # nearly always the first few are enough
            found = self.keep(self._item_index.popular[:looked_at])
            if len(found) >= n:
                return found[:n]
        if len(self._item_index.popular) < MAX_ORDER:
            return found
        mask = self._item_index.catalogue.is_recommendable
        for each in self.conditions:
            mask = mask & each
        masks = [rule.mask for rule in self._active if rule.spec.action == "include_only"]
        if masks:
            mask = mask & np.logical_or.reduce(masks)
        key = "|".join([*self._condition_keys, *(str(rule.spec) for rule in self._active)])
        return self.keep(self._item_index.popular_within(key, mask))[:n]

    def why_not(self, row: int) -> tuple[str, int | None] | None:
        """Return the reason why a row may not be shown, and the rule where one is to blame; None if it may."""
        if not self._item_index.catalogue.is_recommendable[row]:
            return NOT_RECOMMENDABLE, None
        if not all(mask[row] for mask in self.conditions):
            return CONDITION, None
        for rule in self._active:
            if bool(rule.mask[row]) == (rule.spec.action == "exclude"):
                one = np.asarray([row], np.int32)
                if not rules.allowed(self._active, one)[0]:
                    return RULE, rule.spec.rule_id
        return (REPEAT, None) if row in self._hidden else None


def hidden_rows(
    ask: ListQuery, shopper: RequestUser, item_index: ItemIndex, *, about: Sequence[int], hides_about: bool
) -> set[int]:
    """Return the rows that this list must not repeat."""
    hidden = set(item_index.sequence(ask.exclude))
    if hides_about:
        hidden.update(about)
        hidden.update(item_index.sequence(ask.context_items))
    if ask.placement.strategy == "cart":
        hidden.update(item_index.sequence(ask.cart or shopper.cart))
    if ask.placement.repeats == "hide_seen":
        hidden.update(item_index.sequence(shopper.session))
        hidden.update(item_index.sequence(ask.context_items))
    elif ask.placement.repeats == "hide_purchased":
        hidden.update(item_index.sequence(shopper.purchases))
    return hidden
