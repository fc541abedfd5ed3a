"""Save an installation into one file, and restore it: database, archive with its tombstones, models, spool.

    python deploy/backup.py save FILE
    python deploy/backup.py restore FILE [--replace]

Saving runs beside everything. Restoring needs the processes stopped; features are rebuilt afterwards from the archive.
PostgreSQL needs pg_dump and pg_restore of at least the server's version. A remote archive (s3://…) is left out and
named: its store has copies of its own. The secret key is not in the file; without it erased users and signed ids are
unknown, so a restore with another one is refused.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

PROJECT: Final = Path(__file__).resolve().parent.parent
VERSION: Final = 1
DATABASE: Final = "database"


class BackupFailed(Exception):
    """The message says what is wrong, and the remedy."""


def folders() -> dict[str, Path]:
    """Return the local folders of this installation by their names in the file."""
    from django.conf import settings

    found = {"models": Path(settings.MODEL_DIR), "spool": Path(settings.SPOOL_DIR)}
    archive = str(settings.ARCHIVE_URL).removeprefix("file://")
    if "://" not in archive:
        found["archive"] = Path(archive)
    return found


def save(file: Path, say: Callable[[str], object] = print) -> None:
    """Write everything into ``file``, which appears only when it is whole."""
    from django.conf import settings

    new = file.with_name(file.name + ".new")
    with tempfile.TemporaryDirectory(dir=file.resolve().parent, prefix=".backup-") as scratch:
        new.touch(mode=0o600)
        with tarfile.open(new, "w") as tar:
            begun = time.monotonic()
            dump = Path(scratch) / DATABASE
            _save_database(settings.DATABASES["default"], dump)
            tar.add(dump, DATABASE)
            _tell(say, DATABASE, dump.stat().st_size, begun)
            parts = [DATABASE]
            for name, folder in folders().items():
                begun = time.monotonic()
                size = _save_folder(tar, folder, name)
                parts.append(name)
                _tell(say, name, size, begun)
            if "archive" not in parts:
                say(f"archive: left out, it is not on this machine ({str(settings.ARCHIVE_URL).partition('?')[0]})")
            manifest = Path(scratch) / "manifest.json"
            engine = settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]
            manifest.write_text(
                json.dumps({"version": VERSION, "engine": engine, "parts": parts, "secret_key": _key_digest()})
            )
            tar.add(manifest, "manifest.json")
        with new.open("rb") as handle:
            os.fsync(handle.fileno())
    new.replace(file)


def restore(file: Path, *, replace: bool = False, say: Callable[[str], object] = print) -> None:
    """Put back what ``file`` holds.

    Raises
    ------
    BackupFailed
        The file is cut short or of another installation, or there is something already and ``replace`` is not set.
    """
    from django.conf import settings

    database = settings.DATABASES["default"]
    with tempfile.TemporaryDirectory(dir=file.resolve().parent, prefix=".restore-") as scratch:
        try:
            with tarfile.open(file) as tar:
                tar.extractall(scratch, filter="data")
            manifest = json.loads((Path(scratch) / "manifest.json").read_text())
        except (OSError, tarfile.TarError, ValueError) as error:
            raise BackupFailed(f"{file} is no whole backup: {error}; take another one") from error
        _check(manifest, database)
        here = folders()
        if not replace:
            taken = [str(folder) for folder in here.values() if folder.is_dir() and any(folder.iterdir())]
            if taken or _has_tables(database):
                raise BackupFailed(
                    f"there is something already: {', '.join(taken) or 'the database has tables'}; "
                    "stop all processes and say --replace to lose it"
                )
        begun = time.monotonic()
        _restore_database(database, Path(scratch) / DATABASE)
        _tell(say, DATABASE, (Path(scratch) / DATABASE).stat().st_size, begun)
        for name in manifest["parts"]:
            if name not in here:
                continue
            begun = time.monotonic()
            shutil.rmtree(here[name], ignore_errors=True)
            here[name].parent.mkdir(parents=True, exist_ok=True)
            shutil.move(Path(scratch) / name, here[name])
            _tell(say, name, sum(path.stat().st_size for path in here[name].rglob("*") if path.is_file()), begun)
    say("Next: manage.py migrate; manage.py sweep_erased; manage.py replay --flush; then start the processes.")


def _check(manifest: dict[str, Any], database: dict[str, Any]) -> None:
    if manifest["version"] != VERSION:
        raise BackupFailed(f"the backup has version {manifest['version']}; this program reads {VERSION}")
    engine = database["ENGINE"].rpartition(".")[2]
    if manifest["engine"] != engine:
        raise BackupFailed(f"the backup is of {manifest['engine']}, DATABASE_URL of {engine}; use the same engine")
    if not hmac.compare_digest(manifest["secret_key"], _key_digest()):
        raise BackupFailed("the backup is of an installation with another RECSITE_SECRET_KEY; set that one")


def _key_digest() -> str:
    from django.conf import settings

    return hmac.new(settings.SECRET_KEY.encode(), b"recsite backup", hashlib.sha256).hexdigest()


def _save_folder(tar: tarfile.TarFile, folder: Path, name: str) -> int:
    """Add a folder that others may write to meanwhile: what vanishes is left out, what grows is cut where it stood."""
    root = tarfile.TarInfo(name)
    root.type, root.mode = tarfile.DIRTYPE, 0o700
    tar.addfile(root)
    size = 0
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_dir():
                tar.add(path, f"{name}/{path.relative_to(folder)}", recursive=False)
            elif path.is_file() and not path.is_symlink():
                with path.open("rb") as handle:
                    info = tar.gettarinfo(arcname=f"{name}/{path.relative_to(folder)}", fileobj=handle)
                    info.type = tarfile.REGTYPE  # a hard link is a file like any other
                    info.size = os.fstat(handle.fileno()).st_size
                    tar.addfile(info, handle)
                    size += info.size
        except FileNotFoundError:
            continue
    return size


def _save_database(database: dict[str, Any], dump: Path) -> None:
    if database["ENGINE"].endswith("sqlite3"):
        with sqlite3.connect(database["NAME"]) as source, sqlite3.connect(dump) as target:
            source.backup(target)
        return
    _run(database, "pg_dump", "--format=custom", "--no-owner", f"--file={dump}")


def _restore_database(database: dict[str, Any], dump: Path) -> None:
    if database["ENGINE"].endswith("sqlite3"):
        with sqlite3.connect(dump) as source, sqlite3.connect(database["NAME"]) as target:
            source.backup(target)
        return
    _run(
        database, "pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction",
        f"--dbname={database['NAME']}", str(dump),
    )  # fmt: skip


def _has_tables(database: dict[str, Any]) -> bool:
    from django.db import connection

    if database["ENGINE"].endswith("sqlite3") and not Path(database["NAME"]).exists():
        return False
    try:
        return bool(connection.introspection.table_names())
    finally:
        connection.close()


def _run(database: dict[str, Any], program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL; the password goes by the environment, where no list of processes shows it."""
    names = {"NAME": "PGDATABASE", "USER": "PGUSER", "PASSWORD": "PGPASSWORD", "HOST": "PGHOST", "PORT": "PGPORT"}
    given = {variable: str(database[name]) for name, variable in names.items() if database.get(name)}
    try:
        done = subprocess.run([program, *arguments], env={**os.environ, **given}, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise BackupFailed(f"{program} is missing; install PostgreSQL's client programs") from error
    if done.returncode:
        raise BackupFailed(f"{program}: {done.stderr.strip()[-500:]}")


def _tell(say: Callable[[str], object], name: str, size: int, begun: float) -> None:
    say(f"{name}: {size / 1e6:.1f} MB in {time.monotonic() - begun:.1f} s")


def main(arguments: list[str] | None = None) -> int:
    """Save or restore; exit status 1 with a message when it cannot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("save", "restore"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--replace", action="store_true", help="lose what is there")
    chosen = parser.parse_args(arguments)
    sys.path.insert(0, str(PROJECT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    import django

    django.setup()
    try:
        if chosen.what == "save":
            save(chosen.file)
        else:
            restore(chosen.file, replace=chosen.replace)
    except BackupFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
