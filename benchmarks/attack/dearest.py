"""The dearest request that a publishable key may send, and what a hundred of them a second do to everybody else.

A search over requests (random ones, then neighbours of the dearest) against a web process as ``manage.py up`` starts
it; a request's cost is the CPU time of the process, from the kernel's own count in nanoseconds. Quotas are off while it
searches, so that what it finds does not depend on them; the flood then meets a site's default quotas.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import random
import statistics
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.attack.requests import LISTS_PATH, Recipe, neighbour, random_recipe
from benchmarks.attack.wire import from_address
from benchmarks.http_load import USER_AGENT, Answers, fixed_rate, post
from benchmarks.report import print_table
from benchmarks.serving_lab import Lab, lab
from benchmarks.shoppers import shopper

N_ITEMS: Final = 100_000
N_SHOPPERS: Final = 2_000
ATTACKS_PER_S: Final = 100.0
OTHERS_PER_S: Final = 50.0
ATTACKER: Final = "203.0.113.7"
REPEATS: Final = 3
FENCES: Final = (
    *("--http", "recsite.server.uvicorn_http:TimedProtocol"),
    *("--ws", "recsite.server.uvicorn_ws:BoundedSocket", "--ws-max-size", "16384"),
)
"""What processes are started with in an installation (``recsite/supervisor/installation.py``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A request, whether it is accepted, and the CPU time that it costs, the median of several."""

    recipe: Recipe
    status: int
    cpu_ms: float


class Bench:
    """One web process, and a client that counts what its requests cost."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], key: str, *, seed: int) -> None:
        self._pid = process.pid
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._key = key
        self._rng = random.Random(seed)
        self.statuses: Counter[int] = Counter()

    def cost(self, recipe: Recipe, *, repeats: int = REPEATS) -> Found:
        """Send requests of a kind, each a new one, and return what one of them costs."""
        taken, status = [], 0
        for _ in range(repeats):
            body = recipe.body(self._key, self._rng, n_items=N_ITEMS, n_shoppers=N_SHOPPERS)
            before = cpu_ns(self._pid)
            self._connection.request(
                "POST", recipe.path, body, {"Content-Type": "text/plain", "User-Agent": USER_AGENT.decode()}
            )
            answer = self._connection.getresponse()
            answer.read()
            taken.append((cpu_ns(self._pid) - before) / 1e6)
            status = answer.status
            self.statuses[status] += 1
        return Found(recipe=recipe, status=status, cpu_ms=statistics.median(taken))


def cpu_ns(pid: int) -> int:
    """Return the CPU time that the threads of a process used, in nanoseconds, as Linux's scheduler counts it."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that ended meanwhile
            total += int((task / "schedstat").read_text().split()[0])
    return total


def search(bench: Bench, *, n_random: int, n_steps: int, seed: int) -> tuple[Found, Found | None]:
    """Return the dearest request that is accepted, and the dearest of those that are refused."""
    rng = random.Random(seed)
    best: list[Found] = []
    refused: Found | None = None

    def look(recipe: Recipe) -> None:
        nonlocal refused
        found = bench.cost(recipe)
        if found.status == 200:
            best.append(found)
            best.sort(key=lambda each: -each.cpu_ms)
            del best[8:]
        elif refused is None or found.cpu_ms > refused.cpu_ms:
            refused = found

    for _ in range(n_random):
        look(random_recipe(rng))
    for _ in range(n_steps):
        look(neighbour(rng.choice(best).recipe, rng))
    sure = [bench.cost(each.recipe, repeats=11) for each in best]  # what was dear by chance is so no more
    return max((each for each in sure if each.status == 200), key=lambda each: each.cpu_ms), refused


def measure(*, quick: bool) -> dict[str, float]:
    """Search, flood, print both; see the module."""
    n_random, n_steps, seconds = (60, 120, 8.0) if quick else (300, 900, 30.0)
    with lab() as made:
        made.environment["RECSITE_TRUSTED_PROXIES"] = "1"
        key = made.make_shop(items=N_ITEMS, shoppers=N_SHOPPERS)
        port, process = made.start_web("recsite.asgi:application", workers=1, options=FENCES)
        bench = Bench(port, process, key, seed=1)
        plain = bench.cost(_plain(), repeats=11)  # also what makes the columns
        dearest, refused = search(bench, n_random=n_random, n_steps=n_steps, seed=2)
        _set_default_quotas(made)
        alone = asyncio.run(_others(port, key, seconds=seconds, first=0))
        others, attacks = asyncio.run(_flood(port, key, dearest.recipe, seconds=seconds))
    print_table(
        f"The dearest request, {N_ITEMS:,} items",
        ["request", "CPU ms", "status", "what"],
        [
            ["plain", plain.cpu_ms, plain.status, plain.recipe.words()],
            ["dearest accepted", dearest.cpu_ms, dearest.status, dearest.recipe.words()],
            *([["dearest refused", refused.cpu_ms, refused.status, refused.recipe.words()]] if refused else []),
        ],
        caption=f"{sum(bench.statuses.values()):,} requests looked at: {_said(bench.statuses)}.",
    )
    print_table(
        f"{ATTACKS_PER_S:.0f} of them a second from one address, beside {OTHERS_PER_S:.0f} of others",
        ["load", "answered", "refused", "p50 ms", "p99 ms"],
        [
            ["others alone", *_row(alone)],
            ["others beside the flood", *_row(others)],
            ["the flood", *_row(attacks)],
        ],
    )
    return {
        "dearest_request_cpu_ms": dearest.cpu_ms,
        "dearest_refused_cpu_ms": refused.cpu_ms if refused else 0.0,
        "plain_request_cpu_ms": plain.cpu_ms,
        "others_p99_ms": min(others.percentile(99), 1e6),
        "others_alone_p99_ms": min(alone.percentile(99), 1e6),
        "others_failed": others.failed,
    }


def _plain() -> Recipe:
    return Recipe(
        path=LISTS_PATH, placements=("home_for_you",), limit=12, n_excluded=0, n_context=0, n_cart=0, n_items=0,
        comparisons=(), joined_by="and", is_same_filter=True, is_known_user=True, budget_ms=60,
    )  # fmt: skip


def _set_default_quotas(made: Lab) -> None:
    script = (
        "from tracking.models import Site; site = Site.objects.get();"
        "[setattr(site, name, Site._meta.get_field(name).default) for name in"
        " ('events_per_minute', 'requests_per_minute', 'address_requests_per_minute')]; site.save()"
    )
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", script], env=made.environment, check=True, timeout=120,
        cwd=Path(__file__).resolve().parents[2], stdout=subprocess.DEVNULL,
    )  # fmt: skip


async def _others(port: int, key: str, *, seconds: float, first: int) -> Answers:
    """Send plain requests, each from an address of its own and of a user whose list is not cached."""

    def request(number: int) -> bytes:
        address = f"198.51.{number // 250 % 250}.{number % 250 + 1}"
        wanted = [{"placement": "home_for_you", "limit": 12}]
        body = {"key": key, "anonymous_id": shopper(number % N_SHOPPERS), "placements": wanted}
        return from_address(address, post(LISTS_PATH, msgspec.json.encode(body)))

    return await fixed_rate([port], request, per_second=OTHERS_PER_S, for_s=seconds, first=first)


async def _flood(port: int, key: str, recipe: Recipe, *, seconds: float) -> tuple[Answers, Answers]:
    rng = random.Random(3)

    def request(number: int) -> bytes:
        body = recipe.body(key, rng, n_items=N_ITEMS, n_shoppers=N_SHOPPERS)
        return from_address(ATTACKER, post(recipe.path, body))

    attack = fixed_rate([port], request, per_second=ATTACKS_PER_S, for_s=seconds)
    others = _others(port, key, seconds=seconds, first=N_SHOPPERS // 2)
    both = await asyncio.gather(others, attack)
    return both[0], both[1]


def _row(answers: Answers) -> list[object]:
    return [len(answers.latencies_ms), answers.failed, answers.percentile(50), answers.percentile(99)]


def _said(counts: Counter[int]) -> str:
    return ", ".join(f"{count:,} answers {status}" for status, count in sorted(counts.items()))
