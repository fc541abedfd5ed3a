"""The archive is as exact as the features: under re-sends, kills and a topic that was made again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.archive.maintenance import compact, iter_days
from features.archive.replay import archived_records
from features.archive.writer import ArchiveFolder
from features.privacy.erasure import erase_user, export_user
from recommendations.training.data.archive import read_archive
from tests.features.archive.archiving import archive_all, frame_of
from tests.features.conftest import ROOT, World
from tests.features.making import event, record, wire
from tests.features.traffic import START_MS
from tests.services.waiting import wait_until
from tracking.contract.parsing import parse_record
from tracking.models import Site

pytestmark = pytest.mark.redis
Worlds = Callable[..., World]


def start(world: World, folder: ArchiveFolder) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "recsite.settings",
        "EVENT_LOG_URL": world.log_url,
        "REDIS_URL": world.redis_url,
        "RECSITE_ARCHIVE_URL": folder.root,
    }
    command = [sys.executable, "-m", "tests.features.archive.run_archiver"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    world.processes.append(process)
    return process


def of_users(n_users: int, n_events: int, rnd: random.Random) -> list[tuple[bytes, bytes]]:
    """Return views by logged-in users; each numbers its own events from one, so that ids of users coincide."""
    made = []
    for number in range(n_events):
        for user in range(n_users):
            at_ms = START_MS + number * 1_000 + user
            one = event("view_item", at_ms=at_ms, event_id=f"event-{number:04d}", items=[f"item{rnd.randrange(50)}"])
            made.append(wire(record(one, anonymous_id=None, user_id=f"user{user}", received_at_ms=at_ms + 500)))
    return made


def events_of(wires: list[tuple[bytes, bytes]]) -> set[tuple[str, str]]:
    return {(one.user_key, made.event_id) for one in (parse_record(value) for _, value in wires) for made in one.events}


def pairs(folder: ArchiveFolder) -> set[tuple[Any, ...]]:
    """Return user and event of the rows; there are more rows than pairs, so their number does not say what is there."""
    return set(frame_of(folder).select("user_key", "event_id").rows())


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("backend", ["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def test_every_acknowledged_event_is_read_once(worlds: Worlds, tmp_path: Path, settings: Any, backend: str) -> None:
    """Six kills (-9) in mid-ingest, a fifth of the records sent again, some of them much later."""
    rnd = random.Random(3)
    world, folder = worlds(backend), ArchiveFolder(str(tmp_path))
    settings.EVENT_LOG_URL, settings.REDIS_URL, settings.ARCHIVE_URL = world.log_url, world.redis_url, folder.root
    site = Site.objects.create(slug="shop", name="Shop")
    sent = of_users(40, 60, rnd)
    expected = events_of(sent)
    again = rnd.sample(sent, len(sent) // 5)
    parts = [sent[at : at + 400] + again[at // 5 : at // 5 + 80] for at in range(0, len(sent), 400)]

    for part in parts:
        process = start(world, folder)
        rows = sum(1 for _ in folder.files())
        world.fill(part)
        wait_until(lambda rows=rows: len(folder.files()) > rows)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    world.fill(again)
    wait_until(lambda: archive_all(world, folder) or pairs(folder) >= expected)

    assert pairs(folder) == expected
    assert len(frame_of(folder)) > len(expected), "nothing stands twice in the files: the test shows nothing"
    assert sum(table.num_rows for _, table in iter_days(folder, site="shop")) == len(expected)
    assert events_of(list(archived_records(folder, site="shop"))) == expected
    assert sum(1 for _ in archived_records(folder, site="shop")) == len(expected)
    log = read_archive(folder.root, site="shop")
    assert len(log.items) == len(expected)
    exported = Counter(row["event_id"] for row in export_user(site, user_id="user7")["events"])
    assert exported == {f"event-{number:04d}": 1 for number in range(60)}
    erase_user(site, user_id="user7")
    assert "u:user7" not in set(frame_of(folder)["user_key"])
    compact(folder, older_than_s=0.0, min_files=2)
    left = frame_of(folder)
    assert set(left.select("user_key", "event_id").rows()) == {one for one in expected if one[0] != "u:user7"}
