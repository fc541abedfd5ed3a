"""Pin: put items into fixed positions of the list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from recommendations.core.actions import PinOrder, RuleAction
from recommendations.core.types import Mask, RowArray
from recommendations.core.words import gettext as _
from recommendations.core.words import ngettext
from recommendations.items.index import ItemIndex
from recommendations.pipeline.rules.base import Action, ActiveRule, Pin, RuleSpec

MAX_PINNED: Final = 20
AT_ONCE: Final = 32
"""Pins whose items are looked at together; a list that is full of pins looks at no more of them."""


class PinItems(Action):
    """The first item takes the rule's position, further ones follow it.

    Items are pinned in the order in which they are named. Without any, it is those that match: so many, in an order.
    """

    name = RuleAction.PIN

    def sentence(self, spec: RuleSpec, targets: str) -> str:
        """Return what the rule does to what it targets."""
        values = {"items": targets, "rank": spec.position, "count": spec.pin_count,
                  "order": PinOrder(spec.pin_order).label}  # fmt: skip
        if spec.items:
            return (
                ngettext("Pins %(items)s to rank %(rank)s", "Pins %(items)s from rank %(rank)s on", len(spec.items))
                % values
            )
        return (
            ngettext(
                "Pins the %(order)s of %(items)s to rank %(rank)s",
                "Pins the %(order)s %(count)s of %(items)s from rank %(rank)s on",
                spec.pin_count,
            )
            % values
        )

    def effect_words(self, *, factor: float | None, position: int | None) -> str:
        """Return the rank, from 1."""
        return _("pinned to rank %(rank)s") % {"rank": position} if position is not None else _("pinned")


def candidates_of(rule: ActiveRule, item_index: ItemIndex) -> RowArray:
    """Return the rows that a pin may take, first those that it wants most: of a condition a few hundred at most."""
    if rule.spec.items:
        return item_index.rows(rule.spec.items)
    return item_index.best_within(rule.key, rule.mask, order=rule.spec.pin_order)


def pins_of(
    pinning: Sequence[ActiveRule], item_index: ItemIndex, may_show: Callable[[RowArray], Mask], *, size: int
) -> list[Pin]:
    """Return what is pinned where, by position; a position and an item are given once, to the highest priority.

    Parameters
    ----------
    pinning : sequence of ActiveRule
        Rules that pin, highest priority first.
    may_show : callable
        Returns which rows may be shown: what is sold out, excluded or on the page already is not pinned either.
    size : int
        Positions of the list.
    """
    taken: set[int] = set()
    pinned: set[int] = set()
    pins: list[Pin] = []
    for first in range(0, len(pinning), AT_ONCE):
        rules = pinning[first : first + AT_ONCE]
        wanted = [candidates_of(rule, item_index) for rule in rules]
        shown = may_show(np.concatenate(wanted))
        end = 0
        for rule, rows in zip(rules, wanted, strict=True):
            start, end = end, end + len(rows)
            position = rule.spec.position - 1
            most = MAX_PINNED if rule.spec.items else rule.spec.pin_count
            for row in rows[shown[start:end]].tolist()[:most]:
                if row in pinned:
                    continue
                while position in taken:
                    position += 1
                if position >= size:
                    break
                taken.add(position)
                pinned.add(row)
                pins.append(Pin(row=row, position=position, rule_id=rule.spec.rule_id))
        if len(taken) == size:
            break
    return sorted(pins, key=lambda pin: pin.position)


def with_pins(rows: Sequence[int], pins: Sequence[Pin], *, product_of: RowArray, size: int) -> list[int]:
    """Return the list with the pinned items in their positions; the others keep their order around them.

    Other variants of what is pinned make room for it; ``product_of`` is ``Products.of_row``.
    """
    pinned = {int(product_of[pin.row]) for pin in pins}
    listed = [row for row in rows if int(product_of[row]) not in pinned] if pinned else list(rows)
    for pin in pins:  # by position, so that each insertion leaves the earlier ones where they are
        listed.insert(min(pin.position, len(listed)), pin.row)
    return listed[:size]
