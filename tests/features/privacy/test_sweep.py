"""After an erasure, and after any backup that is restored, nothing of the erased and everything of others is there."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.core.management import call_command
from django.test import override_settings

from features import keys
from features.archive.maintenance import read_table
from features.archive.writer import ArchiveFolder
from features.models import Erasure, StoredProfile
from features.privacy import tombstones
from features.privacy.closure import find_ownership
from features.privacy.erasure import erase_user, export_user
from features.privacy.sweep import sweep_erased
from features.state.purchases import hash64
from features.state.states import ProfileState, encode
from features.store import connections
from tests.features.privacy.lives import BROWSERS, archive, lives, row
from tracking.contract.user_key import key_of_anonymous
from tracking.models import Site


@pytest.fixture
def shop(db: None, settings: Any, tmp_path: Path, state_urls: Any) -> Site:
    settings.ARCHIVE_URL = str(tmp_path / "archive")
    settings.REDIS_URL = state_urls()
    settings.EVENT_LOG_URL = f"{settings.REDIS_URL}?partitions=4"
    return Site.objects.create(slug="shop", name="Shop", currency="EUR")


def rows_in(folder: ArchiveFolder) -> pl.DataFrame:
    tables = [pl.from_arrow(read_table(folder, path)) for path in folder.files()]
    return pl.concat(tables) if tables else pl.DataFrame(schema={"event_id": pl.String, "user_id": pl.String})  # type: ignore[type-var]


def events_of(folder: ArchiveFolder) -> set[str]:
    return set(rows_in(folder)["event_id"].to_list())


@pytest.mark.redis
@pytest.mark.parametrize("seed", range(2))
def test_of_random_lives_no_trace_is_left_and_no_row_of_others_is_lost(shop: Site, settings: Any, seed: int) -> None:
    folder = ArchiveFolder(settings.ARCHIVE_URL)
    archive(folder, lives(random.Random(seed), n_people=8))
    for number in range(4):
        who = f"person-{number}"
        whole = find_ownership(folder, site="shop", user_id=who, browsers=())
        everything = events_of(folder)
        mine = {one["event_id"] for one in export_user(shop, user_id=who)["events"]}
        named = set(rows_in(folder).filter(pl.col("user_id") == who)["event_id"].to_list())
        assert named <= mine
        assert set(whole.browsers) <= set(BROWSERS)

        receipt = erase_user(shop, user_id=who)

        assert receipt["archive"]["rows"] == len(mine) > len(named) > 0
        assert events_of(folder) == everything - mine
        assert export_user(shop, user_id=who)["events"] == []
    assert sweep_erased().rows == 0


@pytest.mark.redis
def test_a_restored_archive_meets_the_tombstones_of_the_database(shop: Site, settings: Any, tmp_path: Path) -> None:
    folder = ArchiveFolder(settings.ARCHIVE_URL)
    archive(folder, [row(BROWSERS[0], "ann", day=1), row(BROWSERS[1], "bob", day=1)])
    shutil.copytree(settings.ARCHIVE_URL, tmp_path / "backup")
    erase_user(shop, user_id="ann")
    left = events_of(folder)
    shutil.rmtree(settings.ARCHIVE_URL)
    shutil.copytree(tmp_path / "backup", settings.ARCHIVE_URL)
    assert events_of(folder) != left

    swept = sweep_erased()

    assert (swept.rows, swept.beside_archive, swept.in_database) == (1, 2, 0)
    assert events_of(folder) == left


@pytest.mark.redis
def test_a_restored_database_meets_the_tombstones_beside_the_archive(shop: Site, settings: Any) -> None:
    def profile(user_key: str, first_ms: int) -> None:
        state = encode(ProfileState(first_ms=first_ms, newest_ms=first_ms))
        StoredProfile.objects.create(site=shop, user_key=user_key, state=state, newest_ms=first_ms)

    folder = ArchiveFolder(settings.ARCHIVE_URL)
    archive(folder, [row(BROWSERS[0], "ann", day=1)])
    until_ms = erase_user(shop, user_id="ann")["erased_at_ms"]
    Erasure.objects.all().delete()  # a database of before the erasure
    profile("u:ann", until_ms - 1_000)
    profile("u:bob", until_ms - 1_000)
    profile(f"a:{BROWSERS[0]}", until_ms + 1_000)  # came back after the erasure: that is kept

    swept = sweep_erased()

    assert (swept.in_database, swept.profiles) == (2, 1)
    assert set(StoredProfile.objects.values_list("user_key", flat=True)) == {"u:bob", f"a:{BROWSERS[0]}"}
    assert {one.user_hash for one in Erasure.objects.all()} == {one.user_hash for one in tombstones.read(folder)}
    assert sweep_erased().in_database == 0


@pytest.mark.redis
def test_the_command_says_what_it_found(shop: Site, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("sweep_erased")
    assert "0 stored profiles, 0 rows" in capsys.readouterr().out


@pytest.mark.django_db
def test_an_erasure_that_fails_midway_is_noted_before_it_begins(settings: Any, tmp_path: Path) -> None:
    settings.ARCHIVE_URL = str(tmp_path)
    shop = Site.objects.create(slug="shop", name="Shop", currency="EUR")
    archive(ArchiveFolder(str(tmp_path)), [row(BROWSERS[0], "ann", day=1)])
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"), pytest.raises(Exception, match=r"127\.0\.0\.1:1"):
        erase_user(shop, user_id=None, anonymous_ids=[BROWSERS[0]])
    assert Erasure.objects.count() == 1


@pytest.mark.redis
def test_an_erasure_of_earlier_times_lets_nothing_back_of_a_later_one(shop: Site, settings: Any) -> None:
    key = key_of_anonymous(BROWSERS[0])
    partition = keys.partition_of("shop", key, connections.partitions())
    until_ms = erase_user(shop, user_id=None, anonymous_ids=[BROWSERS[0]])["erased_at_ms"]
    archive(
        ArchiveFolder(settings.ARCHIVE_URL), [row(BROWSERS[0], "ann", day=2), row(BROWSERS[0], "bob", day=1)]
    )  # an old log that was imported since

    erase_user(shop, user_id="ann")

    assert connections.store().erased_users(partition, "shop")[hash64(key)] == until_ms
