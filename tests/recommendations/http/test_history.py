"""A user's history: pages that hold every event once, in order, and read no more than they must."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.archive import maintenance
from features.archive.rows import DAY_MS, rows_of, table_of
from features.archive.writer import ArchiveFolder, date_of
from features.privacy.ownership import Ownership
from recommendations.http import history
from recommendations.http.history import Cursor, read_history
from tests.features.making import NOW_MS, event, record

SITE = "shop"
ME, OTHER = "anonymous-0000000001", "anonymous-0000000002"


def store(folder: ArchiveFolder, *records: Any) -> None:
    """Write records as the archive's worker does: a file a day."""
    rows = sorted((pair for each in records for pair in rows_of(each)), key=lambda pair: pair[0])
    for day, of_day in itertools.groupby(rows, key=lambda pair: pair[0]):
        table = table_of([row for _, row in of_day])
        folder.write_table(f"{folder.root}/site={SITE}/date={date_of(day)}/p0-{next(_files)}.parquet", table)


_files = itertools.count()


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> ArchiveFolder:
    settings.ARCHIVE_URL = str(tmp_path)
    return ArchiveFolder(str(tmp_path))


def view(number: int, *, at_ms: int) -> dict[str, Any]:
    return event("view_item", event_id=f"e{number:08d}", at_ms=at_ms, items=["a", "b"])


def pages(*, limit: int, browsers: tuple[str, ...] = (ME,)) -> list[list[tuple[str, int]]]:
    """Return event and row of every entry, page by page, as a client walks them."""
    found, after = [], None
    while True:
        events, after = read_history(SITE, Ownership(user_id=None, browsers=browsers), after=after, limit=limit)
        found.append([(each["event_id"], each["row"]) for each in events])
        if after is None:
            return found
        after = Cursor.parse(str(after))


def test_pages_hold_every_event_once_newest_first(folder: ArchiveFolder) -> None:
    # Five of one moment in the middle, so that a page ends between events that only their ids keep apart.
    times = [NOW_MS - day * DAY_MS for day in range(4) for _ in range(5)]
    mine = [record(view(number, at_ms=at_ms), anonymous_id=ME) for number, at_ms in enumerate(times)]
    store(folder, *mine, record(view(99, at_ms=NOW_MS), anonymous_id=OTHER))
    store(folder, *mine[:7])  # sent again, in another file

    walked = pages(limit=3)
    whole = pages(limit=1_000)

    assert [len(page) for page in walked[:-1]] == [3] * (len(walked) - 1)
    assert list(itertools.chain(*walked)) == whole[0]
    assert len(whole[0]) == len(set(whole[0])) == 2 * len(times)
    assert [int(event_id[1:]) // 5 for event_id, _ in whole[0]] == sorted(int(e[1:]) // 5 for e, _ in whole[0])


def test_a_page_reads_the_days_that_it_needs(folder: ArchiveFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    store(folder, *(record(view(day, at_ms=NOW_MS - day * DAY_MS), anonymous_id=ME) for day in range(50)))
    read: list[str] = []
    real = maintenance.read_table

    def counting(where: ArchiveFolder, path: str, **named: Any) -> Any:
        read.append(path)
        return real(where, path, **named)

    monkeypatch.setattr(history, "read_table", counting)

    events, after = read_history(SITE, Ownership(user_id=None, browsers=(ME,)), after=None, limit=4)
    read_history(SITE, Ownership(user_id=None, browsers=(ME,)), after=after, limit=4)

    assert [len(events), after] == [4, Cursor(-(NOW_MS - DAY_MS), 1, "e00000001")]
    assert len(set(read)) <= 2 * 4, "of fifty days"


def test_a_site_sees_its_own_events_only(folder: ArchiveFolder) -> None:
    store(folder, record(view(1, at_ms=NOW_MS), anonymous_id=ME))

    assert read_history("other", Ownership(user_id=None, browsers=(ME,)), after=None, limit=10) == ([], None)


@pytest.mark.slow
@settings(max_examples=200)
@given(st.integers(0, 10**15), st.integers(0, 32_767), st.text(min_size=1, max_size=128))
def test_a_place_is_read_as_it_was_written(at_ms: int, row: int, event_id: str) -> None:
    cursor = Cursor(-at_ms, row, event_id)

    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize("text", ["x", "-1-0-e", "1-1", "1-1-", "9" * 17 + "-0-e", "1-1-" + "e" * 129])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="send the 'next'"):
        Cursor.parse(text)
