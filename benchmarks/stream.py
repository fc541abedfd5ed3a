"""From the log to features: events a second, kills, memory, recovery, and reads beside Feast's on the same Redis.

Kafka (one broker, one disk) and Redis are started here, on free ports. Events a second are those of one worker process
that works off a full log; every event goes to one of many users, so that a batch has about as many users as records.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")

from benchmarks.report import print_table
from benchmarks.stream_faults import COLUMNS, killed
from benchmarks.stream_load import ITEMS, SITE, Bench, fill, log_url, make_records, running

FEAST = "feast[redis]==0.67.0"
FEAST_TIMEOUT_S = 600
STOPPED_MS = 120_000  # workers that are stopped while the log is filled must stay in their group
DEAL_S = 6.0
EXPIRY_BYTES = 40  # of an entry in the dictionary of expiries, which MEMORY USAGE leaves out


def run(*, quick: bool) -> dict[str, float]:
    """Measure everything and print it; return the figures."""
    from tests.services.kafka_server import KafkaServer
    from tests.services.redis_server import RedisServer

    events = 20_000 if quick else 200_000
    figures: dict[str, float] = {}
    rows: list[tuple[object, ...]] = []
    with RedisServer() as redis, KafkaServer() as kafka:
        for backend in ("kafka", "redis"):
            for per_record in (1, 20):
                count = events if per_record == 1 else events * 4
                speed = _throughput(log_url(backend, redis.url, kafka.bootstrap), redis.url, count, per_record)
                name = backend if per_record == 1 else f"{backend}_20"
                figures[f"events_per_s_{name}"], figures[f"cpu_us_per_event_{name}"] = speed
                rows.append((backend, per_record, 1, speed[0], speed[1], ""))
            for workers in (4,) if quick else (2, 3, 4):
                url = log_url(backend, redis.url, kafka.bootstrap)
                speed = _throughput(url, redis.url, events, 1, workers=workers)
                figures[f"events_per_s_{backend}_{workers}_workers"] = speed[0]
                speed_up = speed[0] / figures[f"events_per_s_{backend}"]
                rows.append((backend, 1, workers, speed[0], speed[1], speed_up))
        print_table(
            f"Log to features, {events:,} events of 1-event records, four times as many of 20-event records",
            ("log", "events a record", "workers", "events/s", "CPU us/event", "times one worker"),
            rows,
            caption=f"{os.cpu_count()} cores, which Redis, the broker and the benchmark share with the workers.",
        )
        kills: list[tuple[object, ...]] = []
        figures |= killed(log_url("redis", redis.url, ""), redis.url, *((10_000, 1) if quick else (100_000, 20)), kills)
        print_table(
            "Recovery", COLUMNS, kills, caption="s: from starting a process after the last kill to its first write."
        )
        figures |= {"lost": figures["killed_lost"], "doubled": figures["killed_doubled"]}
        figures |= _memory(redis.url, users=5_000 if quick else 100_000)
        figures |= _many_users(redis.url, users=50_000 if quick else 1_000_000)
        figures |= _reads(redis.url, rounds=300 if quick else 2_000)
    return figures


def _throughput(url: str, redis_url: str, events: int, per_record: int, *, workers: int = 1) -> tuple[float, float]:
    """Return events a second and CPU microseconds an event; from the first applied record to the last."""
    with running(url, redis_url, session_ms=STOPPED_MS) as bench:
        bench.client.flushdb()
        warm = make_records(2_000, users=2_000, per_record=1)
        fill(bench.log, warm)
        for _ in range(workers):
            bench.start()
        bench.wait_for(len(warm))
        if workers > 1:
            time.sleep(DEAL_S)  # until the partitions are dealt out
        for process in bench.workers:
            os.kill(process.pid, 19)  # SIGSTOP: what comes now waits in the log
        records = make_records(events, users=events // 5, per_record=per_record)
        fill(bench.log, records)
        for process in bench.workers:
            os.kill(process.pid, 18)  # SIGCONT
        cpu, started = _cpu_of(bench), time.perf_counter()
        bench.wait_for(len(warm) + len(records))
        seconds = time.perf_counter() - started
        return events / seconds, (_cpu_of(bench) - cpu) / events * 1e6


def _cpu_of(bench: Bench) -> float:
    import psutil

    return sum(sum(psutil.Process(process.pid).cpu_times()[:2]) for process in bench.workers)


def _memory(redis_url: str, *, users: int) -> dict[str, float]:
    """Return bytes of Redis a user with 20 events, names and expiry of the keys included."""
    with running(log_url("redis", redis_url, ""), redis_url) as bench:
        bench.client.flushdb()
        for salt in range(4):
            fill(bench.log, make_records(users * 5, users=users, per_record=5, salt=salt))
        bench.start()
        bench.wait_for(users * 4, timeout_s=600)
        bench.stop()
        profiles = list(bench.client.scan_iter("rs:*:profile:*", count=1_000))
        pipe = bench.client.pipeline(transaction=False)
        for key in profiles[:2_000]:
            pipe.memory_usage(key)
            pipe.memory_usage(key.replace(b":profile:", b":session:"))
        measured = sum(pipe.execute()) / len(profiles[:2_000]) + 2 * EXPIRY_BYTES
        without_ttl = _keys_without_ttl(bench)
        items = sum(bench.client.memory_usage(key) for key in bench.client.scan_iter("rs:*:items:*", count=1_000))
        bench.client.flushdb()
    print_table(
        "Memory",
        ("users", "bytes a user", "item counts, bytes an item", "keys without TTL"),
        [(len(profiles), measured, items / ITEMS, without_ttl)],
        caption="20 events a user within ten minutes: the session and profile keys, their names and expiry included.",
    )
    return {"bytes_per_user": measured, "bytes_per_item": items / ITEMS, "keys_without_ttl": without_ttl}


def _many_users(redis_url: str, *, users: int) -> dict[str, float]:
    """Return bytes a user of all that Redis holds once ``users`` came by, with five events each; without the log."""
    step = 50_000
    with running(log_url("redis", redis_url, ""), redis_url) as bench:
        bench.client.flushdb()
        empty = bench.client.info("memory")["used_memory"]
        bench.start()
        for number in range(0, users, step):
            made = make_records(step * 5, users=1, per_record=5, salt=number // step)
            records = [_of_user(record, number + n) for n, record in enumerate(made)]
            fill(bench.log, records)
            bench.wait_for(number + step, timeout_s=300)
            for stream in bench.client.scan_iter("rs:*:log:*", count=1_000, _type="stream"):
                bench.client.xtrim(stream, maxlen=0, approximate=False)
        bench.stop()
        taken = bench.client.info("memory")["used_memory"] - empty
        pipe = bench.client.pipeline(transaction=False)
        for key in itertools.islice(bench.client.scan_iter("rs:*:profile:*", count=1_000), 20_000):
            pipe.strlen(key)
            pipe.strlen(key.replace(b":profile:", b":session:"))
        largest = max(pipe.execute())
        bench.client.flushdb()
    print_table(
        "Memory of everything",
        ("users", "MB", "bytes a user", "largest state, bytes"),
        [(users, taken / 1e6, taken / users, largest)],
        caption="used_memory of Redis less that of an empty one; item counts and the allocator's losses included.",
    )
    return {"bytes_per_user_of_all": taken / users, "largest_state_bytes": largest}


def _of_user(record: tuple[bytes, bytes], number: int) -> tuple[bytes, bytes]:
    key, value = record
    name = b"anonymous-%016d" % number
    return key.replace(b"anonymous-%016d" % 0, name), value.replace(b"anonymous-%016d" % 0, name).replace(
        b'"session_id":"' + b"0" * 12, b'"session_id":"' + name[-12:]
    )


def _keys_without_ttl(bench: Bench) -> int:
    keys = [
        key for key in bench.client.scan_iter("rs:*", count=1_000) if b":position:" not in key and b"bench-" not in key
    ]
    pipe = bench.client.pipeline(transaction=False)
    for key in keys[:20_000]:
        pipe.ttl(key)
    return sum(1 for ttl in pipe.execute() if ttl < 0)


def _reads(redis_url: str, *, rounds: int) -> dict[str, float]:
    """Read one user, and 100 items, as serving does and as Feast's SDK does; medians in milliseconds."""
    ours = asyncio.run(_our_reads(redis_url, rounds))
    feast = _feast_reads(redis_url, rounds)
    rows: list[tuple[object, ...]] = [("Recsite, one MGET; items in memory", ours["user"], ours["items"])]
    if feast:
        rows.append((f"{FEAST}, get_online_features", feast["user"], feast["items"]))
    print_table("Reads, median ms", ("", "one user", "100 items"), rows)
    if not feast:
        return {"read_user_ms": ours["user"]}
    return {
        "read_user_ms": ours["user"],
        "read_ratio_to_feast": ours["user"] / feast["user"],
        "read_items_ratio_to_feast": ours["items"] / feast["items"],
    }


