"""Performance of placements, by variant, model version and rules: the partitions' counts of a UTC day, added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
import redis

from features import keys
from features.money import saturated
from features.state.attribution import METRICS
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

    ``carts``, ``orders``, ``units`` and ``revenue`` (minor units) are those of items clicked in the placement within
    24 h before; the newest click gets all the credit. ``rules`` is as the reply named them, comma-separated.
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
    for partition in range(partitions):
        names = keys.placement_day(partition, site, day), keys.unknown_lists(partition, site, day)
        with borrowed(client, names[0]) as pipe:
            answers = pipe.send([("HGETALL", name) for name in names])
            raise_errors(client, answers)
        for answer in answers:
            for label, blob in zip(answer[::2], answer[1::2], strict=True):
                sums = totals.setdefault(label.decode(), [0] * len(METRICS))
                for metric, amount in enumerate(_DECODE(blob)):
                    sums[metric] = saturated(sums[metric] + amount)
    found: list[PlacementStats] = []
    for label, sums in sorted(totals.items()):
        placement, variant, model_version, rules = (label or f"{OTHER_LISTS}|||").split("|", 3)
        found.append(
            PlacementStats(
                day=day,
                placement=placement,
                variant=variant,
                model_version=model_version,
                rules=rules,
                **dict(zip(METRICS, sums, strict=True)),
            )
        )
    return found
