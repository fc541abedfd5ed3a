"""Performance of placements, by variant, model version and rules: the partitions' counts of a UTC day, added up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec
import redis

from features import keys
from features.money import saturated
from features.state import attribution
from features.state.attribution import METRICS, REVENUE
from features.state.batch import PLACEMENT_TTL_S
from features.store.redis_pipe import borrowed, raise_errors

KEPT_DAYS: Final = PLACEMENT_TTL_S // 86_400
"""UTC days, today among them, whose figures are all there: a day's count expires this long after its last write."""
OTHER_LISTS: Final = "(other lists)"
"""What the lists are called that are no placements and too many to be told apart."""
_DECODE = msgspec.msgpack.Decoder(list[int]).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementStats:
    """Counts of one placement, variant, model version and set of rules on one UTC day.

    ``carts``, ``orders``, ``units`` and ``revenue`` (minor units of the site's currency) are those of items clicked in
    the placement within 24 h before; the newest click gets all the credit. ``apart`` is revenue that no rate converts,
    in minor units by currency, and not in ``revenue``. ``rules`` is as the reply named them, comma-separated.
    """

    day: int
    placement: str
    variant: str
    model_version: str
    rules: str
    lists: int
    impressions: int
    clicks: int
    carts: int
    orders: int
    units: int
    revenue: int
    apart: dict[str, int] = field(default_factory=dict)


def read_placement_stats(client: redis.Redis, site: str, *, day: int, partitions: int) -> list[PlacementStats]:
    """Return a day's figures (days since 1970), one round trip a partition; kept for ``KEPT_DAYS``.

    Lists that pages name and that are no placements are among them; those too many to be told apart are one,
    ``OTHER_LISTS``.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    totals: dict[str, list[int]] = {}
    apart: dict[str, dict[str, int]] = {}
    for partition in range(partitions):
        names = keys.placement_day(partition, site, day), keys.unknown_lists(partition, site, day)
        with borrowed(client, names[0]) as pipe:
            answers = pipe.send([("HGETALL", name) for name in names])
            raise_errors(client, answers)
        for answer in answers:
            for name, blob in zip(answer[::2], answer[1::2], strict=True):
                label = name.decode() or attribution.NO_LIST
                sums = totals.setdefault(attribution.without_currency(label), [0] * len(METRICS))
                amounts = _DECODE(blob)
                if currency := attribution.currency_of(label):
                    of_list = apart.setdefault(attribution.without_currency(label), {})
                    of_list[currency] = saturated(of_list.get(currency, 0) + amounts[REVENUE])
                    continue
                for metric, amount in enumerate(amounts):
                    sums[metric] = saturated(sums[metric] + amount)
    found: list[PlacementStats] = []
    for label, sums in sorted(totals.items()):
        placement, variant, model_version, rules = label.split("|", 3)
        found.append(
            PlacementStats(
                day=day,
                placement=placement or OTHER_LISTS,
                variant=variant,
                model_version=model_version,
                rules=rules,
                **dict(zip(METRICS, sums, strict=True)),
                apart={currency: amount for currency, amount in sorted(apart.get(label, {}).items()) if amount},
            )
        )
    return found
