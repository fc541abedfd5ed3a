"""The performance of lists over a span of days: by placement, variant, model version or rule, and day by day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import redis

from features.money import to_major
from features.store.placement_stats import PlacementStats, read_placement_stats
from tracking.templatetags.written import amount


@dataclass(slots=True, kw_only=True)
class Performance:
    """Figures of one group, or of one day.

    Attributes
    ----------
    name : str
    currency : str
        The site's.
    revenue_minor : int
        In minor units of it.
    apart : dict
        Revenue that no exchange rate converts, in minor units by currency; not in ``revenue_minor``.
    """

    name: str
    currency: str = ""
    lists: int = 0
    impressions: int = 0
    clicks: int = 0
    carts: int = 0
    orders: int = 0
    revenue_minor: int = 0
    apart: dict[str, int] = field(default_factory=dict)

    def add(self, row: PlacementStats) -> None:
        """Add the figures of one placement, variant, version and set of rules on one day."""
        self.lists += row.lists
        self.impressions += row.impressions
        self.clicks += row.clicks
        self.carts += row.carts
        self.orders += row.orders
        self.revenue_minor += row.revenue
        for currency, minor in row.apart.items():
            self.apart[currency] = self.apart.get(currency, 0) + minor

    @property
    def click_rate(self) -> float | None:
        """Clicks by impressions, in per cent; ``None`` without an impression."""
        return 100 * self.clicks / self.impressions if self.impressions else None

    @property
    def revenue(self) -> float:
        """Revenue in whole units of the site's currency."""
        return to_major(self.revenue_minor, self.currency)

    @property
    def revenue_text(self) -> str:
        """The revenue with the decimals of its currency, such as ``1,234.50``."""
        return amount(self.revenue_minor, self.currency)

    @property
    def apart_texts(self) -> list[str]:
        """What stands apart, such as ``JPY 6,000``, by currency."""
        return [f"{currency} {amount(minor, currency)}" for currency, minor in sorted(self.apart.items()) if minor]

    @property
    def revenue_per_thousand(self) -> float | None:
        """Attributed revenue of a thousand impressions, which compares placements of different traffic."""
        return 1_000 * self.revenue / self.impressions if self.impressions else None


def read_days(client: redis.Redis, site: str, *, first: int, last: int, partitions: int) -> list[PlacementStats]:
    """Return the rows of the UTC days ``first`` to ``last``, days since 1970; one round trip a day and partition.

    Days before the last ``placement_stats.KEPT_DAYS`` have expired and bring no rows: callers do not ask for them.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    return [
        row
        for day in range(first, last + 1)
        for row in read_placement_stats(client, site, day=day, partitions=partitions)
    ]


def grouped(
    rows: Iterable[PlacementStats], by: str, *, names: Iterable[str] = (), currency: str = ""
) -> list[Performance]:
    """Return the performance of each group, the best first; ``names`` are listed even without figures.

    A list that several rules touched counts for each of them, so the groups of ``rule`` may exceed the total.
    """
    keys_of = _KEYS[by]
    found = {name: Performance(name=name, currency=currency) for name in names}
    for row in rows:
        for name in keys_of(row):
            found.setdefault(name, Performance(name=name, currency=currency)).add(row)
    return sorted(found.values(), key=lambda one: (-one.revenue_minor, -one.clicks, -one.impressions, one.name))


def total(rows: Iterable[PlacementStats], *, currency: str = "") -> Performance:
    """Return everything added up."""
    whole = Performance(name="", currency=currency)
    for row in rows:
        whole.add(row)
    return whole


def daily(rows: Iterable[PlacementStats], *, first: int, last: int, currency: str = "") -> dict[int, Performance]:
    """Return the performance of each day of the span, oldest first, days without figures among them."""
    days = {day: Performance(name=str(day), currency=currency) for day in range(first, last + 1)}
    for row in rows:
        days[row.day].add(row)
    return days


def _rules(row: PlacementStats) -> list[str]:
    return [number for number in row.rules.split(",") if number] or [""]


_KEYS: Final[Mapping[str, Callable[[PlacementStats], list[str]]]] = {
    "placement": lambda row: [row.placement],
    "variant": lambda row: [row.variant],
    "model_version": lambda row: [row.model_version],
    "rule": _rules,
}
