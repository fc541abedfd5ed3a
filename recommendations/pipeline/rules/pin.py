"""Pin: put items into fixed positions of the list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from recommendations.core.actions import PinOrder, RuleAction
from recommendations.core.types import RowArray
from recommendations.items.index import ItemIndex
from recommendations.pipeline.rules.base import Action, ActiveRule, Pin, RuleSpec

MAX_PINNED: Final = 20


class PinItems(Action):
    """The first item takes the rule's position, further ones follow it.

    Items are pinned in the order in which they are named. Without any, it is those that match: so many, in an order.
    """

    name = RuleAction.PIN
    verb = "Pins"
    is_pin = True

    def sentence_begin(self, spec: RuleSpec) -> str:
        """Return how many of what matches are pinned, such as "Pins the newest 3 of"."""
        if spec.items:
            return self.verb
        count = f" {spec.pin_count}" if spec.pin_count > 1 else ""
        return f"{self.verb} the {PinOrder(spec.pin_order).label}{count} of"

    def sentence_end(self, spec: RuleSpec) -> str:
        """Return the rank, from 1."""
        n_pinned = len(spec.items) or spec.pin_count
        return f" from rank {spec.position} on" if n_pinned > 1 else f" to rank {spec.position}"

    def effect_words(self, *, factor: float | None, position: int | None) -> str:
        """Return the rank, from 1."""
        return f"pinned to rank {position}" if position is not None else "pinned"


def candidates_of(rule: ActiveRule, item_index: ItemIndex) -> RowArray:
    """Return the rows that a pin may take, first those that it wants most: of a condition a few hundred at most."""
    if rule.spec.items:
        return item_index.rows(rule.spec.items)
    return item_index.best_within(rule.key, rule.mask, order=rule.spec.pin_order)


def pins_of(
    pinning: Iterable[ActiveRule], item_index: ItemIndex, may_show: Callable[[RowArray], RowArray], *, size: int
) -> list[Pin]:
    """Return what is pinned where, by position; a position and an item are given once, to the highest priority.

    Parameters
    ----------
    pinning : iterable of ActiveRule
        Rules that pin, highest priority first.
    may_show : callable
        Keeps the rows that may be shown: what is sold out, excluded or on the page already is not pinned either.
    size : int
        Positions of the list.
    """
    taken: set[int] = set()
    pinned: set[int] = set()
    pins: list[Pin] = []
    for rule in pinning:
        position = rule.spec.position - 1
        most = MAX_PINNED if rule.spec.items else rule.spec.pin_count
        for row in may_show(candidates_of(rule, item_index)).tolist()[:most]:
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


def with_pins(rows: Sequence[int], pins: Sequence[Pin], *, product_of: RowArray, size: int) -> list[int]:
    """Return the list with the pinned items in their positions; the others keep their order around them.

    Other variants of what is pinned make room for it; ``product_of`` is ``Products.of_row``.
    """
    pinned = {int(product_of[pin.row]) for pin in pins}
    listed = [row for row in rows if int(product_of[row]) not in pinned] if pinned else list(rows)
    for pin in pins:  # by position, so that each insertion leaves the earlier ones where they are
        listed.insert(min(pin.position, len(listed)), pin.row)
    return listed[:size]
