"""A migrated database of this release, to be changed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.recsite.supervisor.test_up import ROOT


@pytest.fixture(scope="module")
def fresh_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a database that this release made."""
    data = tmp_path_factory.mktemp("fresh")
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "migrate", "--no-input", "--verbosity", "0"],
        env={**environment, "RECSITE_DATA_DIR": str(data), "RECSITE_SECRET_KEY": "only-for-tests-" + "x" * 50},
        check=True,
        timeout=120,
    )
    return data / "recsite.sqlite3"


@pytest.fixture
def data(fresh_file: Path, tmp_path: Path) -> Path:
    """Give a data folder with a copy of it."""
    with closing(sqlite3.connect(fresh_file)) as source, closing(sqlite3.connect(tmp_path / fresh_file.name)) as copy:
        source.backup(copy)
    return tmp_path
