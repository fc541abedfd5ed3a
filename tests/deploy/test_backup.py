"""A whole installation is saved, lost and restored, on either database."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import weakref
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.conftest import ROOT
from tests.recommendations.own_models import write_model
from tests.services.fixtures import leave_out
from tests.services.installations.launching import Started
from tests.services.process import Missing
from tests.services.waiting import COMMAND_S

pytestmark = pytest.mark.slow
MAKE = """
from tracking.models import Site
from features.models import Item
site, _ = Site.objects.get_or_create(slug="default", defaults={"name": "Shop"})
Item.objects.bulk_create([
    Item(site=site, item_id=f"I{n}", title=f"Item {n} ä", price_minor=1000 + n, currency="EUR", url=f"/p/{n}")
    for n in range(2_000)
])
"""
LOSE = "from features.models import Item; Item.objects.all().delete()"
LOOK = """
import hashlib
from features.models import Item
rows = list(Item.objects.order_by("item_id").values_list("item_id", "title", "price_minor"))
print(len(rows), hashlib.sha256(repr(rows).encode()).hexdigest())
"""


@dataclass
class Place:
    """The data of an installation, and commands on it."""

    data: Path
    environment: dict[str, str]

    def __post_init__(self) -> None:
        self._launcher = Started(self.environment)
        weakref.finalize(self, self._launcher.close).atexit = False

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        if command[0] == "manage.py":
            return self._launcher.manage(*command[1:], timeout_s=COMMAND_S)
        return subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=self.environment, capture_output=True, text=True,
            timeout=COMMAND_S, check=False,
        )  # fmt: skip

    def well(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.data)): path.read_bytes()
            for name in ("archive", "models", "spool")
            for path in sorted((self.data / name).rglob("*"))
            if path.is_file()
        }

    def lose(self) -> None:
        for name in ("archive", "models", "spool"):
            shutil.rmtree(self.data / name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    data = tmp_path / "data"
    data.mkdir()
    url = f"sqlite:///{data}/recsite.sqlite3"
    if request.param == "postgresql":
        if shutil.which("pg_dump") is None:
            leave_out(request.config, Missing("pg_dump", "apt install postgresql-client"))
        url = request.getfixturevalue("postgres_server").new_database()
    environment = {
        **os.environ, "RECSITE_DATA_DIR": str(data), "RECSITE_SECRET_KEY": "only-for-tests-" + "b" * 50,
        "DATABASE_URL": url,
    }  # fmt: skip
    made = Place(data, environment)
    made.well("manage.py", "migrate", "--no-input", "--verbosity", "0")
    made.well("manage.py", "shell", "-v", "0", "-c", MAKE)
    for name, content in {
        "archive/site=shop/day=2026-01-01/part-0.parquet": os.urandom(3_000_000),
        "archive/erased/1": b"a tombstone",
        "models/default/7/model.onnx": os.urandom(500_000),
        "models/empty/x": b"",
        "spool/1/000.seg": b"accepted",
    }.items():
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return made


def test_what_was_saved_and_lost_is_there_again(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "recsite.tar"
    before, rows = place.files(), place.well("manage.py", "shell", "-v", "0", "-c", LOOK)
    assert rows.startswith("2000 ")
    begun = time.monotonic()
    said = place.well("deploy/backup.py", "save", str(file))
    saved_s = time.monotonic() - begun
    assert file.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob(".backup-*"))

    refused = place.run("deploy/backup.py", "restore", str(file))
    assert refused.returncode == 1
    assert "--replace" in refused.stderr

    place.lose()
    assert place.well("manage.py", "shell", "-v", "0", "-c", LOSE + LOOK).startswith("0 ")
    begun = time.monotonic()
    restored = place.well("deploy/backup.py", "restore", str(file), "--replace")
    print(f"\nsaved in {saved_s:.1f} s, restored in {time.monotonic() - begun:.1f} s:\n{said}{restored}")
    assert place.files() == before
    assert place.well("manage.py", "shell", "-v", "0", "-c", LOOK) == rows
    assert "sweep_erased" in restored
    assert place.well("manage.py", "migrate", "--check") == ""


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_shops_own_models_come_back_and_the_newest_of_a_name_answers(place: Place, tmp_path: Path) -> None:
    model, items = write_model(tmp_path / "mine")
    install = ("manage.py", "own_model", "install", "--site", "default", "--name", "mine", "--budget-ms", "50")
    for weight in ("3", "2"):  # the second replaces the first, which stays beside it until the next
        place.well(*install, "--model", str(model), "--items", str(items), "--weight", weight)
    before, listed = place.files(), place.well("manage.py", "own_model", "list", "--site", "default")
    place.well("deploy/backup.py", "save", str(tmp_path / "recsite.tar"))

    place.lose()
    assert "mine" not in place.well("manage.py", "own_model", "list", "--site", "default")
    place.well("deploy/backup.py", "restore", str(tmp_path / "recsite.tar"), "--replace")

    assert place.files() == before
    assert len([name for name in before if name.endswith("own.json")]) == 2
    assert place.well("manage.py", "own_model", "list", "--site", "default") == listed
    assert re.search(r"mine\W.*\W2\W", listed)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with its backup beside it; a folder to be copied."""
    folder = tmp_path_factory.mktemp("saved")
    (folder / "data/models").mkdir(parents=True)
    (folder / "data/models/kept").write_bytes(b"kept")
    place = Place(folder / "data", of(folder / "data"))
    place.well("manage.py", "migrate", "--no-input", "--verbosity", "0", "contenttypes")
    place.well("deploy/backup.py", "save", str(folder / "recsite.tar"))
    return folder


def of(data: Path) -> dict[str, str]:
    return {
        **os.environ, "RECSITE_DATA_DIR": str(data), "RECSITE_SECRET_KEY": "only-for-tests-" + "b" * 50,
        "DATABASE_URL": f"sqlite:///{data}/recsite.sqlite3",
    }  # fmt: skip


@pytest.mark.parametrize("damage", ["cut", "other key", "other engine", "no backup"])
def test_what_is_not_ours_or_cut_short_changes_nothing(saved: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(saved, tmp_path / "own")
    data, file = tmp_path / "own/data", tmp_path / "own/recsite.tar"
    environment = of(data)
    place = Place(data, environment)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif damage == "other key":
        environment["RECSITE_SECRET_KEY"] = "only-for-tests-" + "c" * 50
    elif damage == "other engine":
        environment["DATABASE_URL"] = "postgres://u:p@127.0.0.1:1/x"
    else:
        file.write_bytes(b"not a tar")
    before = (data / "recsite.sqlite3").read_bytes()
    refused = place.run("deploy/backup.py", "restore", str(file), "--replace")
    assert refused.returncode == 1, refused.stdout
    assert "Traceback" not in refused.stderr
    assert (data / "models/kept").read_bytes() == b"kept"
    assert (data / "recsite.sqlite3").read_bytes() == before
