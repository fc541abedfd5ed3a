"""What a stream worker survives, at full length: kills, a log or a Redis that is unavailable, workers that come and go.

    python -m benchmarks stream_faults [--quick]

The tests run the same faults shorter (``tests/features/test_faults.py``). States are compared by hash with those of a
clean run over the same records, and that hash with one of a run over one record less: so an error of one would be seen.
"""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")

from benchmarks.report import print_table
from benchmarks.stream_flow import coming_and_going, hot_user
from benchmarks.stream_judge import Judge, Row
from benchmarks.stream_load import fill, log_url, make_records, running

if TYPE_CHECKING:
    from tests.services.kafka_server import KafkaServer
    from tests.services.redis_server import RedisServer

KAFKA_SESSION_MS = 1_500
AWAY_S = 30.0
COLUMNS = ("fault", "log", "events", "re-sent", "lost, double", "as clean, one less differs", "s")


def run(*, quick: bool) -> dict[str, float]:
    """Measure everything and print it; return the figures."""
    from tests.services.kafka_server import KafkaServer
    from tests.services.redis_server import RedisServer

    figures: dict[str, float] = {}
    rows: list[Row] = []
    with RedisServer() as redis, KafkaServer() as kafka:
        for backend in ("redis", "kafka"):
            url = log_url(backend, redis.url, kafka.bootstrap)
            kills, events = (3, 20_000) if quick else (20, 100_000)
            figures |= _named(backend, killed(url, redis.url, events, kills, rows))
            with RedisServer("--appendfsync", "always") as states:
                url = log_url(backend, redis.url, kafka.bootstrap)
                figures |= _named(
                    backend, store_killed(states, url, redis.url, events=events, kills=kills // 2, rows=rows)
                )
            url = log_url(backend, redis.url, kafka.bootstrap)
            judge = Judge(redis.url)
            found = coming_and_going(url, redis.url, seconds=30 if quick else 120, judge=judge)
            rows.append(("workers join and leave", backend, *judge.cells(found["longest_lag_s"])))
            figures |= _named(backend, found | judge.figures("coming"))
        figures |= broker_down(
            kafka, redis.url, events=10_000 if quick else 100_000, away_s=5.0 if quick else AWAY_S, rows=rows
        )
        print_table(
            "Faults",
            COLUMNS,
            rows,
            caption="s, of kills: from starting a process after the last kill to its first write (the dead one's lease "
            "ends first); of servers that were unavailable: from their return until all is applied; of workers that "
            "come and go: the longest that a record waited.",
        )
        figures |= hot_user(log_url("redis", redis.url, ""), redis.url, seconds=4 if quick else 15)
    return figures


def session_ms(url: str) -> int:
    """Return for how long the group waits for a killed worker: Kafka's default of 6 s would only make runs longer."""
    return KAFKA_SESSION_MS if url.startswith("kafka") else 0


def killed(url: str, redis_url: str, events: int, kills: int, rows: list[Row]) -> dict[str, float]:
    """Kill the worker again and again over a log with 5 % re-sends; return what was lost and counted twice."""
    records = make_records(events, users=events // 20, per_record=2, resent=0.05)
    rnd = random.Random(1)
    judge = Judge(redis_url)
    with running(url, redis_url, batch_records=100, session_ms=session_ms(url)) as bench:
        bench.client.flushdb()
        fill(bench.log, records)
        for kill in range(kills):
            done = bench.records()
            process = bench.start()
            bench.wait_for(done + max(1, int((len(records) - done) / (kills + 1 - kill) * rnd.uniform(0.3, 1.0))))
            process.kill()
            process.wait()
        if bench.records() >= len(records):
            raise RuntimeError("all was applied before the last kill; the run shows nothing")
        killed_at, done = time.perf_counter(), bench.records()
        bench.start()
        bench.wait_for(done + 1)
        seconds = time.perf_counter() - killed_at
        bench.wait_for(len(records))
        judge.judge(bench, records, events)
        bench.client.flushdb()
    rows.append((f"worker killed {kills} times", _backend(url), *judge.cells(seconds)))
    return {**judge.figures("killed"), "recovery_s": seconds}


def store_killed(
    states: RedisServer, url: str, redis_url: str, *, events: int, kills: int, rows: list[Row]
) -> dict[str, float]:
    """Kill the Redis that holds the states (AOF, every write on the disk) while the worker writes to it."""
    records = make_records(events, users=events // 20, per_record=2, resent=0.05)
    judge = Judge(redis_url)
    seconds = 0.0
    with running(url, states.url, batch_records=100, session_ms=session_ms(url)) as bench:
        fill(bench.log, records)
        bench.start()
        for kill in range(kills):
            bench.wait_for((kill + 1) * len(records) // (kills + 2))
            states.kill()
            time.sleep(0.5)
            states.start()
        back_at = time.perf_counter()
        bench.wait_for(len(records))
        seconds = time.perf_counter() - back_at
        judge.judge(bench, records, events)
    rows.append((f"states' Redis killed {kills} times", _backend(url), *judge.cells(seconds)))
    return {**judge.figures("store_killed"), "store_back_s": seconds}


def broker_down(kafka: KafkaServer, redis_url: str, *, events: int, away_s: float, rows: list[Row]) -> dict[str, float]:
    """Stop the broker in mid-work; return how soon everything is applied once it is back."""
    url = log_url("kafka", redis_url, kafka.bootstrap)
    records = make_records(events, users=events // 20, per_record=2)
    half = len(records) // 2
    judge = Judge(redis_url)
    with running(url, redis_url, batch_records=100, session_ms=session_ms(url)) as bench:
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
        judge.judge(bench, records, events)
        bench.client.flushdb()
    rows.append((f"broker unavailable for {away_s:g} s", "kafka", *judge.cells(seconds)))
    return {**judge.figures("broker_down"), "broker_back_s": seconds}


def _named(backend: str, figures: dict[str, float]) -> dict[str, float]:
    return {f"{name}_{backend}": value for name, value in figures.items()}


def _backend(url: str) -> str:
    return "kafka" if url.startswith("kafka") else "redis"
