"""A slot's chance is that of its draw, of none, or certain where chance had no part."""

from __future__ import annotations

import numpy as np

from recommendations.core.chance import MAX_SLOTS, Chance, mask_of

CHANCE = Chance(permille=200, among=4, drawn=mask_of([2]), fixed=mask_of([0]))


def test_the_chances_of_a_slot_are_those_of_each_item_and_of_none() -> None:
    found = CHANCE.propensities(np.array([0, 1, 2]))
    np.testing.assert_allclose(found, [1.0, 0.8, 0.05])
    np.testing.assert_allclose(CHANCE.propensities(np.array([0, 1, 2]), permille=0), [1.0, 1.0, 0.0])


def test_all_that_a_slot_might_have_held_add_up_to_one() -> None:
    drawn, not_drawn = CHANCE.propensities(np.array([2, 1]))
    assert drawn * CHANCE.among + not_drawn == 1.0


def test_masks_hold_each_slot_once_and_none_beyond_their_bits() -> None:
    assert mask_of([0, 3, 3]) == 0b1001
    assert mask_of([MAX_SLOTS - 1, MAX_SLOTS, 99]) == 1 << (MAX_SLOTS - 1) < 2**63
