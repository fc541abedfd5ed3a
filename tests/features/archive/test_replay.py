"""States rebuilt from the archive are those that the stream made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from features import keys
from features.archive.replay import NotEmpty, Replayer, check_empty, differences
from features.archive.writer import ArchiveFolder
from features.store.online import OnlineStore
from tests.features.archive.archiving import archive_all
from tests.features.conftest import World
from tests.features.making import LATENESS_MS
from tests.features.traffic import traffic

pytestmark = pytest.mark.redis

Worlds = Callable[..., World]


def test_a_replay_of_the_archive_makes_the_same_states(worlds: Worlds, tmp_path: Path) -> None:
    world, folder = worlds("redis"), ArchiveFolder(str(tmp_path))
    world.fill(traffic(4_000))
    world.drain()
    archive_all(world, folder, flush_every=3)
    empty = worlds("memory")
    store = OnlineStore(empty.client, log_name=world.log_name, session_ttl_s=900, profile_ttl_s=9_000)

    replayer = Replayer(store, partitions=4, lateness_ms=LATENESS_MS)
    replayer.from_archive(folder, sites=["shop"])

    assert list(differences(world.client, empty.client, partitions=4, lateness_ms=LATENESS_MS)) == []
    key = next(world.client.scan_iter("rs:*:profile:*"))
    world.client.delete(key)
    found = list(differences(world.client, empty.client, partitions=4, lateness_ms=LATENESS_MS))
    assert [one.what for one in found] == ["only in the replay"]
    with pytest.raises(NotEmpty, match="--flush"):
        check_empty(empty.client, partitions=4)
    replayer.begin_at_the_log()
    assert store.stored_position(keys.position, 0) == ""
