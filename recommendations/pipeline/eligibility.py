"""Which items may stand in a list: in stock, matching, not excluded, not repeated; and which variant instead."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np

from recommendations.core.deadline import Deadline
from recommendations.core.row_index import is_first, positions_in
from recommendations.core.types import NO_ROWS, Mask, RowArray
from recommendations.core.words import Worded, gettext_noop
from recommendations.items.index import MAX_ORDER, ItemIndex
from recommendations.pipeline.query import ListQuery
from recommendations.pipeline.rules import registry
from recommendations.pipeline.rules.applying import ActiveRules

MAX_LOST: Final = 200
"""Candidates in whose place another variant is looked for; what stands below them is hardly ever listed."""


class Filtered(Worded):
    """Why a candidate may not be shown."""

    NOT_RECOMMENDABLE = "not_recommendable", gettext_noop("sold out or inactive")
    CONDITION = "condition", gettext_noop("does not match the condition of the placement or the request")
    RULE = "rule", gettext_noop("kept out by a rule")
    REPEAT = "repeat", gettext_noop("seen, bought, in the cart or on the page already, in this or another variant")


class Eligibility:
    """The filter step: what it lets through, and why not.

    Masks are looked up at the rows of candidates only, so a request costs the same for any size of catalogue.

    Parameters
    ----------
    hidden : collection of int
        Rows that are not shown, nor any variant of their products.
    deadline : Deadline, optional
        When there is no more time to evaluate the request's condition; ``is_late`` then says so, and nothing is let
        through, for what the condition keeps out must not be shown.
    """

    def __init__(
        self,
        query: ListQuery,
        item_index: ItemIndex,
        active: ActiveRules,
        *,
        hidden: Collection[int],
        deadline: Deadline | None = None,
    ) -> None:
        self._item_index = item_index
        self._active = active
        placement = query.placement
        self._masks: list[Mask] = []
        self._conditions: list[str] = []
        self.is_late = False
        if placement.condition is not None:
            self._masks.append(item_index.mask(f"filter:{placement.filter}", placement.condition))
            self._conditions.append(placement.filter)
        if query.condition is not None:
            mask = item_index.request_mask(query.condition, deadline)
            self.is_late = mask is None
            self._masks.append(np.zeros(item_index.n_rows, np.bool_) if mask is None else mask)
            self._conditions.append(query.filter)
        self._products = item_index.products
        self._hidden = frozenset(self._products.of_row.take(list(hidden)).tolist() if hidden else ())
        self._hidden_products = np.fromiter(self._hidden, np.int32, len(self._hidden))

    def of(self, rows: RowArray) -> Mask:
        """Return which of ``rows`` may be shown."""
        kept: Mask = self._item_index.catalogue.is_recommendable.take(rows)
        for mask in self._masks:
            kept &= mask.take(rows)
        allowed = self._active.allowed(rows)
        if allowed is not None:
            kept &= allowed
        if self._hidden:
            kept &= ~positions_in(self._hidden_products, self._products.of_row.take(rows))[1]
        return kept

    def with_variants(self, rows: RowArray) -> tuple[RowArray, Mask]:
        """Return the rows, with a variant that may be shown in place of each that may not, and which may be shown.

        The most popular variant stands in, once a product, and only where no other of the rows stands for it.
        """
        kept = self.of(rows)
        if not self._products.has_variants or kept.all():
            return rows, kept
        products = self._products.of_row.take(rows)
        is_lost = is_first(products) & ~kept
        if kept.any():
            is_lost &= ~positions_in(np.unique(products[kept]), products)[1]
        lost = is_lost.nonzero()[0][:MAX_LOST]
        variants, lengths = self._products.variants_of_all(products[lost])
        owners = lost.repeat(lengths)
        may_show = self.of(variants)
        variants, owners = variants[may_show], owners[may_show]
        rows = rows.copy()
        by_popularity = self._item_index.popularity[variants].argsort(kind="stable")
        rows[owners[by_popularity]] = variants[by_popularity]  # the most popular one is written last
        kept[owners] = True
        return rows, kept

    def keep(self, rows: RowArray) -> RowArray:
        """Return the rows that may be shown, in the same order."""
        return rows[self.of(rows)]

    def popular(self, n: int) -> RowArray:
        """Return the ``n`` most popular rows that may be shown, one of each product."""
        if self.is_late:
            return NO_ROWS
        for looked_at in (8 * n, MAX_ORDER):  # nearly always the first few are enough
            rows, kept = self.with_variants(self._item_index.popular[:looked_at])
            found = rows[kept]
            if len(found) >= n:
                return found[:n]
        if len(self._item_index.popular) < MAX_ORDER:
            return found
        mask = self._item_index.catalogue.is_recommendable
        for each in self._masks:
            mask = mask & each
        allowed = self._active.allowed_of_all()
        if allowed is not None:
            mask = mask & allowed
        filters = (f"{rule.spec.action}{rule.key or rule.spec}" for rule in self._active.filters)
        key = "|".join([*self._conditions, *filters])
        return self.keep(self._item_index.popular_within(key, mask))[:n]

    def why_not(self, row: int) -> tuple[Filtered, int | None] | None:
        """Return the reason why a row may not be shown, and the rule that keeps it out, if one does; else None."""
        if not self._item_index.catalogue.is_recommendable[row]:
            return Filtered.NOT_RECOMMENDABLE, None
        if not all(mask[row] for mask in self._masks):
            return Filtered.CONDITION, None
        allowed = self._active.allowed(np.array([row], np.int32))
        if allowed is not None and not allowed[0]:
            return Filtered.RULE, registry.blamed(self._active.filters, row)
        return (Filtered.REPEAT, None) if int(self._products.of_row[row]) in self._hidden else None
