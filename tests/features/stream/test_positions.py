"""Where the readers of the log stand; what begins again is shown with real workers in ``test_foreign_positions.py``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from features import keys
from features.stream import positions
from tests.features.conftest import World
from tests.features.traffic import traffic
from tests.services.remade_topics import make_again

pytestmark = pytest.mark.redis


def test_only_what_is_of_another_log_begins_again(worlds: Callable[..., World], settings) -> None:
    world = worlds("redis")
    settings.EVENT_LOG_URL, settings.REDIS_URL = world.log_url, world.redis_url
    world.fill(traffic(400, resent=0.0))
    world.drain()
    with pytest.raises(positions.NothingToBegin):
        positions.begin_again()
    stood = world.store.positions(range(4))
    make_again(world.log)
    world.fill(traffic(400, seed=9, resent=0.0))
    world.client.set(keys.position(1, world.log_name), world.log.end_positions()[1])

    begun = positions.begin_again(("features",))

    assert [(one.group, one.partition, one.position) for one in begun] == [
        ("features", partition, stood[partition]) for partition in (0, 2, 3)
    ]
    assert {one.partition: one.records for one in begun} == {
        partition: len(list(world.log.read_all(partition))) for partition in (0, 2, 3)
    }
    assert world.store.positions(range(4)) == {0: "", 1: world.log.end_positions()[1], 2: "", 3: ""}
    assert not [one for one in positions.read_positions() if one.problem]
