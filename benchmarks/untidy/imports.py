"""Past events of three public data sets' formats: rows a second and the most memory of ``import_events``, unsorted."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.tracking.web_process import ROOT

START_MS: Final = 1_430_000_000_000
DAYS_140_MS: Final = 140 * 86_400_000


@dataclass(frozen=True, slots=True)
class Imported:
    """One import: ``rows`` read in ``seconds``, with at most ``peak_mb`` of memory in one process."""

    name: str
    rows: int
    seconds: float
    peak_mb: float


def _retailrocket(rnd: random.Random, n_rows: int) -> Iterator[str]:
    yield "timestamp,visitorid,event,itemid,transactionid\n"
    for number in range(n_rows):
        kind = rnd.choices(("view", "addtocart", "transaction"), (96, 3, 1))[0]
        at_ms = START_MS + rnd.randrange(DAYS_140_MS)
        order = number if kind == "transaction" else ""
        yield f"{at_ms},{rnd.randrange(n_rows // 2)},{kind},{rnd.randrange(100_000)},{order}\n"


def _otto(rnd: random.Random, n_rows: int) -> Iterator[str]:
    for session in range(n_rows // 10):
        at_ms = START_MS + rnd.randrange(DAYS_140_MS)
        events = [
            {"aid": rnd.randrange(100_000), "ts": at_ms + 9_000 * number, "type": "carts" if number == 9 else "clicks"}
            for number in range(10)
        ]
        yield json.dumps({"session": session, "events": events}) + "\n"


def _rees46(rnd: random.Random, n_rows: int) -> Iterator[str]:
    yield "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
    for _ in range(n_rows):
        at = datetime.fromtimestamp((START_MS + rnd.randrange(DAYS_140_MS)) // 1_000, UTC)
        kind = rnd.choices(("view", "cart", "purchase"), (94, 4, 2))[0]
        item, user, price = rnd.randrange(100_000), rnd.randrange(n_rows // 4), rnd.randrange(1, 9_999) / 100
        who = f"{user},session-{user}-{rnd.randrange(3)}"
        yield f"{at:%Y-%m-%d %H:%M:%S} UTC,{kind},{item},77,shoes.boots,bo,{price},{who}\n"


FORMATS: Final[dict[str, tuple[str, Callable[[random.Random, int], Iterator[str]]]]] = {
    "retailrocket": ("events.csv", _retailrocket),
    "otto": ("train.jsonl", _otto),
    "rees46": ("2015-May.csv", _rees46),
}


def measure(folder: Path, *, redis_url: str, n_rows: int) -> list[Imported]:
    """Import a file of each format into a site and a Redis stream of its own."""
    found = []
    for name, (file_name, rows) in FORMATS.items():
        own = folder / name
        own.mkdir(parents=True)
        with (own / file_name).open("w") as file:
            file.writelines(rows(random.Random(5), n_rows))
        environment = {
            **os.environ, "RECSITE_SECRET_KEY": "only-for-benchmarks-" + "x" * 50, "RECSITE_DATA_DIR": str(own),
            "REDIS_URL": redis_url, "EVENT_LOG_URL": f"{redis_url}?stream={name}&partitions=4",
        }  # fmt: skip
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
        started = time.perf_counter()
        importing = subprocess.Popen(
            [*manage, "import_events", str(own / file_name), "--no-items"],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        said = importing.stdout.read() if importing.stdout else ""
        _, status, used = os.wait4(importing.pid, 0)
        if status or f"{n_rows:,} rows read = {n_rows:,} appended" not in said:
            raise RuntimeError(f"import_events of {name} ended with {os.waitstatus_to_exitcode(status)}:\n{said}")
        found.append(Imported(name, n_rows, time.perf_counter() - started, used.ru_maxrss / 1_024))
    return found
