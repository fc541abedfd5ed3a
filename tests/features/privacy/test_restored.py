"""Erased users of the log are told to a Redis that was emptied; the whole drill is in ``stream/test_emptied.py``."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from features.models import Erasure
from features.privacy import tombstones
from features.privacy.restored import restore_erased
from features.state.purchases import hash64
from tests.features.conftest import World
from tests.features.traffic import traffic
from tracking.models import Site

pytestmark = [pytest.mark.redis, pytest.mark.django_db]


def test_only_the_erased_are_noted_and_a_later_note_stands(worlds: Callable[..., World]) -> None:
    world = worlds("memory")
    site = Site.objects.get_or_create(slug="shop", defaults={"name": "Shop"})[0]
    world.fill(traffic(300, users=20))
    assert restore_erased(world.log, world.store, partitions=4) == 0
    now_ms = time.time_ns() // 1_000_000
    erased = [f"a:anonymous-{number:010d}" for number in (1, 2, 999)]  # the last one is not in the log
    for user_key in erased:
        Erasure.objects.create(
            site=site, user_hash=tombstones.user_hash("shop", user_key), erased_until_ms=now_ms, spans=[[0, now_ms]],
            receipt={},
        )  # fmt: skip

    assert restore_erased(world.log, world.store, partitions=4) == 2
    noted = {one: at for partition in range(4) for one, at in world.store.erased_users(partition, "shop").items()}
    assert noted == {hash64(one): now_ms for one in erased[:2]}
    Erasure.objects.update(spans=[[0, now_ms - 5_000]])
    restore_erased(world.log, world.store, partitions=4)
    assert {at for partition in range(4) for at in world.store.erased_users(partition, "shop").values()} == {now_ms}
