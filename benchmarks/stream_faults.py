"""What a stream worker survives, at full length: kills, a broker that is away, one user with half of the traffic.

    python -m benchmarks stream_faults [--quick]

The tests run the same faults shorter (``tests/features/test_faults.py``). States are compared by hash with those of a
clean run over the same records.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from typing import TYPE_CHECKING

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")

from benchmarks.report import print_table
from benchmarks.stream_load import SITE, Bench, fill, hash_of, make_records, running

if TYPE_CHECKING:
    from features.audit import StateHash
    from tests.services.kafka_server import KafkaServer

PARTITIONS = 4
KAFKA_SESSION_MS = 1_500
AWAY_S = 30.0
Records = list[tuple[bytes, bytes]]


def run(*, quick: bool) -> dict[str, float]:
    """Measure everything and print it; return the figures."""
    from tests.services.kafka_server import KafkaServer
    from tests.services.redis_server import RedisServer

    figures: dict[str, float] = {}
    with RedisServer() as redis, KafkaServer() as kafka:
        for backend in ("redis", "kafka"):
            url = log_url(backend, redis.url, kafka.bootstrap)
            kills, events = (3, 20_000) if quick else (20, 100_000)
            figures |= {f"{name}_{backend}": value for name, value in killed(url, redis.url, events, kills).items()}
        figures |= broker_away(kafka, redis.url, events=10_000 if quick else 100_000, away_s=5.0 if quick else AWAY_S)
        figures |= hot_user(log_url("redis", redis.url, ""), redis.url, seconds=4 if quick else 15)
    return figures


def log_url(backend: str, redis_url: str, bootstrap: str) -> str:
    """Return the URL of a new log."""
    topic = f"bench-{uuid.uuid4().hex}"
    if backend == "kafka":
        return f"kafka://{bootstrap}/{topic}?partitions={PARTITIONS}"
    return f"{redis_url}?stream={topic}&partitions={PARTITIONS}&max_records=10000000"


def clean_hash(records: Records, redis_url: str) -> StateHash:
    """Return the hash of the states after a run over the records that nothing disturbs, in a database of its own."""
    url = f"{redis_url.rpartition('/')[0]}/9"
    with running(log_url("redis", url, ""), url) as bench:
        bench.client.flushdb()
        fill(bench.log, records)
        bench.start()
        bench.wait_for(len(records))
        found = hash_of(bench)
        bench.client.flushdb()
    return found


def killed(url: str, redis_url: str, events: int, kills: int) -> dict[str, float]:
    """Kill the worker again and again over a log with 5 % re-sends; return what was lost and counted twice."""
    records = make_records(events, users=events // 20, per_record=2, resent=0.05)
    clean = clean_hash(records, redis_url)
    short = clean_hash(records[:-1], redis_url)
    rnd = random.Random(1)
    with running(url, redis_url, batch_records=100, kafka_session_ms=KAFKA_SESSION_MS) as bench:
        bench.client.flushdb()
        fill(bench.log, records)
        for kill in range(kills):
            done = bench.records()
            process = bench.start()
            bench.wait_for(done + max(1, int((len(records) - done) / (kills + 1 - kill) * rnd.uniform(0.3, 1.0))))
            process.kill()
            process.wait()
        left, killed_at, done = len(records) - bench.records(), time.perf_counter(), bench.records()
        bench.start()
        bench.wait_for(min(len(records), done + 1))
        seconds = time.perf_counter() - killed_at
        bench.wait_for(len(records))
        ledger, found = bench.ledger(), hash_of(bench)
        bench.client.flushdb()
    lost, doubled = max(0, events - ledger["applied"]), max(0, ledger["applied"] - events)
    print_table(
        f"{kills} times kill -9 over {events:,} events in {url.partition(':')[0]}, 5 % of the records sent twice",
        ("applied", "re-sent", "lost", "double", "as a clean run", "one less is seen", "left", "s"),
        [
            (
                *(ledger["applied"], ledger.get("duplicate", 0), lost, doubled),
                *(_word(found == clean), _word(short != clean), left, seconds),
            )
        ],
        caption="s: from starting a process after the last kill to its first write; the dead one's lease ends first.",
    )
    return {"lost": lost, "doubled": doubled, "is_as_clean": found == clean, "recovery_s": seconds}


def broker_away(kafka: KafkaServer, redis_url: str, *, events: int, away_s: float) -> dict[str, float]:
    """Stop the broker in mid-work; return how soon the first record is applied once it is back."""
    url = log_url("kafka", redis_url, kafka.bootstrap)
    records = make_records(events, users=events // 20, per_record=2)
    clean = clean_hash(records, redis_url)
    half = len(records) // 2
    with running(url, redis_url, batch_records=100, kafka_session_ms=KAFKA_SESSION_MS) as bench:
        bench.client.flushdb()
        fill(bench.log, records[:half])
        bench.start()
        bench.wait_for(half // 4)
        kafka.stop()
        time.sleep(away_s)
        kafka.start()
        back_at = time.perf_counter()
        fill(bench.log, records[half:])
        bench.wait_for(len(records), timeout_s=180.0)
        seconds = time.perf_counter() - back_at
        found, ledger = hash_of(bench), bench.ledger()
        bench.client.flushdb()
    print_table(
        f"The broker stopped for {away_s:g} s in the middle of {events:,} events",
        ("applied", "states as a clean run's", "all applied after it is back, s"),
        [(ledger["applied"], _word(found == clean), seconds)],
    )
    return {"broker_away_is_as_clean": found == clean, "broker_back_s": seconds}


def hot_user(url: str, redis_url: str, *, seconds: int) -> dict[str, float]:
    """Give half of 1,000 events a second to one user; return how much later the others' features are there."""
    found = {}
    for name, share in (("even", 0.0), ("hot", 0.5)):
        with running(url, redis_url) as bench:
            bench.client.flushdb()
            bench.start()
            found[name] = asyncio.run(_latencies(bench, redis_url, share=share, seconds=seconds))
            bench.client.flushdb()
    rows = [(name, len(times), _share(times, 0.5), _share(times, 0.99)) for name, times in found.items()]
    ratio = _share(found["hot"], 0.99) / _share(found["even"], 0.99)
    print_table(
        f"1,000 events a second for {seconds} s; hot: half of them by one user",
        ("traffic", "events of others", "median ms", "p99 ms"),
        rows,
        caption=f"From the append to the announcement, of the other users. p99 ratio {ratio:.2f}.",
    )
    return {"hot_user_p99_ratio": ratio, "others_p99_ms": _share(found["hot"], 0.99)}


