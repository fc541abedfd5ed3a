"""A start over the data of another release: tables that do not fit, and a model that is refused."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from recommendations.exceptions import RefusalReason, VersionRefused
from recommendations.graphs.export import export_model_set
from recommendations.models import ModelVersion
from recommendations.versions.folder import check_integrity
from recommendations.versions.lifecycle import version_path
from recsite.demo.setup import ensure_site
from recsite.demo.trained import give_up_refused
from recsite.supervisor.ports import free_port
from tests.recommendations import model_worlds
from tests.recsite.supervisor.test_up import ROOT, start_up

START_FAILED_S = 60


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


def test_tables_of_this_release_fit(data: Path) -> None:
    assert check(data) == "fits"


def test_without_a_database_nothing_is_wrong_and_nothing_is_made(tmp_path: Path) -> None:
    assert check(tmp_path) == "fits"
    assert not (tmp_path / "recsite.sqlite3").exists()


def test_a_migration_that_waits_is_for_migrate_to_run(data: Path) -> None:
    change(
        data,
        "ALTER TABLE tracking_site DROP COLUMN locale",
        "DELETE FROM django_migrations WHERE app IN ('tracking', 'features', 'recommendations')",
    )
    assert check(data) == "fits"


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


def test_a_column_that_nobody_fills_any_more_is_named(data: Path) -> None:
    with closing(sqlite3.connect(data / "recsite.sqlite3")) as database:
        sql = database.execute("SELECT sql FROM sqlite_master WHERE name = 'tracking_site'").fetchone()[0]
    changed = sql.replace('CREATE TABLE "tracking_site" (', 'CREATE TABLE "tracking_site" ("gone" integer NOT NULL, ')
    assert changed != sql
    change(data, 'DROP TABLE "tracking_site"', changed)
    assert "column tracking_site.gone is not known any more" in check(data)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "recsite.sqlite3").write_bytes(b"not a database" * 100)
    said = check(tmp_path)
    assert "cannot be read" in said
    assert "Traceback" not in said


def test_up_says_so_before_anything_is_started(data: Path) -> None:
    change(data, "ALTER TABLE tracking_site DROP COLUMN locale")
    up = start_up(data, free_port(), "--demo")
    shown, _ = up.communicate(timeout=START_FAILED_S)
    assert up.returncode != 0
    assert "column tracking_site.locale is missing" in shown
    assert "make clean" in shown
    assert "Traceback" not in shown
    assert not (data / "redis").exists()


# --- the model --------------------------------------------------------------------------------------------------


def live_version(settings: Any, data: Path, *, with_ranker: bool) -> ModelVersion:
    """Register a version as live; the ranker of the little world has other columns than this release."""
    settings.MODEL_DIR, settings.INFERENCE_PROVIDER = data / "models", "cpu"
    site, _ = ensure_site()
    path = version_path(site.slug, "v1")
    path.parent.mkdir(parents=True)
    export_model_set(model_worlds.fitted_model_set(with_ranker=with_ranker), path)
    return ModelVersion.objects.create(
        site=site, version="v1", status=ModelVersion.Status.LIVE, manifest={"sha256": check_integrity(path)}
    )


def test_a_version_that_answers_stays_live(db: None, settings: Any, tmp_path: Path) -> None:
    version = live_version(settings, tmp_path, with_ranker=False)
    assert give_up_refused(version.site) is None
    version.refresh_from_db()
    assert version.status == ModelVersion.Status.LIVE


def test_before_the_first_training_nothing_is_refused(db: None) -> None:
    site, _ = ensure_site()
    assert give_up_refused(site) is None


def test_a_version_with_other_columns_is_trained_again_and_that_is_said(
    db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = live_version(settings, tmp_path, with_ranker=True)
    settings.DEMO, settings.DATA_DIR = True, tmp_path
    (tmp_path / "demo_ready").touch()
    # What the shop's history is made of is another test's subject; here it is there already.
    monkeypatch.setattr("recsite.management.commands.demo_data.Command._simulate", lambda *_: None)

    call_command("demo_data")

    said = " ".join(capsys.readouterr().out.split())
    assert "this release refuses the trained model, so it is trained again" in said
    assert "other columns than ours" in said
    assert not (tmp_path / "demo_ready").exists()
    version.refresh_from_db()
    assert version.status == ModelVersion.Status.REFUSED


def test_a_version_whose_folder_is_gone_is_refused(db: None, settings: Any, tmp_path: Path) -> None:
    version = live_version(settings, tmp_path, with_ranker=False)
    settings.MODEL_DIR = tmp_path / "elsewhere"
    with pytest.raises(VersionRefused) as caught:
        check_integrity(version_path(version.site.slug, "v1"))
    assert caught.value.reason is RefusalReason.MISSING
    assert give_up_refused(version.site)
