"""What an installation leaves in Redis: every key is of one row of ``docs/redis-keys.md``, and stays no longer."""

from __future__ import annotations

import importlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

import features.keys
import recommendations.keys
import recsite.keys
import tracking.keys
from tests.end_to_end.conftest import Running, visitor
from tests.services.key_patterns import matches
from tests.services.waiting import wait_until
from tracking.keys import RedisKey
from tracking.redis_client import connect

pytestmark = [pytest.mark.redis, pytest.mark.slow]

TABLE = (*tracking.keys.TABLE, *features.keys.TABLE, *recommendations.keys.TABLE, *recsite.keys.TABLE)
TASKS = """
from features import tasks
from tracking.dead_letters import rows
tasks.merge_item_stats(); tasks.recompute_segments(); tasks.store_profiles(); tasks.trim_log()
rows.import_dead_letters()
"""
ERASE = """
from features.privacy.erasure import erase_user
from tracking.models import Site
erase_user(Site.objects.get(slug="default"), user_id=None, anonymous_ids=["{}"])
"""


@pytest.fixture
def client(trained: Running) -> Iterator[Any]:
    with connect(trained.environment["REDIS_URL"], timeout_s=10.0) as client:
        yield client


def keys_in(client: Any) -> list[str]:
    return sorted(key.decode() for key in client.scan_iter("*", count=1_000))


def longest_s(row: RedisKey) -> int | None:
    """Return the TTL of a row in seconds; None when it has none, and says why."""
    if isinstance(row.ttl, int):
        return row.ttl
    return None if row.ttl.startswith("none: ") else int(getattr(settings, row.ttl))


def test_every_key_is_of_one_row_and_stays_no_longer_than_it_says(trained: Running, client: Any) -> None:
    trained.send_views(visitor("reader"), ["tent03"])
    trained.manage("shell", "-v", "0", "-c", TASKS)
    expected = (
        features.keys.SESSION_STATE, features.keys.PROFILE_STATE, features.keys.ITEM_PANE, features.keys.POSITION,
        features.keys.PROGRESS, features.keys.ARCHIVE_POSITION, features.keys.ITEM_STATS, features.keys.WRITE_BEHIND,
        recommendations.keys.EXPLANATIONS, tracking.keys.LIVE_EVENTS,
    )  # fmt: skip

    def all_are_there() -> bool:
        trained.recommend(visitor("reader"))  # what it showed is kept as far as there is room
        found = keys_in(client)
        return all(any(matches(row, key) for key in found) for row in expected)

    wait_until(all_are_there, "a key of each row that is in use")

    seen: dict[str, str] = {}
    wrong = []
    for key in keys_in(client):
        ttl_s = client.ttl(key)
        if ttl_s == -2:
            continue  # it expired since the scan
        rows = [row for row in TABLE if matches(row, key)]
        if len(rows) != 1:
            wrong.append(f"{key} is of {[row.name for row in rows]}")
            continue
        (row,) = rows
        seen[row.name] = key
        longest = longest_s(row)
        if longest is None and ttl_s != -1 and row is not recsite.keys.CELERY:
            wrong.append(f"{key} expires in {ttl_s} s, though {row.name!r} says {row.ttl!r}")
        if longest is not None and not 0 <= ttl_s <= longest:
            wrong.append(f"{key} has a TTL of {ttl_s} s, {row.name!r} says {row.ttl!r}")
        if row.is_of_a_user:
            module, _, function = row.eraser.partition(":")
            assert callable(getattr(importlib.import_module(module), function)), row.eraser
    assert not wrong, "\n".join(wrong)


def test_an_erased_user_leaves_no_key(trained: Running, client: Any) -> None:
    who = visitor(f"gone{uuid.uuid4().hex[:6]}")
    trained.send_views(who, ["tent03"])
    wait_until(lambda: any(who in key for key in keys_in(client)), "the states of the user")

    trained.manage("shell", "-v", "0", "-c", ERASE.format(who))

    assert not [key for key in keys_in(client) if who in key]
    assert any(matches(features.keys.ERASED, key) for key in keys_in(client))
