"""Which placement gets the credit: the last click on an item within the window before its cart or purchase event.

Clicks and conversions may arrive in any order. So a profile remembers its newest of both, and every new one changes
the counts by the difference between what is credited with it and what was credited without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from features.definitions import ATTRIBUTION_WINDOW_MS, DAY_MS, KEEP_CONVERSIONS, KEEP_TOUCHES
from features.state.states import ProfileState

LISTS, IMPRESSIONS, CLICKS, CARTS, ORDERS, UNITS, REVENUE = range(7)
METRICS: Final = ("lists", "impressions", "clicks", "carts", "orders", "units", "revenue")

Touch = tuple[int, str, str]  # time, item id, label
Conversion = tuple[int, str, str, int, int, int]
"""Time, item id, kind, pieces, revenue, order. Of an order that was reported (``REPORTED``), time and order alone."""
CART, BOUGHT, REPORTED = "c", "p", "o"
"""What went into the cart; what version 0.1 knew was bought; an order, which knows its own credit."""
Credit = dict[tuple[str, int, int], int]  # (label, UTC day, metric) -> amount


class PlacementEffect(NamedTuple):
    """What one event adds to a placement's counts of a UTC day."""

    label: str
    day: int
    metric: int
    amount: int


class ReplyOrigin(NamedTuple):
    """What a ``rec_id`` says of the reply that filled a list."""

    placement: str
    variant: str
    model_version: str
    rules: str
    arms: tuple[tuple[str, int], ...] = ()
    """Experiments, with the arm that the list was made for."""


_NAMED_BY_PAGE: Final = "|||"
NO_LIST: Final = "|||"
"""The label under which lists are added up that are not told apart, where a currency follows it."""
_SEPARATOR: Final = "|"
_PARTS: Final = 4

ReadRecId = Callable[[str, str], "ReplyOrigin | None"]


def _read_nothing(site: str, rec_id: str) -> ReplyOrigin | None:
    return None


_reader: ReadRecId = _read_nothing


def use_rec_id_reader(read: ReadRecId) -> None:
    """Set what reads a ``rec_id``: ``read(site, rec_id)``, ``None`` for a forged one. Whoever signs them calls this."""
    global _reader
    _reader = read


def label_of(site: str, *, item_list_id: str | None, rec_id: str | None) -> str | None:
    """Return ``placement|variant|model version|rules`` of a list, or ``None`` when it is none of ours.

    A signed ``rec_id`` is trusted over the ``item_list_id`` that the page names.
    """
    origin = _reader(site, rec_id) if rec_id else None
    if origin is not None:
        parts = (origin.placement, origin.variant, origin.model_version, origin.rules)
        return "|".join(part.replace("|", "/") for part in parts)
    if item_list_id:
        return item_list_id.replace("|", "/") + _NAMED_BY_PAGE
    return None


def arms_of(site: str, rec_id: str | None) -> tuple[tuple[str, int], ...]:
    """Return the experiments of a list, and the arms that it was made for; none of a list that is none of ours."""
    origin = _reader(site, rec_id) if rec_id else None
    return origin.arms if origin is not None else ()


def is_named_by_page(label: str) -> bool:
    """Return whether nothing but the page says that there is such a list: no reply of ours filled it."""
    return without_currency(label).endswith(_NAMED_BY_PAGE)


def apart_label(label: str, currency: str) -> str:
    """Return the label under which a list's revenue in a currency is counted that no rate converts."""
    return f"{label}{_SEPARATOR}{currency}"


def without_currency(label: str) -> str:
    """Return the label of the list itself."""
    return _SEPARATOR.join(label.split(_SEPARATOR)[:_PARTS])


def currency_of(label: str) -> str:
    """Return the currency of a label that ``apart_label`` made; else an empty text."""
    return label.split(_SEPARATOR, _PARTS)[_PARTS] if label.count(_SEPARATOR) >= _PARTS else ""


def placement_of(label: str) -> str:
    """Return the placement of a label."""
    return label.partition("|")[0]