async def _latencies(bench: Bench, redis_url: str, *, share: float, seconds: int) -> list[float]:
    from features.notify import listen_changed

    sent: dict[str, float] = {}
    taken: list[float] = []

    def heard(changed: dict[str, list[str]]) -> None:
        now = time.perf_counter()
        for user in changed.get(SITE, ()):
            if (at := sent.pop(user, None)) is not None:
                taken.append((now - at) * 1_000)

    listening = asyncio.create_task(listen_changed(heard, url=redis_url))
    writer = bench.log.writer()
    await writer.start()
    rnd = random.Random(3)
    made = make_records(1_000 * (seconds + 2), users=10**9, per_record=1)
    hot_key = made[0][0].partition(b"/a:")[2]
    first_at: float | None = None
    for start in range(0, len(made), 10):
        now = time.perf_counter()
        first_at = first_at or now
        await asyncio.sleep(max(0.0, first_at + start / 1_000 - now))
        # The first two seconds are for the worker to join and warm up.
        counts = start >= 2_000
        batch: Records = []
        for key, value in made[start : start + 10]:
            own = key.partition(b"/a:")[2]
            if rnd.random() < share:
                key, value = key.replace(own, hot_key), value.replace(own, hot_key)
            elif counts:
                sent[f"a:{own.decode()}"] = time.perf_counter()
            batch.append((key, value))
        errors = await writer.append_many(batch, timeout_s=10.0)
        if any(errors):
            raise RuntimeError(f"the log took not everything: {next(error for error in errors if error)}")
    await asyncio.to_thread(bench.wait_for, len(made))
    await asyncio.sleep(0.5)
    listening.cancel()
    await writer.close()
    return taken


def _word(is_so: bool) -> str:
    return "yes" if is_so else "NO"


def _share(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]
