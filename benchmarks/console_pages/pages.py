"""Times of the console's pages, axe's verdict on each at two widths, and the time from publishing to an open page."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import websockets

from benchmarks.report import print_table
from benchmarks.serving_lab import PROJECT, Lab, lab

FULL: Final = (1_000_000, 5_000, 56)
QUICK: Final = (5_000, 200, 28)
"""Items, rules and days of roll-ups."""
TIMES: Final = 11
QUICK_TIMES: Final = 3
PUBLISHED: Final = 5
WITHIN_S: Final = 20.0
WORLD_S: Final = 1_800
SHOWN: Final = 8
LISTED: Final = "home_for_you"
_TOKEN: Final = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """A running console: where it is, whose session opens it, and its pages."""

    base: str
    port: int
    key: str
    session: str
    pages: list[str]

    def open(self, path: str, data: dict[str, Any] | None = None, cookie: str = "") -> tuple[int, bytes, str]:
        """Ask for a page, or send a form; return status, body and cookies that were set."""
        body = None if data is None else urllib.parse.urlencode(data, doseq=True).encode()
        request = urllib.request.Request(self.base + path, data=body)
        request.add_header("Cookie", f"sessionid={self.session}; {cookie}")
        request.add_header("Referer", self.base + path)
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=120) as answer:
                return answer.status, answer.read(), answer.headers.get("Set-Cookie", "")
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers.get("Set-Cookie", "")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def measure(*, quick: bool) -> dict[str, float]:
    """Return ``pages``, ``slowest_page_ms_p90``, ``axe_violations``, ``publish_`` and ``recall_to_open_page_ms``."""
    with lab() as made:
        console = _started(made, *(QUICK if quick else FULL))
        timed = _timed(console, QUICK_TIMES if quick else TIMES)
        slowest = sorted(timed.items(), key=lambda pair: -pair[1])
        print_table("The slowest pages", ["page", "p90 ms"], [[path, ms] for path, ms in slowest[:SHOWN]])
        violations = _axe(console, list(timed))
        if violations:
            print_table(
                "What axe says",
                ["page", "width", "rule", "nodes", "first"],
                [[one["path"], one["width"], one["id"], one["nodes"], one["target"]] for one in violations[:40]],
            )
        published, recalled = asyncio.run(_on_open_page(console))
        print_table(
            "An open page follows",
            ["what", "median ms"],
            [["a rule that is published", round(published)], ["an item that is recalled everywhere", round(recalled)]],
        )
    return {
        "pages": float(len(timed)),
        "slowest_page_ms_p90": slowest[0][1],
        "axe_violations": float(len(violations)),
        "publish_to_open_page_ms": published,
        "recall_to_open_page_ms": recalled,
    }


def _started(made: Lab, n_items: int, n_rules: int, n_days: int) -> Console:
    made.environment["RECSITE_ALLOWED_HOSTS"] = "127.0.0.1"
    filled = subprocess.run(
        [sys.executable, "-m", "benchmarks.console_pages.world", str(n_items), str(n_rules), str(n_days)],
        cwd=PROJECT, env=made.environment, capture_output=True, text=True, check=False, timeout=WORLD_S,
    )  # fmt: skip
    if filled.returncode:
        raise SystemExit(filled.stderr[-2_000:])
    world = json.loads(filled.stdout.splitlines()[-1])
    port, _ = made.start_web("recsite.asgi:application", workers=1)
    return Console(
        base=f"http://127.0.0.1:{port}", port=port, key=world["key"], session=world["session"], pages=world["pages"]
    )


def _timed(console: Console, times: int) -> dict[str, float]:
    """Return the 90th percentile of each page that opens; a first visit warms it up and is not counted."""
    found: dict[str, float] = {}
    for path in console.pages:
        status, body, _ = console.open(path)
        if status >= 500:
            raise SystemExit(f"{path} answered {status}")
        if status != 200 or b"<html" not in body[:500]:  # a redirect, a file, a page that wants to be asked otherwise
            continue
        took = []
        for _ in range(times):
            started = time.perf_counter()
            console.open(path)
            took.append((time.perf_counter() - started) * 1000)
        found[path] = float(np.percentile(took, 90))
    return found


def _axe(console: Console, paths: list[str]) -> list[dict[str, Any]]:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or not (PROJECT / "sdk" / "node_modules" / "axe-core").exists():
        raise SystemExit("axe needs Chromium and `npm ci` in sdk/; set CHROMIUM to its path")
    script = Path(__file__).with_name("axe.mjs")
    answer = subprocess.run(
        ["node", str(script), chromium, console.session, console.base, *paths],
        cwd=PROJECT, capture_output=True, text=True, check=False, timeout=1_800,
    )  # fmt: skip
    if answer.returncode:
        raise SystemExit(answer.stderr[-2_000:])
    violations: list[dict[str, Any]] = json.loads(answer.stdout.splitlines()[-1])
    return violations


async def _on_open_page(console: Console) -> tuple[float, float]:
    """Return the median times from pressing a button to the changed list on an open page, in milliseconds.

    The buttons are *Save and publish* of a rule, and *Recall everywhere* of the first item that the page shows.
    """
    published, recalled = [], []
    async with websockets.connect(f"ws://127.0.0.1:{console.port}/v1/live") as page:
        await page.send(json.dumps({"type": "hello", "key": console.key, "anonymous_id": "bench" * 6}))
        await page.recv()
        await page.send(json.dumps({"type": "subscribe", "placements": [{"placement": LISTED, "limit": 8}]}))
        shown = await _heard(page)
        for number in range(PUBLISHED):
            fields, cookie = await asyncio.to_thread(_rule_form, console, number)
            started = time.perf_counter()
            status, body, _ = await asyncio.to_thread(console.open, _ADD, fields, cookie)
            if status != 302:
                raise SystemExit(f"the rule was not published: {status} {_errors(body)}")
            shown = await _heard(page)
            published.append((time.perf_counter() - started) * 1000)
        for _ in range(PUBLISHED):
            fields, cookie = await asyncio.to_thread(_recall_form, console, shown[0])
            started = time.perf_counter()
            status, body, _ = await asyncio.to_thread(console.open, _RECALL, fields, cookie)
            if status != 302:
                raise SystemExit(f"the item was not recalled: {status} {_errors(body)}")
            while fields["item_id"] in shown:
                shown = await _heard(page)
            recalled.append((time.perf_counter() - started) * 1000)
    return float(np.median(published)), float(np.median(recalled))


_ADD: Final = "/admin/recommendations/rule/add/"
_RECALL: Final = "/admin/recommendations/recalleditem/recall/"


def _rule_form(console: Console, number: int) -> tuple[dict[str, Any], str]:
    _, body, cookies = console.open(_ADD)
    token = _TOKEN.search(body)
    chosen = re.search(rb'<option value="(\d+)"[^>]*>\s*Shop\s*</option>', body)
    if token is None or chosen is None:
        raise SystemExit("the form of a rule cannot be read")
    fields = {
        "csrfmiddlewaretoken": token[1].decode(), "site": chosen[1].decode(), "name": f"Pin {number}",
        "action": "pin", "position": 1, "pin_count": 3, "pin_order": "newest", "strength": 2, "priority": 9,
        "items": f"sku{11 + number}", "shoppers": "all", "recommendations_rule_save_and_publish": "1", "confirms": "",
    }  # fmt: skip
    return fields, cookies.partition(";")[0]


def _recall_form(console: Console, item_id: str) -> tuple[dict[str, Any], str]:
    fields, cookie = _rule_form(console, 0)
    return {name: fields[name] for name in ("csrfmiddlewaretoken", "site")} | {"item_id": item_id}, cookie


def _errors(body: bytes) -> str:
    return " ".join(text.decode() for text in re.findall(rb'class="[^"]*error[^"]*"[^>]*>([^<]{3,200})', body))[:600]


async def _heard(page: websockets.ClientConnection) -> list[str]:
    """Return the ids of the next list that the page is sent."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        message = json.loads(await asyncio.wait_for(page.recv(), WITHIN_S))
        if message["type"] == "update":
            return [item["item_id"] for one in message["results"] for item in one["items"]]
    raise SystemExit("the open page heard nothing")
