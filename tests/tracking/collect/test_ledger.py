"""The ledger balances: what was answered with 202 is in the log or in the spool, and the counters say the same.

Every id is sent once, so with kills ``answered <= counted as collected <= found``, each bound by what was on its way
at the kills; without kills all three are equal, and ``collected = published + spooled``, ``spooled = drained``.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.services.kafka_server import KafkaServer
from tests.services.process import Server
from tests.services.redis_server import RedisServer
from tests.services.waiting import DEADLINE_S, wait_until_async
from tests.tracking.web_process import Web, send_forever
from tracking.collect.spool import Spool
from tracking.contract.parsing import parse_record
from tracking.log import open_log
from tracking.log.base import EventLog

pytestmark = pytest.mark.slow
N_IDS, BATCH, N_CLIENTS = 100_000, 20, 24
DRAINED_WITHIN_S = 60.0
Bodies = asyncio.Queue[tuple[list[str], bytes]]
Trouble = Callable[[Bodies], Awaitable[None]]
BACKENDS = [
    pytest.param(RedisServer, marks=pytest.mark.redis, id="redis"),
    pytest.param(KafkaServer, marks=pytest.mark.kafka, id="kafka"),
]


def body(key: str, anonymous_id: str, ids: list[str]) -> bytes:
    events = [{"event": "page_view", "event_id": one, "ts": 1} for one in ids]
    return json.dumps({"key": key, "anonymous_id": anonymous_id, "events": events}).encode()


def bodies(key: str, n_ids: int) -> Bodies:
    queue: Bodies = asyncio.Queue()
    for start in range(0, n_ids, BATCH):
        ids = [f"event-{number:08d}" for number in range(start, start + BATCH)]
        queue.put_nowait((ids, body(key, f"shopper-{start % 997:08d}", ids)))
    return queue


def ids_in_log(log: EventLog) -> Counter[str]:
    """Return how often each id is in the log."""
    seen: Counter[str] = Counter()
    for partition in range(log.ensure_topic()):
        for record in log.read_all(partition):
            seen.update(event.event_id for event in parse_record(record.value).events)
    return seen


def ids_in_spool(root: Path) -> set[str]:
    """Return the ids that wait on the disk; takes over what the dead left."""
    spool = Spool(root, max_bytes=10**9)
    spool.open()
    found: set[str] = set()
    while chunk := spool.peek():
        for _, value in chunk:
            found.update(event.event_id for event in parse_record(value).events)
        spool.forget(len(chunk))
    spool.close()
    return found


async def send_all_while(web: Web, n_ids: int, trouble: Trouble) -> tuple[set[str], set[str]]:
    """Send all bodies while ``trouble`` goes on; return the ids answered with 202, and those answered otherwise."""
    accepted: set[str] = set()
    refused: set[str] = set()
    queue = bodies(web.key, n_ids)
    clients = [asyncio.create_task(send_forever(web.port, queue, accepted, refused)) for _ in range(N_CLIENTS)]
    await trouble(queue)
    await asyncio.gather(*clients)
    return accepted, refused


async def send_first(web: Web) -> set[str]:
    """Send bodies one after the other until the log took one; return their ids, all answered with 202.

    A log that is slow to connect would leave everything to the spool, and be reached only when the load is over.
    """
    accepted: set[str] = set()
    deadline_s = time.monotonic() + DEADLINE_S
    while web.counted()["published_records"] == 0:
        assert time.monotonic() < deadline_s, "the log took nothing"
        ids = [f"first-{len(accepted) + number:08d}" for number in range(BATCH)]
        queue: Bodies = asyncio.Queue()
        queue.put_nowait((ids, body(web.key, "shopper-first", ids)))
        await send_forever(web.port, queue, accepted)
        await asyncio.sleep(0.1)  # sleep: the pace of one client
    return accepted


async def until_sent(queue: Bodies, share: float, n_ids: int = N_IDS) -> None:
    await wait_until_async(lambda: queue.qsize() <= n_ids / BATCH * (1 - share), f"{share:.0%} sent", step_s=0.005)


async def until_drained(web: Web) -> None:
    """Wait until nothing is on the disk any more."""
    await wait_until_async(
        lambda: not list((web.data / "spool").glob("*/*.seg")),
        "the spool to be drained within a minute",
        within_s=DRAINED_WITHIN_S,
    )


def check(web: Web, log: EventLog, accepted: set[str], *, n_kills: int) -> Counter[str]:
    """Hold the ledger of a web process that was stopped; return its counters."""
    in_log, in_spool = ids_in_log(log), ids_in_spool(web.data / "spool")
    totals = web.counted()
    print(
        f"answered={len(accepted)} collected={totals['events_collected']} log={len(in_log)} spool={len(in_spool)} "
        f"twice={in_log.total() - len(in_log)} records: published={totals['published_records']} "
        f"spooled={totals['spooled_records']} drained={totals['drained_records']}"
    )
    on_their_way = n_kills * N_CLIENTS * BATCH
    assert in_spool == set(), "stopped in good order, with a log that answers"
    assert accepted <= in_log.keys()
    assert len(accepted) <= totals["events_collected"] <= len(in_log) <= len(accepted) + on_their_way
    recorded = BATCH * (totals["published_records"] + totals["spooled_records"])
    assert 0 <= recorded - totals["events_collected"] <= on_their_way
    # What was drained right before a kill is drained again, and what was being spooled then was not counted yet.
    assert abs(totals["spooled_records"] - totals["drained_records"]) * BATCH <= 2 * on_their_way
    return totals


@pytest.mark.redis
async def test_every_id_answered_with_202_outlives_kills_and_a_frozen_log(tmp_path, redis_url, own_server) -> None:
    log_server = own_server(RedisServer)
    log_url = f"{log_server.url}?stream=killed&partitions=4"
    web = Web(tmp_path, redis_url=redis_url, log_url=log_url).prepare().start()

    async def trouble(queue: Bodies) -> None:
        for round_number, share in enumerate((0.15, 0.35, 0.55, 0.75)):
            await until_sent(queue, share)
            is_frozen = round_number % 2 == 1
            if is_frozen:  # what comes now goes to the spool, and the kill hits a process that spools
                os.kill(log_server.pid, signal.SIGSTOP)
                await until_sent(queue, share + 0.1)
            web.kill()
            if is_frozen:
                os.kill(log_server.pid, signal.SIGCONT)
            await asyncio.to_thread(web.start)

    try:
        accepted, refused = await send_all_while(web, N_IDS, trouble)
        await until_drained(web)
        await asyncio.to_thread(web.stop)
    finally:
        web.kill()
    totals = check(web, open_log(log_url), accepted, n_kills=4)
    assert len(accepted) > N_IDS * 0.8
    assert refused == set()
    assert min(totals["published_records"], totals["spooled_records"]) > 0


@pytest.mark.kafka
async def test_every_id_answered_with_202_is_in_kafka(tmp_path, redis_url, kafka_bootstrap) -> None:
    log_url = f"kafka://{kafka_bootstrap}/killed-{time.monotonic_ns()}?partitions=4"
    log = open_log(log_url)
    log.ensure_topic(timeout_s=30)
    web = Web(tmp_path, redis_url=redis_url, log_url=log_url).prepare().start()

    async def trouble(queue: Bodies) -> None:
        for share in (0.3, 0.6):
            await until_sent(queue, share)
            web.kill()
            await asyncio.to_thread(web.start)

    try:
        accepted, refused = await send_all_while(web, N_IDS, trouble)
        await until_drained(web)
        await asyncio.to_thread(web.stop)
    finally:
        web.kill()
    check(web, log, accepted, n_kills=2)
    assert len(accepted) > N_IDS * 0.8
    assert refused == set()


@pytest.mark.parametrize("kind", BACKENDS)
async def test_the_ledger_balances_to_the_last_event_with_the_log_down_and_the_spool_full(
    tmp_path, redis_url, own_server, kind: type[Server]
) -> None:
    n_ids = 40_000
    server = own_server(kind)
    if isinstance(server, RedisServer):
        log_url = f"{server.url}?stream=away&partitions=4"
    else:
        log_url = f"kafka://{server.bootstrap}/away?partitions=4"
    log = open_log(log_url)
    log.ensure_topic(timeout_s=30)
    web = Web(tmp_path, redis_url=redis_url, log_url=log_url, SPOOL_MAX_MB="1").prepare().start()

    async def trouble(queue: Bodies) -> None:
        await until_sent(queue, 0.2, n_ids)
        server.freeze()
        await until_sent(queue, 0.9, n_ids)  # a record has about 1.2 kB: the cap is reached on the way
        server.thaw()

    try:
        first = await send_first(web)
        accepted, refused = await send_all_while(web, n_ids, trouble)
        accepted |= first
        await until_drained(web)
        await asyncio.to_thread(web.stop)
    finally:
        web.kill()
    totals = check(web, log, accepted, n_kills=0)
    assert len(accepted) + len(refused) == n_ids + len(first), "every request was answered"
    assert min(totals["published_records"], totals["spooled_records"], len(refused)) > 0
    assert totals["hot_path_replies 503"] == len(refused) / BATCH
    assert totals["hot_path_replies 202"] == len(accepted) / BATCH
