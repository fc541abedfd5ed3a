"""What a user did since it first saw an arm of an experiment; whatever the order in which events arrive.

A user is in the arm that it saw first, by the time of the event. From then on everything counts that it does anywhere
in the shop; orders from before are what is known of it without the experiment (the covariate). An earlier exposure
that arrives later moves what lies between the two, of which a profile remembers as much as may still be late.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from features.definitions import DAY_MS
from features.state.attribution import CART
from features.state.orders.standing import Standing
from features.state.states import ProfileState

KEEP_EXPOSURES: Final = 16
"""Experiments and hold-outs at a time that a user counts in; further ones begin when old ones have ended."""
EXPOSURE_MS: Final = 90 * DAY_MS
"""How long what a user does counts for an arm that it saw."""
KEEP_LATE_ORDERS: Final = 8

FIGURES: Final = (
    "lists", "impressions", "clicks", "carts", "orders", "revenue", "refunded", "margin",
    "orders_before", "revenue_before",
)  # fmt: skip
LISTS, IMPRESSIONS, CLICKS, CARTS, ORDERS, REVENUE, REFUNDED, MARGIN, ORDERS_BEFORE, REVENUE_BEFORE = range(
    len(FIGURES)
)
_ARM, _FIRST_MS, _FIGURES = 0, 1, 2


class Membership(NamedTuple):
    """An arm of an experiment, as a reply's id names them."""

    experiment: str
    arm: int


def figures_of(exposure: list[int]) -> list[int]:
    """Return the figures of an exposure, in the order of ``FIGURES``."""
    return exposure[_FIGURES:]


def arm_of(exposure: list[int]) -> tuple[int, int]:
    """Return the arm of an exposure, and the time of the first."""
    return exposure[_ARM], exposure[_FIRST_MS]


def expose(profile: ProfileState, membership: Membership, at_ms: int) -> bool:
    """Note that the user saw an arm; return whether what it does there counts."""
    exposures = profile.exposures
    known = exposures.get(membership.experiment)
    if known is None:
        if len(exposures) >= KEEP_EXPOSURES:
            _forget_ended(profile)
            if len(exposures) >= KEEP_EXPOSURES:
                return False
        known = [membership.arm, at_ms, *([0] * len(FIGURES))]
        late = _orders_between(profile, at_ms, None)
        known[_FIGURES + CARTS] = _carts_between(profile, at_ms, None)
        known[_FIGURES + ORDERS : _FIGURES + ORDERS_BEFORE] = late
        # By day, since refunds of orders that nobody reported are in the profile's totals, and in no order.
        known[_FIGURES + ORDERS_BEFORE] = sum(orders for orders, _ in profile.days.values()) - late[0]
        known[_FIGURES + REVENUE_BEFORE] = sum(revenue for _, revenue in profile.days.values()) - late[1]
        exposures[membership.experiment] = known
        return True
    if (at_ms, membership.arm) < (known[_FIRST_MS], known[_ARM]):
        moved = _orders_between(profile, at_ms, known[_FIRST_MS])
        known[_FIGURES + CARTS] += _carts_between(profile, at_ms, known[_FIRST_MS])
        for number, amount in enumerate(moved):
            known[_FIGURES + ORDERS + number] += amount
        known[_FIGURES + ORDERS_BEFORE] -= moved[0]
        known[_FIGURES + REVENUE_BEFORE] -= moved[1]
        known[_ARM], known[_FIRST_MS] = membership.arm, at_ms
    return True


def add(profile: ProfileState, experiment: str, figure: int, amount: int) -> None:
    """Add to a figure that belongs to the experiment's own lists."""
    profile.exposures[experiment][_FIGURES + figure] += amount


def add_carts(profile: ProfileState, pieces: int, *, at_ms: int) -> None:
    """Count what went into the cart for every arm that was seen before."""
    for exposure in profile.exposures.values():
        if exposure[_FIRST_MS] <= at_ms < exposure[_FIRST_MS] + EXPOSURE_MS:
            exposure[_FIGURES + CARTS] += pieces


