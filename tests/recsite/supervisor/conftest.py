"""A migrated database of this release, to be changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.services.installations.migrated import put_migrated


@pytest.fixture(scope="module")
def fresh_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a database that this release made."""
    return put_migrated(tmp_path_factory.mktemp("fresh"))


@pytest.fixture
def data(fresh_file: Path, tmp_path: Path) -> Path:
    """Give a data folder with a copy of it."""
    with closing(sqlite3.connect(fresh_file)) as source, closing(sqlite3.connect(tmp_path / fresh_file.name)) as copy:
        source.backup(copy)
    return tmp_path
