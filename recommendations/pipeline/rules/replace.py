"""Replace: show other items where the targeted ones would be listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from recommendations.core.actions import RuleAction
from recommendations.core.types import RowArray
from recommendations.core.words import first_of
from recommendations.core.words import gettext as _
from recommendations.items.index import ItemIndex
from recommendations.pipeline.rules.base import Action, ActiveRule, RulePart, RuleSpec


class Replace(Action):
    """The first replacement that can be shown and is not listed yet takes the item's place.

    Where none can be, the item stays: a rule that shows a successor does not leave a gap when it is sold out.
    """

    name = RuleAction.REPLACE
    is_of_list = True

    def problems(self, part: RulePart) -> Iterator[tuple[str, str]]:
        """Yield that there is nothing to show instead."""
        if not part.replacements:
            yield "replacements", _("Name the items to show instead, such as the successor of each.")

    def sentence(self, spec: RuleSpec, targets: str) -> str:
        """Return what the rule does to what it targets."""
        values = {"items": targets, "others": first_of(spec.replacements)}
        return _("Instead of %(items)s shows %(others)s") % values

    def effect_words(self, *, factor: float | None, position: int | None) -> str:
        """Return that the item stands in for another."""
        return _("shown instead of another item")


def replaced(
    rows: Sequence[int],
    rules: Sequence[ActiveRule],
    item_index: ItemIndex,
    may_show: Callable[[RowArray], RowArray],
) -> tuple[list[int], dict[int, tuple[int, int]]]:
    """Return the list with replacements in it, and for each of those the row whose place it took and the rule's id."""
    listed = list(rows)
    product_of = item_index.products.of_row
    taken = {int(product_of[row]) for row in listed}
    stands_for: dict[int, tuple[int, int]] = {}
    for rule in rules:
        wanted = [position for position, hit in enumerate(rule.mask.take(listed).tolist()) if hit] if listed else []
        if not wanted:
            continue
        offered = iter(may_show(item_index.rows(rule.spec.replacements)).tolist())
        for position in wanted:
            row = next((row for row in offered if int(product_of[row]) not in taken), None)
            if row is None:
                break
            taken.add(int(product_of[row]))
            stands_for[row] = listed[position], rule.spec.rule_id
            listed[position] = row
    return listed, stands_for
