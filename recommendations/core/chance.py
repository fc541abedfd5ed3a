"""What chance had to do with a list, as the id of its reply says it: how likely each slot was to be as it is."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_SLOTS: Final = 60
"""Slots that an id tells of; its masks are numbers of 64 bits."""


class Chance(NamedTuple):
    """How slots of one list were filled by chance; appended to, never moved, since ids hold it for months.

    Attributes
    ----------
    permille : int
        The chance of a slot to be given to an item that is drawn, in thousandths.
    among : int
        From how many items it is drawn, each as likely.
    drawn, fixed : int
        Masks of slots, the first at bit 0: those that hold a drawn item, and those that chance has no part in.
    """

    permille: int
    among: int
    drawn: int
    fixed: int

    def propensities(self, slots: NDArray[np.int64], *, permille: int | None = None) -> NDArray[np.float64]:
        """Return how likely each slot was to hold what it holds; float64, the same shape.

        Parameters
        ----------
        slots : int64
            From 0 to ``MAX_SLOTS - 1``.
        permille : int, optional
            Another chance of a slot to be drawn for, as if the placement had it.
        """
        share = (self.permille if permille is None else permille) / 1000.0
        is_drawn, is_fixed = (np.array([mask >> int(slot) & 1 for slot in slots], np.bool_)
                              for mask in (self.drawn, self.fixed))  # fmt: skip
        return np.where(is_fixed, 1.0, np.where(is_drawn, share / max(self.among, 1), 1.0 - share))


def mask_of(slots: list[int]) -> int:
    """Return the mask of slots; those that an id does not tell of are left out."""
    return sum(1 << slot for slot in set(slots) if 0 <= slot < MAX_SLOTS)