def add_touch(profile: ProfileState, touch: Touch) -> list[PlacementEffect]:
    """Note a click in a placement; return what it changes in the credit of what was bought since."""
    touches = profile.touches
    if touch in touches:
        return []
    if not profile.conversions:
        touches.append(touch)
        _trim_touches(touches)
        return []
    before = credit(touches, profile.conversions)
    touches.append(touch)
    changes = _difference(before, credit(touches, profile.conversions))
    _trim_touches(touches)
    return changes


def add_conversions(
    profile: ProfileState, conversions: list[Conversion], *, newest_ms: int, lateness_ms: int
) -> list[PlacementEffect]:
    """Note what went into the cart or was bought; return the credit of the clicks before it."""
    known = profile.conversions
    before = credit(profile.touches, known) if profile.touches else {}
    known.extend(conversions)
    changes = _difference(before, credit(profile.touches, known)) if profile.touches else []
    _trim_conversions(profile, oldest_ms=newest_ms - lateness_ms)
    return changes


def note_order(profile: ProfileState, order: int, *, at_ms: int, newest_ms: int, lateness_ms: int) -> None:
    """Note that this user reported an order, which must hear of clicks before it that arrive later."""
    conversion = (at_ms, "", REPORTED, 0, 0, order)
    if conversion not in profile.conversions:
        profile.conversions.append(conversion)
        _trim_conversions(profile, oldest_ms=newest_ms - lateness_ms)


def orders_after(profile: ProfileState, at_ms: int) -> list[int]:
    """Return the orders that this user reported at or after a time, as far back as a click may still arrive."""
    found = {order for since_ms, _, kind, _, _, order in profile.conversions if kind == REPORTED and since_ms >= at_ms}
    return sorted(found)


def credit(touches: list[Touch], conversions: list[Conversion]) -> Credit:
    """Return what each label is credited with: carts, pieces and revenue of an item, and each order once."""
    credited: Credit = {}
    orders: set[tuple[str, int, int]] = set()
    for at_ms, item_id, kind, pieces, revenue, order in conversions:
        if kind == REPORTED:
            continue
        label = _last_label(touches, item_id=item_id, at_ms=at_ms)
        if label is None:
            continue
        day = at_ms // DAY_MS
        if kind == CART:
            _add(credited, (label, day, CARTS), pieces)
            continue
        _add(credited, (label, day, UNITS), pieces)
        _add(credited, (label, day, REVENUE), revenue)
        if (label, day, order) not in orders:
            orders.add((label, day, order))
            _add(credited, (label, day, ORDERS), 1)
    return credited


def sum_effects(effects: list[PlacementEffect]) -> dict[int, dict[str, list[int]]]:
    """Add effects up: UTC day → label → amounts in the order of ``METRICS``."""
    days: dict[int, dict[str, list[int]]] = {}
    for label, day, metric, amount in effects:
        sums = days.setdefault(day, {}).setdefault(label, [0] * len(METRICS))
        sums[metric] += amount
    return days


def _last_label(touches: list[Touch], *, item_id: str, at_ms: int) -> str | None:
    best: Touch | None = None
    for touch in touches:
        if touch[1] == item_id and touch[0] <= at_ms <= touch[0] + ATTRIBUTION_WINDOW_MS:
            best = touch if best is None else max(best, touch)
    return best[2] if best else None


def _trim_conversions(profile: ProfileState, *, oldest_ms: int) -> None:
    """Forget the older ones: only a click that may still arrive can change a credit."""
    kept = sorted(conversion for conversion in profile.conversions if conversion[0] >= oldest_ms)
    profile.conversions = kept[-KEEP_CONVERSIONS:]


def _trim_touches(touches: list[Touch]) -> None:
    touches.sort()
    del touches[:-KEEP_TOUCHES]


def _add(credited: Credit, key: tuple[str, int, int], amount: int) -> None:
    credited[key] = credited.get(key, 0) + amount


def _difference(before: Credit, after: Credit) -> list[PlacementEffect]:
    return [
        PlacementEffect(label, day, metric, amount)
        for label, day, metric in {**before, **after}
        if (amount := after.get((label, day, metric), 0) - before.get((label, day, metric), 0))
    ]
