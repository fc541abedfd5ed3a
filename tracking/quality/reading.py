"""The counts of data quality as they stand in Redis, added up over the last day and the last month."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from tracking import keys
from tracking.quality.counts import HOUR_MS, HOURS_A_DAY, Name, Sample

KEPT_DAYS: Final = 30
MAX_SAMPLES: Final = 3
_DECODE: Final = msgspec.json.Decoder(Sample).decode


@dataclass(frozen=True, slots=True)
class QualityCountsRead:
    """What a site's counts are.

    Attributes
    ----------
    day, month : Counter
        Of the last 24 hours, to the hour, and of the last 30 UTC days, today included.
    samples : dict
        For each name that was mended, refused or reported again, its newest samples of the last seven days.
    """

    day: Counter[Name]
    month: Counter[Name]
    samples: dict[Name, list[Sample]]

    def of(self, kind: str) -> dict[Name, tuple[int, int]]:
        """Return what a kind tells apart, with the counts of the day and of the month, the most frequent first."""
        found = {name[1:]: (self.day[name], count) for name, count in self.month.items() if name[0] == kind}
        return dict(sorted(found.items(), key=lambda one: (-one[1][1], one[0])))


def read_quality(client: Any, site: str, *, now_ms: int) -> QualityCountsRead:
    """Return a site's counts, in one round trip; raises what redis-py raises."""
    hour = now_ms // HOUR_MS
    today = hour // HOURS_A_DAY
    hours = [keys.quality_hour(site, one) for one in range(hour - HOURS_A_DAY + 1, hour + 1)]
    days = [keys.quality_day(site, one) for one in range(today - KEPT_DAYS + 1, today + 1)]
    samples = [
        keys.quality_samples(site, one) for one in range(today, today - keys.QUALITY_SAMPLES.ttl_s // 86_400, -1)
    ]
    with client.pipeline(transaction=False) as pipeline:
        for key in (*hours, *days, *samples):
            pipeline.hgetall(key)
        found = pipeline.execute()
    kept: dict[Name, list[Sample]] = defaultdict(list)
    for of_a_day in found[len(hours) + len(days) :]:
        for name, blob in of_a_day.items():
            of_name = kept[_name(name)]
            if len(of_name) < MAX_SAMPLES:
                of_name.append(_DECODE(blob))
    return QualityCountsRead(
        day=_sum(found[: len(hours)]), month=_sum(found[len(hours) : len(hours) + len(days)]), samples=dict(kept)
    )


def _sum(hashes: Iterable[dict[bytes, bytes]]) -> Counter[Name]:
    total: Counter[Name] = Counter()
    for one in hashes:
        for name, count in one.items():
            total[_name(name)] += int(count)
    return total


def _name(field: bytes) -> Name:
    return tuple(field.decode().split("|"))
