"""From the archive to the tables that reports read: one UTC day at a time, again whenever its files changed."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import posixpath
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from features.archive.writer import ArchiveFolder
from features.exchange.site import watch_money
from features.money import SiteMoney
from recommendations.models import Placement, ReportHour, ReportItemDay, ReportState
from recommendations.reports.credit import ATTRIBUTIONS, USUAL, attributed, credited, whole_minor
from recommendations.reports.reading import Day, joined_owners, read_day, without_refunded
from tracking.deferred import deferred
from tracking.models import Site

if TYPE_CHECKING:
    import polars as pl
else:
    pl = deferred("polars")

logger = logging.getLogger(__name__)

LOOK_BACK_DAYS: Final = 7
"""Of how many days before the touches are read: the longest window of an attribution."""
REFUND_DAYS: Final = 30
"""For how many days after a day refunds of its orders are looked for, each time that it is rolled up."""
ITEMS_A_DAY: Final = 2_000
"""Items told apart a day, over all lists; the others are one row."""
ITEMS_A_LIST: Final = 200
"""The same in each placement."""
VERSION: Final = "1"
"""Part of the digest: raise it when rows are made otherwise, and all days are made again."""
_EPOCH: Final = dt.date(1970, 1, 1)
_PARTS: Final = ("placement", "variant", "model_version", "rules")
_LENGTHS: Final = {"placement": 128, "variant": 64, "model_version": 128, "rules": 500}
_BATCH: Final = 2_000


def roll_up(site: Site, *, folder: ArchiveFolder | None = None, most_days: int | None = None) -> int:
    """Make the roll-ups of the days whose files have changed, the newest first; return how many days were made.

    Memory: the list events, carts and orders of ``LOOK_BACK_DAYS`` + 1 days. A day that fails leaves what was there.
    Two runs at once make the same rows; the second to finish counts.
    """
    folder = folder or ArchiveFolder(settings.ARCHIVE_URL)
    files = _files_by_date(folder, site.slug)
    state, _ = ReportState.objects.get_or_create(site=site)
    wanted = {date: _digest(site, files, date) for date in files}
    changed = [date for date in sorted(wanted, reverse=True) if state.made_of.get(date) != wanted[date]]
    gone = [date for date in state.made_of if date not in files]
    days = _Days(folder, site)
    for date in changed[:most_days]:
        _make_day(site, days, date, later=[one for one in files if date < one <= _moved(date, REFUND_DAYS)])
        _remember(site, date, wanted[date], days.newest_ms(date))
    for date in gone:  # the archive's retention has passed; what it brought stays
        _remember(site, date, None, 0)
    return len(changed[:most_days])


class _Days:
    """Days as they were read, while the next ones need them."""

    def __init__(self, folder: ArchiveFolder, site: Site) -> None:
        self._folder, self._site = folder, site
        self._placements = frozenset(Placement.objects.filter(site=site).values_list("name", flat=True))
        self._money: SiteMoney = watch_money(site.slug).ensure_loaded()
        self._read: dict[str, Day] = {}
        self._refunds: dict[str, pl.DataFrame] = {}
        self.zone = site.zone

    def of(self, date: str) -> Day:
        if date not in self._read:
            while len(self._read) > LOOK_BACK_DAYS + 1:
                del self._read[max(self._read)]  # made from the newest to the oldest: it is not needed any more
            self._read[date] = self._load(date)
            self._refunds[date] = self._read[date].refunds
        return self._read[date]

    def newest_ms(self, date: str) -> int:
        day = self.of(date)
        times = [frame["at_ms"].max() for frame in (day.traffic, day.conversions) if len(frame)]
        return max((int(at_ms) for at_ms in times if at_ms is not None), default=0)  # type: ignore[arg-type]

    def refunds(self, dates: list[str]) -> list[pl.DataFrame]:
        """Return the refunds of days; each day is read once for them, and not kept."""
        for date in dates:
            if date not in self._refunds:
                self._refunds[date] = self._load(date).refunds
        return [self._refunds[date] for date in dates]

    def _load(self, date: str) -> Day:
        return read_day(self._folder, site=self._site.slug, date=date, placements=self._placements, money=self._money)


def _make_day(site: Site, days: _Days, date: str, *, later: list[str]) -> None:
    day = days.of(date)
    before = [days.of(_moved(date, -back)) for back in range(1, LOOK_BACK_DAYS + 1)]
    owners = pl.concat([each.owners for each in (*reversed(before), day)])
    refunds = pl.concat([day.refunds, *days.refunds(later)]).unique(maintain_order=True)
    conversions = joined_owners(without_refunded(day.conversions, refunds), owners)
    touches = pl.concat([each.touches for each in (day, *before)])
    touches = joined_owners(touches, owners).join(
        conversions.select("person", "item_id").unique(), on=["person", "item_id"], how="semi"
    )
    utc_day = (dt.date.fromisoformat(date) - _EPOCH).days
    hours: list[ReportHour] = []
    items: list[ReportItemDay] = []
    usual = None
    for key, attribution in ATTRIBUTIONS.items():
        shares = credited(touches, conversions, attribution)
        hours += _attributed_rows(site, utc_day, key, shares, is_shared=attribution.name == "linear", zone=days.zone)
        usual = shares if key == USUAL else usual
    hours += _traffic_rows(site, utc_day, day.traffic, days.zone)
    if usual is not None:
        items = _item_rows(site, utc_day, day.traffic, usual, days.zone)
    with transaction.atomic():
        ReportHour.objects.filter(site=site, utc_day=utc_day).delete()
        ReportItemDay.objects.filter(site=site, utc_day=utc_day).delete()
        ReportHour.objects.bulk_create(hours, batch_size=_BATCH)
        ReportItemDay.objects.bulk_create(items, batch_size=_BATCH)


def _traffic_rows(site: Site, utc_day: int, traffic: pl.DataFrame, zone: ZoneInfo) -> list[ReportHour]:
    sums = (
        with_hour(traffic, zone)
        .group_by("hour", "label")
        .agg(lists=pl.col("is_list").sum(), impressions=pl.col("is_impression").sum(), clicks=pl.col("is_click").sum())
        .sort("hour", "label")
    )
    return [
        ReportHour(
            site=site, utc_day=utc_day, hour=row["hour"], **_named(row["label"]),
            lists=row["lists"], impressions=row["impressions"], clicks=row["clicks"],
        )
        for row in sums.iter_rows(named=True)
    ]  # fmt: skip


def _attributed_rows(
    site: Site, utc_day: int, key: str, shares: pl.DataFrame, *, is_shared: bool, zone: ZoneInfo
) -> list[ReportHour]:
    shares = with_hour(shares, zone)
    by = ["hour", "label"]
    apart = _apart(shares, by)
    counted = shares.with_columns(
        revenue=pl.when(pl.col("currency").is_null()).then("revenue").otherwise(pl.lit(0, pl.Int64))
    )
    sums = whole_minor(attributed(counted, by, is_shared=is_shared))
    return [
        ReportHour(
            site=site, utc_day=utc_day, hour=row["hour"], attribution=key, **_named(row["label"]),
            carts=row["carts"], orders=row["orders"], units=row["units"], revenue=row["revenue"],
            apart=apart.get((row["hour"], row["label"]), {}),
        )
        for row in sums.iter_rows(named=True)
    ]  # fmt: skip


def _apart(shares: pl.DataFrame, by: list[str]) -> dict[tuple[int, str], dict[str, int]]:
    found: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    sums = (
        shares.filter(pl.col("currency").is_not_null())
        .group_by([*by, "currency"])
        .agg(amount=(pl.col("revenue") * pl.col("share")).sum())
    )
    for hour, label, currency, amount in sums.iter_rows():
        found[hour, label][currency] = round(amount)
    return found


def _item_rows(
    site: Site, utc_day: int, traffic: pl.DataFrame, shares: pl.DataFrame, zone: ZoneInfo
) -> list[ReportItemDay]:
    seen = with_hour(traffic.filter(pl.col("item_id").is_not_null()), zone)
    won = with_hour(shares.with_columns(
        revenue=pl.when(pl.col("currency").is_null()).then("revenue").otherwise(pl.lit(0, pl.Int64))
    ), zone)  # fmt: skip
    found: list[ReportItemDay] = []
    for by in (["day", "item_id"], ["day", "placement", "item_id"]):
        sums = seen.group_by(by).agg(
            impressions=pl.col("is_impression").sum().cast(pl.Int64), clicks=pl.col("is_click").sum().cast(pl.Int64)
        )
        both = sums.join(attributed(won, by, is_shared=False), on=by, how="full", coalesce=True).fill_null(0)
        both = whole_minor(both.sort(by))
        most = ITEMS_A_DAY if len(by) == 2 else ITEMS_A_LIST
        groups = by[:-1]
        ranked = both.sort("revenue", "clicks", "impressions", "item_id", descending=[True, True, True, False])
        ranked = ranked.with_columns(
            item_id=pl.when(pl.int_range(pl.len()).over(groups) < most).then("item_id").otherwise(pl.lit(""))
        )
        figures = ("impressions", "clicks", "carts", "orders", "revenue")
        ranked = ranked.group_by(by).agg(pl.col(figures).sum()).sort(by)
        found += [
            ReportItemDay(
                site=site, utc_day=utc_day, day=row["day"], placement=row.get("placement", "")[:128],
                item_id=row["item_id"][:200], **{name: row[name] for name in figures},
            )
            for row in ranked.iter_rows(named=True)
        ]  # fmt: skip
    return found


def with_hour(frame: pl.DataFrame, zone: ZoneInfo) -> pl.DataFrame:
    """Add when the zone's hour began (``hour``, epoch seconds), its ``day``, and the ``placement`` of the label."""
    at = pl.from_epoch("at_ms", time_unit="ms").dt.replace_time_zone("UTC").dt.convert_time_zone(zone.key)
    return frame.with_columns(
        hour=at.dt.truncate("1h").dt.epoch("s"),
        day=at.dt.date(),
        placement=pl.col("label").str.split_exact("|", 1).struct.field("field_0"),
    )


