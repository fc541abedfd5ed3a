"""Limit: at most so many of the targeted items in a list, of one brand or category, or altogether."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from recommendations.core.actions import LimitPer, RuleAction
from recommendations.core.types import Ranked, RowArray
from recommendations.core.words import gettext as _
from recommendations.items.index import ItemIndex
from recommendations.pipeline.rules.base import Action, ActiveRule, RulePart, RuleSpec


class Limit(Action):
    """What was pinned stays and counts: a pin is what somebody asked for by name."""

    name = RuleAction.LIMIT
    is_of_list = True

    def problems(self, part: RulePart) -> Iterator[tuple[str, str]]:
        """Yield a limit that is none, or keeps everything out."""
        if part.at_most < 1:
            yield "at_most", _("Give at least 1; to keep items out altogether choose “Never show”.")

    def sentence(self, spec: RuleSpec, targets: str) -> str:
        """Return what the rule does to what it targets."""
        values = {"count": spec.at_most, "items": targets}
        if targets == _("every item"):  # "at most 2 items of each brand"
            if spec.per == LimitPer.ALL:
                return _("Shows at most %(count)s items in a list") % values
            if spec.per == LimitPer.BRAND:
                return _("Shows at most %(count)s items of each brand in a list") % values
            return _("Shows at most %(count)s items of each category in a list") % values
        if spec.per == LimitPer.ALL:
            return _("Shows at most %(count)s of %(items)s in a list") % values
        if spec.per == LimitPer.BRAND:
            return _("Shows at most %(count)s of %(items)s of each brand in a list") % values
        return _("Shows at most %(count)s of %(items)s of each category in a list") % values

    def effect_words(self, *, factor: float | None, position: int | None) -> str:
        """Return that the item is one of the few."""
        return _("one of the few that a limit lets in")


class Limits:
    """What the limits of one list have let in so far."""

    def __init__(self, rules: Sequence[ActiveRule], item_index: ItemIndex) -> None:
        self._rules = rules
        self._columns = {LimitPer.BRAND: item_index.similarity.brand, LimitPer.CATEGORY: item_index.similarity.category}
        self._counts: Counter[tuple[int, int]] = Counter()

    def __bool__(self) -> bool:
        return bool(self._rules)

    def admit(self, row: int) -> bool:
        """Return whether a row may still be listed, and count it if so."""
        groups = self._groups_of(row)
        if any(self._counts[group] >= self._rules[group[0]].spec.at_most for group in groups):
            return False
        self._counts.update(groups)
        return True

    def count(self, rows: Iterable[int]) -> None:
        """Count rows that stay whatever the limits are."""
        for row in rows:
            self._counts.update(self._groups_of(row))

    def _groups_of(self, row: int) -> list[tuple[int, int]]:
        """Return as what a row counts: the number of each rule that targets it, and its brand, category or -1.

        What has no brand is no group of that.
        """
        columns = [(number, self._columns.get(rule.spec.per)) for number, rule in enumerate(self._rules)
                   if rule.targets(row)]  # fmt: skip
        groups = [(number, -1 if column is None else int(column[row])) for number, column in columns]
        return [group for group in groups if group[1] != 0]


def within_limits(ranked: Ranked, rules: Sequence[ActiveRule], item_index: ItemIndex, *, pinned: RowArray) -> Ranked:
    """Return the candidates, best first, without those that a limit leaves no room for.

    Parameters
    ----------
    pinned : int32
        Rows that are listed whatever the limits are, and count.
    """
    if not rules or not len(ranked):
        return ranked
    ranked = ranked.best_first()
    limits = Limits(rules, item_index)
    limits.count(pinned.tolist())
    targeted = np.logical_or.reduce([rule.mask.take(ranked.rows) for rule in rules]) & ~np.isin(ranked.rows, pinned)
    kept = ~targeted
    for position in np.flatnonzero(targeted).tolist():
        kept[position] = limits.admit(int(ranked.rows[position]))
    return ranked.keep(kept)
