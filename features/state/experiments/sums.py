"""The sums over the users of an arm from which its statistics are made: whole numbers, so that they are exact.

When a user does something, the sums change by what it counts for now less what it counted for before. So nothing counts
twice, everything can be taken back, and no list of users is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from features.state.experiments.exposures import (
    CARTS,
    CLICKS,
    FIGURES,
    IMPRESSIONS,
    MARGIN,
    ORDERS,
    ORDERS_BEFORE,
    REFUNDED,
    REVENUE,
    REVENUE_BEFORE,
    arm_of,
    figures_of,
)

HIGH_BIT: Final = 24
"""Sums stop at 2^53, so a square is added in two parts: what is above this bit, and what is below it."""
LARGEST: Final = 2**32
"""No amount of one user counts for more, in minor units; winsorising cuts far below."""
PER_DOUBLING: Final = 8

OF_ARM: Final = (
    "users", *FIGURES, "clicks_squares", "impressions_squares", "clicks_impressions", "carters", "buyers",
    "orders_before_squares", "carters_orders_before", "buyers_orders_before",
    "revenue_before_squares_high", "revenue_before_squares_low",
    "sold_squares_high", "sold_squares_low", "refunded_squares_high", "refunded_squares_low",
    "refunded_sold_high", "refunded_sold_low",
)  # fmt: skip
"""What the field of an arm holds; what was sold is revenue and what of it was refunded. New names go to the end."""
OF_STEP: Final = (
    "users", "total", "squares_high", "squares_low", "before", "products_high", "products_low"
)  # fmt: skip
"""What the field of a step of revenue, or of margin, holds."""
STEPPED: Final = {"r": REVENUE, "m": MARGIN}
"""Letter of a field → the figure whose steps it counts."""

ArmSums = dict[str, list[int]]
"""Field → amounts. An arm's is its number; that of a step its number, the letter and the step, as ``1r57``."""


def step_of(amount: int) -> int:
    """Return the step of an amount in minor units: its exponent and the three bits below the leading one.

    Each doubling has ``PER_DOUBLING`` steps of equal width. 0 and what is below it is in step 0.
    """
    if amount <= 0:
        return 0
    exponent = amount.bit_length() - 1
    return 1 + exponent * PER_DOUBLING + ((amount << 3 >> exponent) & (PER_DOUBLING - 1))


def parts_of(amount: int) -> tuple[int, int]:
    """Return what of a product lies above ``HIGH_BIT``, and what below; of a negative one, the lower part is not."""
    return amount >> HIGH_BIT, amount & ((1 << HIGH_BIT) - 1)


def whole(high: int, low: int) -> int:
    """Return the sum whose parts were added."""
    return (high << HIGH_BIT) + low


def sums_of(exposure: list[int]) -> ArmSums:
    """Return what one user adds to the sums of its arm."""
    arm, _ = arm_of(exposure)
    figures = [max(-LARGEST, min(figure, LARGEST)) for figure in figures_of(exposure)]
    sold, refunded = figures[REVENUE] + figures[REFUNDED], figures[REFUNDED]
    clicks, impressions = figures[CLICKS], figures[IMPRESSIONS]
    before, orders_before = figures[REVENUE_BEFORE], figures[ORDERS_BEFORE]
    carter, buyer = int(figures[CARTS] > 0), int(figures[ORDERS] > 0)
    found = {
        str(arm): [
            1, *figures, clicks * clicks, impressions * impressions, clicks * impressions, carter, buyer,
            orders_before * orders_before, carter * orders_before, buyer * orders_before, *parts_of(before * before),
            *parts_of(sold * sold), *parts_of(refunded * refunded), *parts_of(refunded * sold),
        ]
    }  # fmt: skip
    for letter, figure in STEPPED.items():
        amount = figures[figure]
        if amount:
            found[f"{arm}{letter}{step_of(amount)}"] = [
                1, amount, *parts_of(amount * amount), before, *parts_of(amount * before)
            ]  # fmt: skip
    return found


def copied(exposures: Mapping[str, list[int]]) -> dict[str, list[int]]:
    """Return exposures as they are now, to be compared with what becomes of them."""
    return {name: list(exposure) for name, exposure in exposures.items()}


def changes(before: Mapping[str, list[int]], after: Mapping[str, list[int]]) -> dict[str, ArmSums]:
    """Return what is to be added to the sums of each experiment; what was forgotten stays counted."""
    found: dict[str, ArmSums] = {}
    for name, exposure in after.items():
        known = before.get(name)
        if known == exposure:
            continue
        sums: ArmSums = {}
        if known is not None:
            take_in(sums, sums_of(known), sign=-1)
        take_in(sums, sums_of(exposure))
        if sums := {each: amounts for each, amounts in sums.items() if any(amounts)}:
            found[name] = sums
    return found


def merges(
    older: Mapping[str, list[int]], newer: Mapping[str, list[int]], merged: Mapping[str, list[int]]
) -> dict[str, ArmSums]:
    """Return what changes when one user turns out to have been counted as two."""
    found: dict[str, ArmSums] = {}
    for name in older.keys() & newer.keys() & merged.keys():
        sums = found[name] = sums_of(merged[name])
        take_in(sums, sums_of(older[name]), sign=-1)
        take_in(sums, sums_of(newer[name]), sign=-1)
    return found


def take_in(sums: ArmSums, other: Mapping[str, list[int]], *, sign: int = 1) -> None:
    """Add sums to sums."""
    for name, amounts in other.items():
        known = sums.get(name)
        sums[name] = (
            [sign * amount for amount in amounts]
            if known is None
            else [one + sign * amount for one, amount in zip(known, amounts, strict=True)]
        )
