"""Roll-ups of a small archive: what pages read of them is what happened, in the site's own days."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from features.archive.rows import rows_of
from features.archive.writer import ArchiveFolder
from features.exchange.site import watch_money
from recommendations.models import Placement, ReportHour
from recommendations.reports.figures import Span, by_day, change, grouped, movers, total
from recommendations.reports.rollup import roll_up
from tracking.contract.parsing import parse_record
from tracking.models import Site

pytestmark = pytest.mark.django_db
ZONE = ZoneInfo("Asia/Kolkata")
"""Half an hour beside UTC: its hours begin within those of the archive."""


@pytest.fixture
def site() -> Site:
    made = Site.objects.create(slug="rolled", name="Rolled", currency="EUR", time_zone=ZONE.key)
    Placement.objects.create(site=made, name="home")
    watch_money(made.slug).ensure_loaded()
    return made


def at(day: int, hour: int, minute: int = 0) -> int:
    return int(dt.datetime(2026, 3, day, hour, minute, tzinfo=ZONE).timestamp() * 1000)


def event(kind: str, at_ms: int, **params: Any) -> dict[str, Any]:
    return {
        "event": kind,
        "event_id": f"{kind}-{at_ms}-{params.get('transaction_id', '')}",
        "ts": at_ms,
        "params": params,
    }


def seen(at_ms: int, *items: str, name: str = "home") -> dict[str, Any]:
    return event("view_item_list", at_ms, item_list_id=name, items=[{"item_id": one} for one in items])


def clicked(at_ms: int, item: str, name: str = "home") -> dict[str, Any]:
    return event("select_item", at_ms, item_list_id=name, items=[{"item_id": item}])


def bought(at_ms: int, order: str, *items: tuple[str, float], **more: Any) -> dict[str, Any]:
    lines = [{"item_id": item, "price": price} for item, price in items]
    return event("purchase", at_ms, transaction_id=order, items=lines, currency="EUR", **more)


def write(
    folder: ArchiveFolder, site: Site, *events: dict[str, Any], user: str = "u-1", source: str = "browser"
) -> None:
    for one in events:
        raw = {
            "v": "1.0", "site": site.slug, "received_at_ms": one["ts"], "user_id": user, "source": source,
            "events": [one],
        }  # fmt: skip
        rows: dict[int, list[Any]] = {}
        for day, row in rows_of(parse_record(json.dumps(raw).encode())):
            rows.setdefault(day, []).append(row)
        for day, found in rows.items():
            folder.write(site.slug, day, f"p0-{one['event_id']}-{user}-{source}.parquet", found)


def march(first: int, last: int) -> Span:
    return Span.of_days(dt.date(2026, 3, first), dt.date(2026, 3, last), ZONE)


def test_figures_are_of_the_site_s_own_days(site: Site, tmp_path: Any) -> None:
    folder = ArchiveFolder(str(tmp_path))
    write(
        folder,
        site,
        seen(at(2, 0, 10), "S1", "S2"),
        clicked(at(2, 0, 11), "S1"),
        bought(at(2, 23, 50), "o1", ("S1", 10.0)),
    )
    write(folder, site, seen(at(3, 0, 5), "S1"))
    roll_up(site, folder=folder)

    days = by_day(site, march(1, 3))
    assert [one.impressions for one in days.values()] == [0, 2, 1]
    assert [(one.clicks, one.orders, one.revenue) for one in days.values()] == [(0, 0, 0), (1, 1, 1000), (0, 0, 0)]
    assert total(site, march(1, 3)).click_rate == pytest.approx(100 / 3)


def test_a_second_run_makes_only_what_changed_and_nothing_twice(site: Site, tmp_path: Any) -> None:
    folder = ArchiveFolder(str(tmp_path))
    write(folder, site, seen(at(2, 12), "S1"))
    write(folder, site, seen(at(20, 12), "S1"))
    assert roll_up(site, folder=folder) == 2
    assert roll_up(site, folder=folder) == 0
    write(folder, site, seen(at(20, 13), "S1"), seen(at(20, 13), "S1"))
    assert roll_up(site, folder=folder) == 1
    assert total(site, march(1, 31)).impressions == 3


def test_an_order_counts_once_as_the_server_says_and_less_what_was_given_back(site: Site, tmp_path: Any) -> None:
    folder = ArchiveFolder(str(tmp_path))
    write(folder, site, clicked(at(2, 12), "S1"), clicked(at(2, 12, 1), "S2"))
    write(folder, site, bought(at(2, 13), "o1", ("S1", 99.0)))
    write(folder, site, bought(at(2, 13, 1), "o1", ("S1", 10.0), ("S2", 30.0)), source="server")
    write(folder, site, bought(at(2, 14), "o2", ("S1", 5.0)))
    write(folder, site, event("refund", at(4, 9), transaction_id="o1", items=[{"item_id": "S2", "quantity": 1}]))
    write(folder, site, event("refund", at(4, 10), transaction_id="o2"))
    roll_up(site, folder=folder)

    figures = total(site, march(2, 2))
    assert (figures.orders, figures.units, figures.revenue) == (1, 1, 1000)


def test_view_through_and_linear_are_asked_for(site: Site, tmp_path: Any) -> None:
    Placement.objects.create(site=site, name="cart")
    folder = ArchiveFolder(str(tmp_path))
    write(folder, site, seen(at(2, 12), "S9"), bought(at(2, 13), "o1", ("S9", 10.0)))
    write(
        folder, site, clicked(at(2, 14), "S1"), clicked(at(2, 15), "S1", "cart"), bought(at(2, 16), "o2", ("S1", 10.0))
    )
    roll_up(site, folder=folder)

    def orders(attribution: str) -> dict[str, float]:
        rows = grouped(site, march(2, 2), "placement", attribution=attribution)
        return {row.name: row.orders for row in rows if row.orders}

    assert orders("last_click_1d") == {"cart": 1}
    assert orders("last_touch_1d") == {"home": 1, "cart": 1}
    assert orders("linear_7d") == {"home": 0.5, "cart": 0.5}


def test_lists_that_are_no_placements_are_one(site: Site, tmp_path: Any) -> None:
    folder = ArchiveFolder(str(tmp_path))
    write(folder, site, seen(at(2, 12), "S1", name="made-up-1"), seen(at(2, 12, 1), "S1", name="made-up-2"))
    roll_up(site, folder=folder)
    (row,) = [one for one in grouped(site, march(2, 2), "placement") if one.impressions]
    assert (row.name, row.impressions) == ("(other lists)", 2)
    assert not ReportHour.objects.filter(placement__startswith="made-up").exists()


def test_items_that_won_and_lost_are_named(site: Site, tmp_path: Any) -> None:
    folder = ArchiveFolder(str(tmp_path))
    for day, item, price in ((3, "S1", 10.0), (10, "S1", 30.0), (3, "S2", 50.0), (10, "S3", 5.0)):
        write(folder, site, clicked(at(day, 12), item), bought(at(day, 13), f"{item}-{day}", (item, price)), user=item)
    roll_up(site, folder=folder)
    won, lost = movers(site, march(8, 14), march(1, 7))
    assert [(one.item_id, one.difference) for one in won] == [("S1", 2000), ("S3", 500)]
    assert [(one.item_id, one.difference) for one in lost] == [("S2", -5000)]


def test_a_period_up_to_now_is_compared_with_the_same_hours_before() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    now = dt.datetime(2026, 3, 30, 9, 20, tzinfo=berlin)  # the clocks were put forward the day before
    span = Span.up_to(now, 7, berlin)
    before = span.before(7)
    assert (span.since.isoformat(), span.until.isoformat()) == (
        "2026-03-24T00:00:00+01:00",
        "2026-03-30T10:00:00+02:00",
    )
    assert (before.since.hour, before.until.hour, before.until.date().isoformat()) == (0, 10, "2026-03-23")
    assert len(span.days) == len(before.days) == 7


def test_a_change_from_nothing_is_no_number() -> None:
    assert change(5, 0) is None
    assert change(5, 4) == 25