def _named(label: str) -> dict[str, str]:
    parts = label.split("|", 3)
    return {name: part[: _LENGTHS[name]] for name, part in zip(_PARTS, parts, strict=True)}


def _remember(site: Site, date: str, digest: str | None, newest_ms: int) -> None:
    with transaction.atomic():
        state = ReportState.objects.select_for_update().get(site=site)
        state.made_of.pop(date, None)
        if digest is not None:
            state.made_of[date] = digest
        state.newest_event_ms = max(state.newest_event_ms, newest_ms)
        state.made_at = timezone.now()
        state.save()


def _files_by_date(folder: ArchiveFolder, slug: str) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path in folder.files(site=slug):
        found[posixpath.basename(posixpath.dirname(path)).removeprefix("date=")].append(posixpath.basename(path))
    return found


def _digest(site: Site, files: Mapping[str, list[str]], date: str) -> str:
    """Return what a day's rows are made of: its files and those of the days that its windows reach."""
    made_of = [VERSION, site.time_zone, site.currency]
    for day in _span(date):
        made_of += files.get(day, [])
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:16]


def _span(date: str) -> Iterator[str]:
    return (_moved(date, -back) for back in range(LOOK_BACK_DAYS + 1))


def _moved(date: str, days: int) -> str:
    return (dt.date.fromisoformat(date) + dt.timedelta(days=days)).isoformat()
