"""Feast's reads of one user and of 100 items, run by an interpreter that has Feast; prints one line of JSON.

``python benchmarks/feast_reads.py redis://host:port/db ROUNDS``. It defines two feature views of the shape of ours,
writes rows, and reads them through ``FeatureStore.get_online_features``, as Feast's documentation shows.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Float32, Int64, String
from feast.value_type import ValueType

USERS, ITEMS = 1_000, 1_000


def main() -> None:
    url, rounds = urlsplit(sys.argv[1]), int(sys.argv[2])
    folder = tempfile.mkdtemp(prefix="feast-")
    store = FeatureStore(
        config=RepoConfig(
            project="bench",
            provider="local",
            registry=f"{folder}/registry.db",
            online_store={
                "type": "redis",
                "connection_string": f"{url.hostname}:{url.port},db={url.path.lstrip('/') or 0}",
            },
            offline_store={"type": "file"},
            entity_key_serialization_version=3,
        )
    )
    source = FileSource(path=f"{folder}/none.parquet", timestamp_field="event_timestamp")
    now = datetime.now(UTC)
    user = Entity(name="user_id", join_keys=["user_id"], value_type=ValueType.STRING)
    item = Entity(name="item_id", join_keys=["item_id"], value_type=ValueType.STRING)
    counts = ["page_views", "views", "carts", "orders", "revenue", "frequency_30d", "monetary_30d", "last_purchase_ms"]
    pd.DataFrame({"event_timestamp": [now], "user_id": ["u"], "item_id": ["i"], "recents": ["a"], "price": [1.0],
                  **{name: [1] for name in counts}}).to_parquet(f"{folder}/none.parquet")  # fmt: skip
    users = FeatureView(
        name="users", entities=[user], ttl=timedelta(days=90), source=source,
        schema=[Field(name="user_id", dtype=String), Field(name="recents", dtype=String),
                *(Field(name=name, dtype=Int64) for name in counts)],
    )  # fmt: skip
    items = FeatureView(
        name="items", entities=[item], ttl=timedelta(days=7), source=source,
        schema=[Field(name="item_id", dtype=String), Field(name="price", dtype=Float32),
                *(Field(name=name, dtype=Int64) for name in counts[:4])],
    )  # fmt: skip
    store.apply([user, item, users, items])
    store.write_to_online_store(
        "users",
        pd.DataFrame({"user_id": [f"user{n}" for n in range(USERS)], "event_timestamp": [now] * USERS,
                      "recents": [",".join(f"item{n + k}" for k in range(30))for n in range(USERS)],
                      **{name: list(range(USERS)) for name in counts}}),
    )  # fmt: skip
    store.write_to_online_store(
        "items",
        pd.DataFrame({"item_id": [f"item{n}" for n in range(ITEMS)], "event_timestamp": [now] * ITEMS,
                      "price": [float(n) for n in range(ITEMS)], **{name: list(range(ITEMS)) for name in counts[:4]}}),
    )  # fmt: skip
    of_user = ["users:recents", *(f"users:{name}" for name in counts)]
    of_item = ["items:price", *(f"items:{name}" for name in counts[:4])]
    reads = {
        "user": lambda n: store.get_online_features(of_user, [{"user_id": f"user{n % USERS}"}]).to_dict(),
        "items": lambda n: store.get_online_features(
            of_item, [{"item_id": f"item{(n + k) % ITEMS}"} for k in range(100)]
        ).to_dict(),
    }
    found = {}
    for name, read in reads.items():
        assert read(5)[counts[0]][0] == 5
        times = []
        for n in range(rounds):
            started = time.perf_counter()
            read(n)
            times.append(time.perf_counter() - started)
        found[name] = sorted(times)[len(times) // 2] * 1_000
    print(json.dumps(found))


if __name__ == "__main__":
    main()
