"""Untidy events through a real web process, log and stream worker, held against what happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from benchmarks.untidy.traffic import ITEMS, PEOPLE, RATE, Request, Truth, anonymous_id, traffic, user_id
from tests.tracking.web_process import ROOT, Web

APPLIED_WITHIN_S: Final = 300.0
HEADERS: Final = {
    "Content-Type": "application/json",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",  # programs count as bots
}
SECRET_KEY: Final = """
from tracking.access.sites import create_key
from tracking.models import Site
print("key=" + create_key(Site.objects.get(), "sk")[1])
"""


@dataclass(frozen=True, slots=True)
class Balance:
    """How far what Recsite counted is from what happened."""

    events: int
    events_lost: int
    orders: int
    orders_off: int
    money_off_minor: int
    pieces_off: int
    refused_off: int


def balance(folder: Path, *, redis_url: str, log_url: str, n_events: int) -> Balance:
    """Send, apply and compare; ``folder`` and the Redis are this ledger's own."""
    web = Web(folder, redis_url=redis_url, log_url=log_url, BROWSER_EVENTS_PER_MINUTE="0").prepare()
    secret = web.manage("shell", "-v0", "-c", SECRET_KEY).partition("key=")[2].split()[0]
    (folder / "items.jsonl").write_text("".join(f'{{"id": "item{n}", "title": "Item {n}"}}\n' for n in range(ITEMS)))
    web.manage("import_items", str(folder / "items.jsonl"), "--site", "default")
    (folder / "rates.csv").write_text(f"day,currency,rate\n{datetime.now(UTC):%Y-%m-%d},USD,{float(RATE)}\n")
    web.manage("import_rates", str(folder / "rates.csv"))
    requests, truth = traffic(n_events, now_ms=int(time.time() * 1_000))
    web.start()
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "recsite", "worker", "-Q", "stream", "-P", "threads", "-c", "1",
         "-l", "ERROR", "--without-gossip", "--without-mingle"],
        cwd=ROOT, stdout=subprocess.DEVNULL,
        env={**os.environ, "RECSITE_SECRET_KEY": "x" * 50, "RECSITE_DATA_DIR": str(folder), "REDIS_URL": redis_url,
             "EVENT_LOG_URL": log_url, "DJANGO_SETTINGS_MODULE": "recsite.settings", "RECSITE_LOG_LEVEL": "ERROR"},
    )  # fmt: skip
    try:
        connection = HTTPConnection("127.0.0.1", web.port, timeout=30)
        refused = sum(_send(connection, secret if one.is_server else web.key, one) for one in requests)
        connection.close()
        web.stop()
        in_log = _ids_in(log_url)
        _wait_until_applied(redis_url, log_url)
    finally:
        web.kill()
        worker.terminate()
        worker.wait(30)
    return _compare(truth, in_log, redis_url, log_url, refused=refused)


def _send(connection: HTTPConnection, key: str, request: Request) -> int:
    """Send one request; return how many of its events were refused."""
    body = json.dumps({"key": key, **request.body})
    connection.request("POST", "/v1/events", body=body.encode(), headers=HEADERS)
    answer = connection.getresponse()
    said = json.load(answer)
    if answer.status != 202 and "rejected" not in said:  # where none is good, the answer is 400
        raise RuntimeError(f"a request was answered with {answer.status}: {said}")
    return len(said["rejected"])


def _ids_in(log_url: str) -> set[str]:
    from tracking.contract.parsing import parse_record
    from tracking.log import open_log

    log = open_log(log_url)
    return {
        event.event_id
        for partition in range(log.ensure_topic())
        for each in log.read_all(partition)
        for event in parse_record(each.value).events
    }


def _wait_until_applied(redis_url: str, log_url: str) -> None:
    """Wait until the worker is at the end of the log, and stays there: it may append records itself."""
    from features.store import connections
    from features.store.scan import read_progress
    from tracking.log import open_log
    from tracking.redis_client import connect

    log = open_log(log_url)
    client = connect(redis_url, timeout_s=10)
    give_up_at = time.monotonic() + APPLIED_WITHIN_S
    quiet = 0
    while quiet < 3:
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"the stream worker was not done within {APPLIED_WITHIN_S:g} s")
        time.sleep(0.5)
        progress = read_progress(client, partitions=log.ensure_topic(), log_name=connections.name_of(log))
        n_applied = sum(one.records for one in progress.values())
        n_there = sum(1 for partition in progress for _ in log.read_all(partition))
        quiet = quiet + 1 if n_applied >= n_there else 0
    client.close()


def _compare(truth: Truth, in_log: set[str], redis_url: str, log_url: str, *, refused: int) -> Balance:
    from features.state.states import decode_profile
    from features.store import connections
    from features.store.item_stats import ItemStatsMerger, load_item_stats
    from features.store.scan import scan_states
    from tracking.log import open_log
    from tracking.redis_client import connect

    log = open_log(log_url)
    client = connect(redis_url, timeout_s=10)
    people = {f"a:{anonymous_id(person)}": person for person in range(PEOPLE)}
    people |= {f"u:{user_id(person)}": person for person in range(PEOPLE)}
    orders: Counter[int] = Counter()
    minor: Counter[int] = Counter()
    apart: Counter[tuple[int, str]] = Counter()
    for stored in scan_states(client, partitions=log.ensure_topic(), view="profile"):
        profile = decode_profile(stored.blob)
        person = people[stored.user_key]
        minor[person] += profile.revenue - profile.refunded
        orders[person] += profile.orders
        for currency, (_, value, refunded) in profile.apart.items():
            apart[person, currency] += value - refunded
    merger = ItemStatsMerger(
        client, partitions=log.ensure_topic(), log_name=connections.name_of(log), lateness_ms=86_400_000
    )
    merger.merge()
    stats = load_item_stats(client, "default")
    client.close()
    return Balance(
        events=len(truth.event_ids),
        events_lost=len(truth.event_ids ^ in_log),
        orders=sum(map(len, truth.orders.values())),
        orders_off=sum(abs(orders[person] - len(truth.orders[person])) for person in range(PEOPLE)),
        money_off_minor=sum(abs(minor[person] - truth.minor[person]) for person in range(PEOPLE))
        + sum(abs(apart[each] - truth.apart[each]) for each in apart.keys() | truth.apart.keys()),
        pieces_off=sum(
            abs(stats.count(item, "purchases", "7d") - truth.pieces[item])
            for item in (f"item{number}" for number in range(ITEMS))
        ),
        refused_off=abs(refused - truth.refused),
    )
