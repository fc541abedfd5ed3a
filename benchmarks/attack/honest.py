"""Ten real users beside one network that spends the shop's quotas, for lists and for events: how many are refused."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.attack.dearest import FENCES
from benchmarks.attack.wire import from_address
from benchmarks.hostile_clients import status_of
from benchmarks.http_load import post
from benchmarks.report import print_table
from benchmarks.serving_lab import Lab, lab

USERS: Final = 10
EACH: Final = 5
PER_MINUTE: Final = 100
FLOOD: Final = 400
PATHS: Final = {"lists": "/v1/recommendations", "events": "/v1/events"}


def measure(*, quick: bool) -> dict[str, float]:
    """Let the network send first, then the users, within one minute of the quotas; prints a table."""
    with lab() as made:
        made.environment["RECSITE_TRUSTED_PROXIES"] = "1"
        key = made.make_shop(items=500, shoppers=10)
        _set_quotas(made)
        port, _ = made.start_web("recsite.asgi:application", workers=1, options=FENCES)
        if time.time() % 60 > 40:  # quotas are counted by the minute of the clock
            time.sleep(60 - time.time() % 60 + 0.5)
        rows, refused = [], 0
        for name, path in PATHS.items():
            flood, users = asyncio.run(_send(port, key, path))
            refused += sum(count for status, count in users.items() if status not in (200, 202))
            rows.append([name, _said(flood), _said(users)])
    print_table(
        f"{USERS} users after one network sent {FLOOD}, quotas of {PER_MINUTE} a minute",
        ["what", "the network's answers", "the users' answers"],
        rows,
    )
    return {"honest_users_refused": refused}


def _set_quotas(made: Lab) -> None:
    script = (
        "from tracking.models import Site; Site.objects.update("
        f"requests_per_minute={PER_MINUTE}, events_per_minute={PER_MINUTE}, address_requests_per_minute=0)"
    )
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", script], env=made.environment, check=True, timeout=120,
        cwd=Path(__file__).resolve().parents[2], stdout=subprocess.DEVNULL,
    )  # fmt: skip


async def _send(port: int, key: str, path: str) -> tuple[Counter[int], Counter[int]]:
    async def status(address: str, number: int) -> int:
        who = f"{number:032x}"
        body: dict[str, object] = {"key": key, "anonymous_id": who}
        if path == PATHS["events"]:
            viewed = {"items": [{"item_id": "sku1"}]}
            body["events"] = [{"event": "view_item", "event_id": who, "ts": int(time.time() * 1000), "params": viewed}]
        else:
            body["placement"] = "home_new"
        return await status_of(port, from_address(address, post(path, msgspec.json.encode(body))))

    flood = [await status(f"203.0.113.{number % 250 + 1}", number) for number in range(FLOOD)]
    users = [await status(f"198.51.{number % USERS}.7", 10_000 + number) for number in range(USERS * EACH)]
    return Counter(flood), Counter(users)


def _said(counts: Counter[int]) -> str:
    return ", ".join(f"{count:,} answers {status}" for status, count in sorted(counts.items()))
