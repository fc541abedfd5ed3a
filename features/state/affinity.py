"""Pure: what a user leans to, computed from recents and the catalogue when it is read.

Stored sums with decay would be floats, whose value depends on the order of events, and they would keep an item's old
category for ever. Fifty recents are enough, and cost microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from features.definitions import HALF_LIFE_PROFILE_MS, HALF_LIFE_SESSION_MS
from features.state.user_features import Recent

WEIGHTS: Final = {"view": 1.0, "select": 0.5, "wishlist": 2.0, "cart": 3.0, "purchase": 5.0}


class Attributes(NamedTuple):
    """What the catalogue says of an item; ``None`` where it says nothing."""

    category: str | None
    brand: str | None
    price_minor: int | None


class Affinity(NamedTuple):
    """Shares that sum to 1 over the categories and over the brands, heaviest first, and a typical price."""

    categories: dict[str, float]
    brands: dict[str, float]
    price_minor: float | None


AttributesOf = Callable[[str], Attributes | None]


def affinity(
    recents: Iterable[Recent], attributes_of: AttributesOf, *, half_life_ms: int = HALF_LIFE_SESSION_MS
) -> Affinity:
    """Return the leanings of a user; items that the catalogue does not know are left out.

    An interaction weighs by its kind, and half as much for each ``half_life_ms`` since. The price is the weighted
    geometric mean, as prices are spread by factors.
    """
    categories: dict[str, float] = {}
    brands: dict[str, float] = {}
    logs = total = 0.0
    for recent in recents:
        known = attributes_of(recent.item_id)
        if known is None:
            continue
        weight = WEIGHTS[recent.kind] * 0.5 ** (recent.age_ms / half_life_ms)
        if known.category:
            categories[known.category] = categories.get(known.category, 0.0) + weight
        if known.brand:
            brands[known.brand] = brands.get(known.brand, 0.0) + weight
        if known.price_minor:
            logs += weight * math.log(known.price_minor)
            total += weight
    return Affinity(_shares(categories), _shares(brands), math.exp(logs / total) if total else None)


def favourite_categories(recents: Iterable[Recent], attributes_of: AttributesOf, *, limit: int = 5) -> list[str]:
    """Return the categories a user leans to in the long run, heaviest first."""
    return list(affinity(recents, attributes_of, half_life_ms=HALF_LIFE_PROFILE_MS).categories)[:limit]


def _shares(weights: dict[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    if not total:  # so long ago that nothing is left of it
        return {}
    heaviest_first = sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))
    return {name: weight / total for name, weight in heaviest_first}
