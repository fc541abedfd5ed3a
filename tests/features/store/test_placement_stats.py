"""Placement counts of a day: every metric adds up over the partitions."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from features import keys
from features.state.attribution import METRICS
from features.store.placement_stats import read_placement_stats
from tests.features.conftest import PARTITIONS, World
from tests.features.making import SITE

pytestmark = pytest.mark.redis


def test_every_metric_adds_up_over_the_partitions(worlds: Callable[..., World]) -> None:
    world = worlds("memory")
    amounts = [10**number for number in range(len(METRICS))]
    for partition in range(PARTITIONS):
        world.client.hset(keys.placement_day(partition, SITE, 5), "home|B|v7|r1,r2", msgspec.msgpack.encode(amounts))
    world.client.hset(keys.placement_day(0, SITE, 6), "home|||", msgspec.msgpack.encode(amounts))

    (found,) = read_placement_stats(world.client, SITE, day=5, partitions=PARTITIONS)

    assert [getattr(found, metric) for metric in METRICS] == [PARTITIONS * amount for amount in amounts]
    assert (found.placement, found.variant, found.model_version, found.rules) == ("home", "B", "v7", "r1,r2")
