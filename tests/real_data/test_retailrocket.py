"""RetailRocket's log through the whole path, on both logs: the same features, nothing lost or counted twice.

The first 20,000 rows; ``REAL_DATA=all`` takes the whole file (see ``docs/real-data.md``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import polars as pl
import pytest

from features.state.states import encode
from tests.real_data.place import Imported, Place

pytestmark = [pytest.mark.slow, pytest.mark.redis]

ROWS = None if os.environ.get("REAL_DATA") == "all" else 20_000


@pytest.fixture(scope="module")
def rows(retailrocket: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the log, or its beginning."""
    if ROWS is None:
        return retailrocket
    path = tmp_path_factory.mktemp("retailrocket") / "events.csv"
    with retailrocket.open() as whole, path.open("w") as part:
        part.writelines(islice(whole, 1 + ROWS))
    return path


@pytest.fixture(scope="module")
def on_redis(rows: Path, places: Callable[[str], Place]) -> tuple[Place, Imported]:
    """Import over Redis Streams, killed in the middle."""
    place = places("redis")
    imported = place.import_events(rows, file_format="retailrocket", kill_after=(0.5,))
    applied_s = place.wait_applied(archived=False)
    print(f"\n{imported}; applied {applied_s:.1f} s later")
    return place, imported


@pytest.fixture(scope="module")
def on_kafka(rows: Path, places: Callable[[str], Place]) -> tuple[Place, Imported]:
    """Import over Kafka, killed in the middle; twice when it is the whole file."""
    place = places("kafka")
    imported = place.import_events(rows, file_format="retailrocket", kill_after=(0.5,) if ROWS else (0.3, 0.7))
    applied_s = place.wait_applied(archived=False)
    print(f"\n{imported}; applied {applied_s:.1f} s later")
    return place, imported


def expected(rows: Path) -> dict[str, tuple[int, int, int, int, int, int]]:
    """Return what the file itself says of each visitor: views, carts, pieces, orders, first and last time."""
    log = pl.read_csv(rows)
    kinds = {name: pl.col("event") == name for name in ("view", "addtocart", "transaction")}
    table = log.group_by("visitorid").agg(
        kinds["view"].sum().alias("views"),
        kinds["addtocart"].sum().alias("carts"),
        kinds["transaction"].sum().alias("pieces"),
        pl.col("timestamp").filter(kinds["transaction"]).n_unique().alias("orders"),
        (pl.col("timestamp").min() * 1_000).alias("first"),
        (pl.col("timestamp").max() * 1_000).alias("last"),
    )
    return {f"u:{visitor}": tuple(rest) for visitor, *rest in table.iter_rows()}


def found(place: Place) -> dict[str, tuple[int, int, int, int, int, int]]:
    """Return the same from the features."""
    return {
        user_key: (p.views, p.carts, p.units, p.orders, p.first_ms, p.newest_ms)
        for user_key, p in place.profiles().items()
    }


def events_in(rows: Path) -> int:
    """Return how many events the rows are: what a visitor bought in one second is one order."""
    log = pl.read_csv(rows)
    is_order = pl.col("event") == "transaction"
    return log.filter(~is_order).height + log.filter(is_order).unique(["timestamp", "visitorid"]).height


def test_an_import_killed_in_the_middle_is_counted_once_over_redis(
    rows: Path, on_redis: tuple[Place, Imported]
) -> None:
    place, imported = on_redis
    assert imported.rows == pl.read_csv(rows).height
    assert (imported.events, imported.refused, imported.kills) == (events_in(rows), 0, 1)
    assert place.ledger() == {"applied": imported.events}, "nothing late, doubled or dead-lettered in a sorted log"
    assert found(place) == expected(rows)


@pytest.mark.kafka
def test_kafka_gives_the_same_features(
    rows: Path, on_redis: tuple[Place, Imported], on_kafka: tuple[Place, Imported]
) -> None:
    place, imported = on_kafka
    assert (imported.events, imported.refused) == (events_in(rows), 0)
    assert imported.kills >= 1
    assert place.ledger() == {"applied": imported.events}
    assert place.state_hash() == on_redis[0].state_hash()
    assert found(place) == expected(rows)


def test_a_replay_of_the_archive_gives_the_same_states(on_redis: tuple[Place, Imported]) -> None:
    place, imported = on_redis
    place.wait_applied()
    url = place.empty_redis(5)

    said = place.manage("replay", "--redis-url", url)

    assert f"{imported.events} records replayed" in said
    assert place.state_hash(redis_url=url) == place.state_hash()


def test_verification_finds_nothing_and_then_the_one_state_that_was_changed(on_redis: tuple[Place, Imported]) -> None:
    """The second half is the control: of thousands of states, the one that is off by one view is named."""
    place, _ = on_redis
    place.wait_applied()
    assert " 0 differences" in place.manage("verify_features", "--replay-url", place.empty_redis(6))
    before = place.state_hash()
    user_key, profile = next(iter(sorted(place.profiles().items())))
    stored = next(one for one in place.stored_profiles() if one.user_key == user_key)
    profile.views += 1
    with place.client() as client:
        client.set(place.profile_name(stored), encode(profile), keepttl=True)
    try:
        said = place.manage("verify_features", "--replay-url", place.empty_redis(7), status=1)
        assert f"profile of {user_key}: views: online {profile.views}, replayed {profile.views - 1}" in said
        assert " 1 differences" in said
        assert place.state_hash()["digest"] != before["digest"]
    finally:
        with place.client() as client:
            client.set(place.profile_name(stored), stored.blob, keepttl=True)
