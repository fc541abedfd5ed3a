"""Random lives on shared browsers: what an erasure leaves of the erased, and takes of others, also after a restore."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.report import print_table
from tests.services.redis_server import RedisServer

LIVES: Final = 50
QUICK_LIVES: Final = 12


def run(*, quick: bool) -> dict[str, float]:
    """Erase every second person, restore database and archive from before, sweep; prints a table."""
    with (
        tempfile.TemporaryDirectory(prefix="recsite-erasure-") as name,
        RedisServer() as redis,
        _installation(Path(name), redis.url),
    ):
        return _measure(Path(name), redis.url, n_lives=QUICK_LIVES if quick else LIVES)


@contextmanager
def _installation(data: Path, redis_url: str) -> Iterator[None]:
    """Set Django up over a database, an archive and a Redis of its own."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "recsite.settings", "RECSITE_SECRET_KEY": "only-for-benchmarks-" + "x" * 50,
        "RECSITE_DATA_DIR": str(data), "REDIS_URL": redis_url, "EVENT_LOG_URL": f"{redis_url}?partitions=4",
    }  # fmt: skip
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    yield


def _measure(data: Path, redis_url: str, *, n_lives: int) -> dict[str, float]:
    from django.conf import settings
    from django.db import connection

    from features.archive.writer import ArchiveFolder
    from features.models import Erasure, StoredProfile
    from features.privacy.erasure import erase_user
    from features.privacy.sweep import sweep_erased
    from features.state.states import ProfileState, encode
    from tests.features.privacy.lives import archive, lives
    from tracking.models import Site

    site = Site.objects.create(slug="shop", name="Shop", currency="EUR")
    records = lives(random.Random(7), n_people=n_lives)
    folder = ArchiveFolder(settings.ARCHIVE_URL)
    archive(folder, records)
    for number in range(n_lives):
        state = encode(ProfileState(first_ms=1, newest_ms=2))
        StoredProfile.objects.create(site=site, user_key=f"u:person-{number}", state=state, newest_ms=2)
    backup = {row["event_id"]: row for row in _rows(folder)}
    people = [f"person-{number}" for number in range(0, n_lives, 2)]
    others = {name for name, row in backup.items() if row["user_id"] is not None and row["user_id"] not in people}
    shutil.copytree(settings.ARCHIVE_URL, data / "backup")
    profiles = list(StoredProfile.objects.values())

    started = time.perf_counter()
    for who in people:
        erase_user(site, user_id=who)
    took_s = time.perf_counter() - started
    after_erasure = _traces(folder, redis_url, people), len(others - {row["event_id"] for row in _rows(folder)})

    shutil.rmtree(settings.ARCHIVE_URL)
    shutil.copytree(data / "backup", settings.ARCHIVE_URL)
    StoredProfile.objects.all().delete()
    StoredProfile.objects.bulk_create(StoredProfile(**row) for row in profiles)
    sweep_erased()
    after_restore = _traces(folder, redis_url, people), len(others - {row["event_id"] for row in _rows(folder)})
    stones = Erasure.objects.count()
    connection.close()
    print_table(
        "Erasure: random lives on shared browsers",
        ["after", "lives", "erased", "traces left", "rows of others lost"],
        [
            ["the erasures", n_lives, len(people), *after_erasure],
            ["a restored database and archive, swept", n_lives, len(people), *after_restore],
        ],
        caption=f"{len(backup):,} rows; {took_s / len(people) * 1000:.0f} ms an erasure; {stones} tombstones.",
    )
    return {
        "lives": n_lives,
        "traces_left": after_erasure[0] + after_restore[0],
        "rows_of_others_lost": after_erasure[1] + after_restore[1],
        "seconds_an_erasure": took_s / len(people),
    }


def _rows(folder: Any) -> list[dict[str, Any]]:
    from features.archive.maintenance import read_table

    columns = ("event_id", "user_id", "anonymous_id")
    return [row for path in folder.files() for row in read_table(folder, path, columns=columns).to_pylist()]


def _traces(folder: Any, redis_url: str, people: list[str]) -> int:
    """Return how often the stores name one of the people; ids end where they end."""
    import redis
    from django.conf import settings

    found = sum(row["user_id"] in people for row in _rows(folder))
    with sqlite3.connect(settings.DATABASES["default"]["NAME"]) as database:
        dump = "\n".join(database.iterdump())
    with redis.Redis.from_url(redis_url) as client:
        kept = " ".join(key.decode() for key in client.scan_iter())
    return found + sum(f"{who}'" in dump or f":{who} " in kept + " " for who in people)
