"""What one caller may do to the counts of a shop with made-up ids: fill Redis. And the shop that ``votes`` attacks.

Records go through a stream worker of its own into a Redis of its own, as those of a real shop do; the log is in memory,
so that Redis holds nothing but features.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from benchmarks.report import print_table
from features.state.counting.unknown import SiteKeys
from tests.services.redis_server import RedisServer
from tracking.contract.events import SCHEMA_VERSION, EventRecord, log_key
from tracking.contract.parsing import encode_record, parse_record

if TYPE_CHECKING:
    from features.store.item_stats import ItemStats, ItemStatsMerger

PARTITIONS: Final = 8
N_ITEMS: Final = 1_000
REQUESTS: Final = 100
IDS_A_REQUEST: Final = 2_400
"""Twelve events of 200 items: as many as a body of 64 kB holds of short ids."""
VIEWS_A_USER: Final = 6
CART_SHARE: Final = 0.1
BUY_SHARE: Final = 0.03
TOP: Final = 20
WEIGHTS: Final = (1.0, 3.0, 5.0)
_DAY_S: Final = 86_400
LATENESS_MS: Final = 900_000

Events = list[dict[str, Any]]


class Shop:
    """One site's worker, and what it wrote."""

    def __init__(self, redis_url: str, *, name: str, lateness_ms: int = LATENESS_MS) -> None:
        from features.store import connections
        from features.store.item_stats import ItemStatsMerger
        from features.store.online import OnlineStore
        from features.stream.loop import StreamWorker
        from tracking.log import open_log
        from tracking.redis_client import connect

        self._lateness_ms = lateness_ms
        self._make_worker = StreamWorker
        self._make_merger = ItemStatsMerger
        self.name = name
        self.items = [f"sku-{number:05}" for number in range(N_ITEMS)]
        self.client = connect(redis_url, timeout_s=30)
        self._log = open_log(f"memory://{name}-{uuid.uuid4().hex}?partitions={PARTITIONS}")
        self._log.ensure_topic(timeout_s=5)
        self._log_name = connections.name_of(self._log)
        self._store = OnlineStore(self.client, log_name=self._log_name, session_ttl_s=900, profile_ttl_s=90 * _DAY_S)
        self._start()

    def _start(self) -> None:
        from tracking.access.voices import voice_of

        known = SiteKeys(items=frozenset(self.items), n_items=N_ITEMS, placements=frozenset())
        self._worker = self._make_worker(
            self._log,
            self._store,
            lateness_ms=self._lateness_ms,
            batch_records=500,
            announce=lambda changed: None,
            keys_of_site=lambda site: known,
            voices=voice_of,
        )
        self._merger: ItemStatsMerger = self._make_merger(
            self.client, partitions=PARTITIONS, log_name=self._log_name, lateness_ms=self._lateness_ms
        )

    def counts(self) -> dict[bytes, bytes]:
        """Return what stands in Redis of the counts of items, for ``go_back``."""
        return {key: self.client.dump(key) for key in self.client.scan_iter("*items:*", count=1_000)}

    def go_back(self, counts: Mapping[bytes, bytes]) -> None:
        """Let the counts of items be what they were; what is known of users stays."""
        self._worker.close()
        self.client.delete(*self.client.scan_iter("*items:*", count=1_000))
        for key, value in counts.items():
            self.client.restore(key, 8 * _DAY_S * 1_000, value)
        self._start()

    def take(self, requests: Sequence[tuple[str, Events]], *, site: str = "") -> None:
        """Append the requests of anonymous users of a site to the log, and apply them; of this shop's for none."""
        pairs = []
        for anonymous_id, events in requests:
            record = self._record(anonymous_id, events, site=site or self.name)
            pairs.append((log_key(record.site, record.user_key), encode_record(record)))
        self.take_pairs(pairs)

    def take_pairs(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        """Append keys and records to the log, and apply them."""
        asyncio.run(self._append(pairs))
        while self._worker.step(0.05) or sum(
            self._log.behind(self._store.positions(range(PARTITIONS))).values()
        ):  # until everything is written
            pass

    def merge(self) -> float:
        """Merge the counts of all partitions; return the CPU seconds it took."""
        before = time.process_time()
        self._merger.merge()
        return time.process_time() - before

    def n_bytes(self) -> int:
        """Return what every key takes in Redis, its name included."""
        return sum(int(self.client.memory_usage(key, samples=0) or 0) for key in self.client.scan_iter(count=1_000))

    def stats(self, site: str = "") -> ItemStats:
        """Return what was merged of a site; of this shop for none."""
        from features.store.item_stats import load_item_stats

        return load_item_stats(self.client, site or self.name)

    def top(self, window: str = "24h") -> list[str]:
        """Return the most popular items, as every list that falls back to them shows."""
        return self.stats().popular(window=window, weights=WEIGHTS, limit=TOP)

    def close(self) -> None:
        """Leave the log."""
        self._worker.close()
        self.client.close()

    def _record(self, anonymous_id: str, events: Events, *, site: str) -> EventRecord:
        import msgspec

        newest = max(event["ts"] for event in events)
        return parse_record(
            msgspec.json.encode(
                {
                    "v": SCHEMA_VERSION,
                    "site": site,
                    "received_at_ms": newest,
                    "anonymous_id": anonymous_id,
                    "events": events,
                }
            )
        )

    async def _append(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        writer = self._log.writer()
        await writer.start()
        for start in range(0, len(pairs), 500):
            errors = await writer.append_many(pairs[start : start + 500], timeout_s=30)
            if any(errors):
                raise RuntimeError(f"the log took not all records: {next(error for error in errors if error)}")
        await writer.close()


@contextmanager
def shop(name: str, *, lateness_ms: int = LATENESS_MS) -> Iterator[Shop]:
    """Yield a shop with a Redis of its own."""
    with RedisServer() as redis:
        made = Shop(redis.url, name=name, lateness_ms=lateness_ms)
        try:
            yield made
        finally:
            made.close()


def measure(*, quick: bool) -> dict[str, float]:
    """Make ids up; prints what that costs."""
    return _made_up_ids(n_requests=REQUESTS)


def _event(rng: random.Random, name: str, items: Sequence[dict[str, Any]], at_ms: int) -> dict[str, Any]:
    params: dict[str, Any] = {"items": list(items)}
    if name == "purchase":
        params["transaction_id"] = f"T{rng.getrandbits(60)}"
    return {"event": name, "event_id": f"{rng.getrandbits(60):016x}", "ts": at_ms, "params": params}


def _anonymous_id(rng: random.Random) -> str:
    return f"{rng.getrandbits(127):032x}"


def _honest(shop: Shop, rng: random.Random, *, n_users: int, now_ms: int) -> Iterator[tuple[str, Events]]:
    """Yield the requests of a day: items by Zipf's law, a tenth into the cart, three of a hundred bought."""
    weights = list(accumulate(1 / (rank + 1) for rank in range(N_ITEMS)))
    for _ in range(n_users):
        anonymous_id = _anonymous_id(rng)
        for item_id in rng.choices(shop.items, cum_weights=weights, k=VIEWS_A_USER):
            at_ms = now_ms - rng.randrange(600_000)
            line = {"item_id": item_id, "price": 10.0}
            events = [_event(rng, "view_item", [line], at_ms)]
            if rng.random() < CART_SHARE:
                events.append(_event(rng, "add_to_cart", [line], at_ms))
            if rng.random() < BUY_SHARE:
                events.append(_event(rng, "purchase", [line], at_ms))
            yield anonymous_id, events


def _made_up_ids(*, n_requests: int) -> dict[str, float]:
    rng = random.Random(11)
    with shop("made-up") as made:
        now_ms = time.time_ns() // 1_000_000
        made.take(list(_honest(made, rng, n_users=300, now_ms=now_ms)))
        cpu_before = min(made.merge() for _ in range(3))
        before = made.n_bytes()
        requests = []
        for _ in range(n_requests):
            lines = [{"item_id": f"{rng.getrandbits(48):012x}"} for _ in range(IDS_A_REQUEST)]
            events = [_event(rng, "view_item", lines[at : at + 200], now_ms) for at in range(0, IDS_A_REQUEST, 200)]
            requests.append((_anonymous_id(rng), events))
        made.take(requests)
        cpu_after = min(made.merge() for _ in range(3))
        after = made.n_bytes()
    n_ids = n_requests * IDS_A_REQUEST
    print_table(
        f"{n_requests} requests with {n_ids:,} made-up item ids, each of a new anonymous id",
        ["", "Redis kB", "CPU ms a merge"],
        [
            ["before", before / 1e3, cpu_before * 1e3],
            ["after", after / 1e3, cpu_after * 1e3],
        ],
        caption=f"{(after - before) / n_ids:.2f} bytes an id; all keys by MEMORY USAGE, users' states among them.",
    )
    return {
        "redis_bytes_per_made_up_id": (after - before) / n_ids,
        "merge_cpu_ms_after_made_up_ids": cpu_after * 1e3,
    }
