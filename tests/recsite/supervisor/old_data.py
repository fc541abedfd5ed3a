"""Databases of other releases, and what is said of them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.recsite.supervisor.test_up import ROOT

START_FAILED_S = 60


def change(data: Path, *statements: str) -> None:
    with closing(sqlite3.connect(data / "recsite.sqlite3")) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def check(data: Path) -> str:
    """Return what the check of the tables says of this folder, in a process of its own."""
    code = (
        "import django; django.setup()\n"
        "from recsite.supervisor.database import check_tables, DatabaseOutdated\n"
        "try: check_tables(); print('fits')\n"
        "except DatabaseOutdated as error: print(error)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={
            **environment,
            "RECSITE_DATA_DIR": str(data),
            "RECSITE_SECRET_KEY": "only-for-tests-" + "x" * 50,
            "DJANGO_SETTINGS_MODULE": "recsite.settings",
        },
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.strip()
