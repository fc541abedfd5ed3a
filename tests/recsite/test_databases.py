"""How Django reaches its database."""

from __future__ import annotations

from pathlib import Path

from recsite.databases import databases


def test_without_an_address_it_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    found = databases(None, folder=tmp_path, timeout_ms=400)["default"]
    assert found["NAME"] == tmp_path / "recsite.sqlite3"
    assert "WAL" in found["OPTIONS"]["init_command"]


def test_postgresql_gives_up_long_statements_and_sooner_locks(tmp_path: Path) -> None:
    found = databases("postgres://me@db:5433/shop", folder=tmp_path, timeout_ms=400)["default"]
    assert (found["ENGINE"], found["HOST"], found["PORT"], found["NAME"]) == ("recsite.postgresql", "db", 5433, "shop")
    assert "statement_timeout=400 " in found["OPTIONS"]["options"]
    assert "lock_timeout=200 " in found["OPTIONS"]["options"]


def test_another_database_keeps_its_own_options(tmp_path: Path) -> None:
    found = databases(f"sqlite:///{tmp_path}/mine.sqlite3", folder=tmp_path, timeout_ms=400)["default"]
    assert found["ENGINE"].endswith("sqlite3")
    assert found["NAME"] == f"{tmp_path}/mine.sqlite3"