def move_order(
    profile: ProfileState, order: int, before: Standing, after: Standing, *, margins: tuple[int, int], oldest_ms: int
) -> None:
    """Let an order count for what it stands for now, in place of what it stood for.

    Parameters
    ----------
    order : int
        Hash of its transaction id.
    margins : pair of int
        Of the order before and after, in minor units.
    oldest_ms : int
        What is older cannot be moved by an exposure that arrives late.
    """
    old, new = _counted(before, margins[0]), _counted(after, margins[1])
    for at_ms, sign, counted in ((before.at_ms, -1, old), (after.at_ms, 1, new)):
        if any(counted):
            _add_order(profile, [sign * amount for amount in counted], at_ms)
    late = profile.late_orders
    late.pop(order, None)
    if any(new) and after.at_ms >= oldest_ms:
        late[order] = [after.at_ms, *new]
    for known in [known for known, (at_ms, *_) in late.items() if at_ms < oldest_ms]:
        del late[known]
    while len(late) > KEEP_LATE_ORDERS:
        del late[min(late, key=lambda one: (late[one][0], one))]


def joined(older: ProfileState, newer: ProfileState) -> dict[str, list[int]]:
    """Return the exposures of two profiles of one user key, whose events are disjoint, as those of one."""
    found = {name: list(exposure) for name, exposure in older.exposures.items()}
    for name, exposure in newer.exposures.items():
        known = found.get(name)
        if known is None:
            found[name] = list(exposure)
            continue
        first_ms, arm = min((one[_FIRST_MS], one[_ARM]) for one in (known, exposure))
        found[name] = [arm, first_ms, *(sum(pair) for pair in zip(known[_FIGURES:], exposure[_FIGURES:], strict=True))]
    return found


def seen_arms(profiles: Iterable[ProfileState]) -> dict[str, tuple[int, int]]:
    """Return when the user first saw each experiment, and in which arm: the earliest of all its keys."""
    seen: dict[str, tuple[int, int]] = {}
    for profile in profiles:
        for name, exposure in profile.exposures.items():
            first = exposure[_FIRST_MS], exposure[_ARM]
            seen[name] = min(first, seen.get(name, first))
    return seen


def _add_order(profile: ProfileState, amounts: list[int], at_ms: int) -> None:
    for exposure in profile.exposures.values():
        if at_ms < exposure[_FIRST_MS]:
            exposure[_FIGURES + ORDERS_BEFORE] += amounts[0]
            exposure[_FIGURES + REVENUE_BEFORE] += amounts[1]
        elif at_ms < exposure[_FIRST_MS] + EXPOSURE_MS:
            for number, amount in enumerate(amounts):
                exposure[_FIGURES + ORDERS + number] += amount


def _counted(standing: Standing, margin: int) -> list[int]:
    """Return orders, revenue net of refunds, what was refunded, margin; what no rate converts is no revenue."""
    if not standing.orders:
        return [0, 0, 0, 0]
    if standing.apart:
        return [standing.orders, 0, 0, 0]
    return [standing.orders, standing.value - standing.refunded, standing.refunded, margin]


def _orders_between(profile: ProfileState, first_ms: int, last_ms: int | None) -> list[int]:
    sums = [0, 0, 0, 0]
    for at_ms, *amounts in profile.late_orders.values():
        if first_ms <= at_ms and (last_ms is None or at_ms < last_ms):
            sums = [total + amount for total, amount in zip(sums, amounts, strict=True)]
    return sums


def _carts_between(profile: ProfileState, first_ms: int, last_ms: int | None) -> int:
    return sum(
        pieces
        for at_ms, _, kind, pieces, _, _ in profile.conversions
        if kind == CART and first_ms <= at_ms and (last_ms is None or at_ms < last_ms)
    )


def _forget_ended(profile: ProfileState) -> None:
    for name in [name for name, one in profile.exposures.items() if one[_FIRST_MS] + EXPOSURE_MS <= profile.newest_ms]:
        del profile.exposures[name]
