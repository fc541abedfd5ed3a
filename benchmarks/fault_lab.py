"""An installation under load, and a row of figures for each thing that goes wrong meanwhile; for ``serve_faults``."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from benchmarks.http_load import Answers, fixed_rate, post
from benchmarks.serving_lab import PROJECT, Lab
from benchmarks.shoppers import shopper

if TYPE_CHECKING:
    from tests.services.postgres_server import PostgresServer
    from tests.services.redis_server import RedisServer

N_SHOPPERS: Final = 4_000
PER_SECOND: Final = 100
LIMIT_P99_MS: Final = 100.0
PATH: Final = "/v1/recommendations"
HOME: Final = {"placement": "home_for_you", "limit": 12}
Expected = Callable[[Counter[str], Counter[str]], bool]
"""Whether stages and reasons of what was served are those that the fault should lead to."""

_LISTS: Final = re.compile(r'recsite_lists_total\{.*stage="(\w+)".*\} (\S+)')
_REASONS: Final = re.compile(r'recsite_fallbacks_total\{.*reason="(\w+)".*\} (\S+)')
_REFUSED: Final = re.compile(r"recsite_model_load_failures_total\{.*\} (\S+)")
_MADE: Final = re.compile(r'recsite_serving_stage_seconds_count\{stage="pipeline"\} (\S+)')


@dataclass(kw_only=True)
class Shop:
    """The installation under fire."""

    lab: Lab
    redis: RedisServer
    postgres: PostgresServer
    key: str
    port: int
    seconds: float
    rows: list[list[object]] = field(default_factory=list)
    p99_ms: dict[str, float] = field(default_factory=dict)
    failed: int = 0
    broken: list[str] = field(default_factory=list)
    _next: int = 0

    def ask(self, number: int) -> bytes:
        """Return the request of a shopper who was not asked for lately, so that its list has to be made."""
        self._next += 1
        who = shopper(self._next % N_SHOPPERS)
        return post(PATH, json.dumps({"key": self.key, "anonymous_id": who, "placements": [HOME]}).encode())

    async def load(self, seconds: float | None = None) -> Answers:
        """Ask at the fixed rate."""
        return await fixed_rate(
            [self.port], self.ask, per_second=PER_SECOND, for_s=seconds or self.seconds, connections=48
        )

    def counted(self) -> tuple[Counter[str], Counter[str], float, float]:
        """Return lists by stage, fallbacks by reason, refused versions and lists made, since the start."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        stages: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for counter, pattern in ((stages, _LISTS), (reasons, _REASONS)):
            for name, value in pattern.findall(text):
                counter[name] += int(float(value))
        refused, made = (sum(map(float, pattern.findall(text))) for pattern in (_REFUSED, _MADE))
        return stages, reasons, refused, made

    async def row(
        self,
        name: str,
        during: Callable[[], Awaitable[str]] | None = None,
        *,
        seconds: float | None = None,
        must: Expected = lambda stages, reasons: True,
    ) -> None:
        """Measure the load while ``during`` happens; ``must`` looks at stages and reasons of what was served."""
        stages, reasons, *_ = await asyncio.to_thread(self.counted)
        loading = asyncio.create_task(self.load(seconds))
        await asyncio.sleep(0.2)
        note = await during() if during is not None else ""
        answers = await loading
        stages_now, reasons_now, *_ = await asyncio.to_thread(self.counted)
        served, why = stages_now - stages, reasons_now - reasons
        missing = answers.due - len(answers.latencies_ms)
        p99 = answers.percentile(99)
        self.rows.append([name, answers.percentile(50), p99, answers.due, missing, said(served), said(why), note])
        self.p99_ms[name] = p99
        self.failed += missing
        if missing or p99 >= LIMIT_P99_MS or not must(served, why):
            self.broken.append(name)

    def manage(self, code: str) -> str:
        """Run Python in a process of its own, as the admin would; return what it printed last."""
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "-v", "0", "-c", code],
            cwd=PROJECT, env=self.lab.environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(done.stderr[-2_000:])
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""

    def asked(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """Ask once and return status and answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                content = answer.read()
                return int(answer.status), json.loads(content) if content else {}
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


def said(counts: Counter[str]) -> str:
    """Return counts as text: shares of many, numbers of few."""
    total = sum(counts.values())
    return ", ".join(f"{name} {n / total:.0%}" if total > 50 else f"{n} of {name}" for name, n in counts.most_common())
