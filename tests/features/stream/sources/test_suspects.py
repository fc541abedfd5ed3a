"""Suspects are who took a large share, whatever the files are, and memory stays bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from features.archive.maintenance import read_table
from features.archive.writer import ArchiveFolder
from features.stream.sources import suspects
from features.stream.sources.suspects import find_suspects
from tests.features.making import NOW_MS, event, record
from tests.features.privacy.lives import archive
from tracking.contract.events import EventRecord

HOUR_MS = 3_600_000
BAD = 77


def views(n: int, item: str, *, network: int, user: str, hours: int = 0) -> list[EventRecord]:
    return [
        replace(
            record(
                event("view_item", at_ms=NOW_MS - hours * HOUR_MS - 1 - number, items=[item]),
                anonymous_id=f"{user}-{number:027d}",
            ),
            network=network,
        )
        for number in range(n)
    ]


def honest() -> list[EventRecord]:
    return [one for number in range(60) for one in views(20, "A", network=1_000 + number, user="h")]


def test_a_network_that_is_an_items_audience_is_found_with_its_figures(tmp_path: Path) -> None:
    folder = ArchiveFolder(str(tmp_path))
    bad = [*views(40, "B", network=BAD, user="x"), *views(20, "B", network=BAD, user="y", hours=3)]
    archive(folder, [*honest(), *bad, *views(100, "C", network=BAD + 1, user="z", hours=30)])

    found = find_suspects(folder, site="shop", now_ms=NOW_MS)

    assert found.events == 1_260
    [one] = found.found
    assert (one.network, one.hour, one.day, one.users) == (BAD, 40, 60, 60)
    assert (one.item_id, one.item_share, one.item_events) == ("B", 1.0, 60)
    assert one.site_share == pytest.approx(60 / 1_260)


def test_one_user_who_clicks_all_day_is_found_whatever_their_networks_are(tmp_path: Path) -> None:
    folder = ArchiveFolder(str(tmp_path))
    clicks = [
        replace(one, network=number + 1, anonymous_id="q" * 32)
        for number, one in enumerate(views(90, "A", network=1, user="q"))
    ]
    archive(folder, [*honest(), *clicks])
    [one] = find_suspects(folder, site="shop", now_ms=NOW_MS).found
    assert (one.user_key, one.network, one.day) == ("a:" + "q" * 32, None, 90)


def test_who_a_shop_vouches_for_is_no_suspect(tmp_path: Path) -> None:
    folder = ArchiveFolder(str(tmp_path))
    archive(folder, [replace(one, user_id="ann") for one in views(90, "B", network=BAD, user="x")])
    assert find_suspects(folder, site="shop", now_ms=NOW_MS).found == []


def test_more_names_than_are_told_apart_push_no_suspect_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspects, "MOST_TOLD_APART", 20)
    folder = ArchiveFolder(str(tmp_path))
    many = [
        one
        for number in range(200)
        for one in views(2, f"I{number % 50}", network=number + 1_000, user=f"h{number:03d}")
    ]
    archive(folder, [*many, *views(60, "B", network=BAD, user="x")])
    assert [one.network for one in find_suspects(folder, site="shop", now_ms=NOW_MS).found] == [BAD]


def test_each_file_of_the_day_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ArchiveFolder(str(tmp_path))
    archive(folder, honest())
    archive(folder, views(60, "B", network=BAD, user="x"))
    read: list[str] = []

    def noted(folder: ArchiveFolder, path: str, **options: Any) -> Any:
        read.append(path)
        return read_table(folder, path, **options)

    monkeypatch.setattr(suspects, "read_table", noted)

    [one] = find_suspects(folder, site="shop", now_ms=NOW_MS).found

    assert one.users == 60
    assert sorted(read) == folder.files(site="shop")


def test_many_users_of_a_network_are_an_estimate_and_few_are_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ArchiveFolder(str(tmp_path))
    archive(folder, [*views(2_000, "B", network=BAD, user="x"), *views(200, "C", network=BAD + 1, user="y")])

    found = {one.network: one.users for one in find_suspects(folder, site="shop", now_ms=NOW_MS).found}

    assert found[BAD + 1] == 200
    assert 1_600 < found[BAD] < 2_400