async def _our_reads(redis_url: str, rounds: int) -> dict[str, float]:
    from features.store.connections import name_of
    from features.store.item_stats import ItemStatsMerger, load_item_stats
    from features.store.reader import OnlineReader

    with running(log_url("redis", redis_url, ""), redis_url) as bench:
        bench.client.flushdb()
        records = make_records(20_000, users=1_000, per_record=5)
        await asyncio.to_thread(fill, bench.log, records)
        bench.start()
        await asyncio.to_thread(bench.wait_for, len(records))
        bench.stop()
        ItemStatsMerger(bench.client, partitions=4, log_name=name_of(bench.log), lateness_ms=900_000).merge()
        stats = load_item_stats(bench.client, SITE)
        reader = OnlineReader(redis_url, partitions=4, timeout_s=1.0)
        known = sorted({key.decode().partition("/a:")[2] for key, _ in records})
        times, item_times = [], []
        for number in range(rounds):
            started = time.perf_counter()
            features = await reader.read_user(SITE, user_id=None, anonymous_id=known[number % len(known)])
            times.append(time.perf_counter() - started)
            if not features.is_known:
                raise RuntimeError("a user of the benchmark is not known")
            started = time.perf_counter()
            for item in range(100):
                stats.count(f"item{(number + item) % 5_000}", "views", "1h")
            item_times.append(time.perf_counter() - started)
        await reader.close()
        bench.client.flushdb()
    return {name: sorted(one)[len(one) // 2] * 1_000 for name, one in (("user", times), ("items", item_times))}


def _feast_reads(redis_url: str, rounds: int) -> dict[str, float] | None:
    """Run Feast in an environment of its own: what it pins does not fit beside what we pin."""
    folder = Path(os.environ.get("RECSITE_BENCH_FEAST", Path(tempfile.gettempdir()) / "recsite-bench-feast"))
    python = folder / "bin/python"
    try:
        if subprocess.run([python, "-c", "import feast"], capture_output=True, check=False).returncode != 0:
            raise FileNotFoundError
    except FileNotFoundError:
        try:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True, timeout=60)
            subprocess.run(
                [python, "-m", "pip", "install", "-q", FEAST], check=True, capture_output=True, timeout=FEAST_TIMEOUT_S
            )
        except (subprocess.SubprocessError, OSError) as error:
            print(f"stream: Feast could not be installed, so its reads are left out: {error}", file=sys.stderr)
            return None
    script = Path(__file__).with_name("feast_reads.py")
    done = subprocess.run(
        [python, script, redis_url, str(rounds)], capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode != 0:
        print(f"stream: Feast's reads failed: {done.stderr[-500:]}", file=sys.stderr)
        return None
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
