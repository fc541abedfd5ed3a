"""Wall-clock times of a time zone, the instants they stand for, and the hours that clocks skip or show twice."""

from __future__ import annotations

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

WRITTEN: Final = "%-d %b %Y %H:%M"


class SkippedTime(ValueError):
    """No clock of the zone ever shows this time.

    Attributes
    ----------
    local : datetime
        The time; naive.
    zone : ZoneInfo
    earlier, later : datetime
        The nearest times that clocks show, as far before and after as the clocks are moved; naive.
    """

    def __init__(self, local: dt.datetime, zone: ZoneInfo) -> None:
        self.local, self.zone = local, zone
        self.earlier = _shown(local, zone, fold=1)
        self.later = _shown(local, zone, fold=0)
        form = "%H:%M" if self.earlier.date() == self.later.date() else WRITTEN
        super().__init__(
            f"{local:{WRITTEN}} does not exist in {zone.key}, where the clocks are put forward then; "
            f"choose {self.earlier:{form}} or {self.later:{form}}."
        )


def instants(local: dt.datetime, zone: ZoneInfo) -> tuple[dt.datetime, ...]:
    """Return the instants (UTC, ascending) at which clocks of the zone show a naive time: one, none, or two."""
    found = {_instant(local, zone, fold=fold) for fold in (0, 1) if _shown(local, zone, fold=fold) == local}
    return tuple(sorted(found))


def instant(local: dt.datetime, zone: ZoneInfo, *, is_last: bool = False) -> dt.datetime:
    """Return the instant (UTC) of a naive time; of two the first, or the last.

    Raises
    ------
    SkippedTime
        Clocks never show it.
    """
    found = instants(local, zone)
    if not found:
        raise SkippedTime(local, zone)
    return found[-1 if is_last else 0]


def local_time(moment: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return what clocks of the zone show at an aware moment; naive."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def written(moment: dt.datetime, zone: ZoneInfo) -> str:
    """Return a moment as people of the zone write it, with the zone's short name, which summer time changes."""
    return f"{moment.astimezone(zone):{WRITTEN} %Z}"


def _instant(local: dt.datetime, zone: ZoneInfo, *, fold: int) -> dt.datetime:
    return local.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC)


def _shown(local: dt.datetime, zone: ZoneInfo, *, fold: int) -> dt.datetime:
    return local_time(_instant(local, zone, fold=fold), zone)
