"""A database of another release is named before anything is started."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from recsite.supervisor.ports import free_port
from tests.recsite.supervisor.old_data import START_FAILED_S, change, check
from tests.recsite.supervisor.test_up import start_up


@pytest.mark.slow
def test_tables_of_this_release_fit(data: Path) -> None:
    assert check(data) == "fits"


@pytest.mark.slow
def test_without_a_database_nothing_is_wrong_and_nothing_is_made(tmp_path: Path) -> None:
    assert check(tmp_path) == "fits"
    assert not (tmp_path / "recsite.sqlite3").exists()


@pytest.mark.slow
def test_a_migration_that_waits_is_for_migrate_to_run(data: Path) -> None:
    change(
        data,
        "ALTER TABLE tracking_site DROP COLUMN locale",
        "DELETE FROM django_migrations WHERE app IN ('tracking', 'features', 'recommendations')",
    )
    assert check(data) == "fits"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("ALTER TABLE tracking_site DROP COLUMN locale", "column tracking_site.locale is missing"),
        ("DROP TABLE recommendations_trainingpolicy", "table recommendations_trainingpolicy is missing"),
    ],
)
def test_what_migrate_cannot_mend_is_named_with_the_remedy(data: Path, statement: str, named: str) -> None:
    change(data, statement)
    said = check(data)
    assert named in said
    assert "`make clean`" in said
    assert str(data) in said


@pytest.mark.slow
def test_a_column_that_nobody_fills_any_more_is_named(data: Path) -> None:
    with closing(sqlite3.connect(data / "recsite.sqlite3")) as database:
        sql = database.execute("SELECT sql FROM sqlite_master WHERE name = 'tracking_site'").fetchone()[0]
    changed = sql.replace('CREATE TABLE "tracking_site" (', 'CREATE TABLE "tracking_site" ("gone" integer NOT NULL, ')
    assert changed != sql
    change(data, 'DROP TABLE "tracking_site"', changed)
    assert "column tracking_site.gone is not known any more" in check(data)


@pytest.mark.slow
def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "recsite.sqlite3").write_bytes(b"not a database" * 100)
    said = check(tmp_path)
    assert "cannot be read" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_up_says_so_before_anything_is_started(data: Path) -> None:
    change(data, "ALTER TABLE tracking_site DROP COLUMN locale")
    up = start_up(data, free_port(), "--demo")
    shown, _ = up.communicate(timeout=START_FAILED_S)
    assert up.returncode != 0
    assert "column tracking_site.locale is missing" in shown
    assert "make clean" in shown
    assert "Traceback" not in shown
    assert not (data / "redis").exists()
