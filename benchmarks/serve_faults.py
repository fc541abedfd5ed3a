"""What users get while a part is unavailable, broken or attacked: each fault is really made, under load.

    python -m benchmarks serve_faults [--quick]

One web process, personal lists at a fixed rate (open loop). A row says what the load saw in the meantime: percentiles,
answers that were no 200, and, from the server's own counters, which lists were served and why they were not better.
The tests hold the same faults one by one; ``docs/serving.md`` names them.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import jwt
import redis

from benchmarks import fault_scripts, hostile_clients
from benchmarks.fault_lab import HOME, LIMIT_P99_MS, N_SHOPPERS, PATH, PER_SECOND, Shop, said
from benchmarks.http_load import post
from benchmarks.report import print_table
from benchmarks.serving_lab import Lab

N_ITEMS: Final = 5_000
ELEVEN_MINUTES_S: Final = 660
FENCES: Final = (
    *("--http", "recsite.server.uvicorn_http:TimedProtocol"),
    *("--ws", "recsite.server.uvicorn_ws:BoundedSocket", "--ws-max-size", "16384"),
)
"""What processes are started with in an installation (``recsite/supervisor/installation.py``)."""
TOKEN_SECRET: Final = "t" * 48


def run(*, quick: bool) -> dict[str, float]:
    """Make every fault and print the table; return the figures."""
    from tests.services.postgres_server import PostgresServer
    from tests.services.redis_server import RedisServer

    with (
        tempfile.TemporaryDirectory(prefix="recsite-bench-") as folder,
        RedisServer() as store,
        PostgresServer() as rows,
    ):
        made = Lab(Path(folder))
        made.environment |= {"REDIS_URL": store.url, "DATABASE_URL": rows.url}
        try:
            key = made.make_shop(items=N_ITEMS, shoppers=N_SHOPPERS)
            port, _ = made.start_web("benchmarks.clocked_app:application", workers=1, options=FENCES)
            shop = Shop(lab=made, redis=store, postgres=rows, key=key, port=port, seconds=2.0 if quick else 8.0)
            extra = asyncio.run(_all(shop))
        finally:
            made.close()
    print_table(
        f"Personal lists at {PER_SECOND} a second, one web process, while something is wrong",
        ["fault", "p50 ms", "p99 ms", "asked", "no 200", "served", "why not better", "seen"],
        shop.rows,
        caption=f"Must hold: every answer a 200, p99 below {LIMIT_P99_MS:g} ms, and the lists that the row names.",
    )
    if shop.broken:
        print(f"did not hold: {', '.join(shop.broken)}", file=sys.stderr)
    names = {name: re.sub(r"\W+", "_", name.lower()).strip("_") for name in shop.p99_ms}
    p99 = {f"p99_ms_{names[name]}": value for name, value in shop.p99_ms.items() if value != float("inf")}
    return {**p99, **extra, "failed": float(shop.failed), "did_not_hold": float(len(shop.broken))}


def personal(stages: Counter[str], reasons: Counter[str]) -> bool:
    """Expect personal lists; one of a hundred may have run out of time on a busy machine."""
    return stages["personalised"] >= 0.99 * sum(stages.values())


def from_memory(stages: Counter[str], reasons: Counter[str]) -> bool:
    """Expect popular lists, with the reason."""
    return stages["popular"] > 0 and reasons["store_unavailable"] >= 0.9 * sum(reasons.values())


async def _all(shop: Shop) -> dict[str, float]:
    await shop.load(3.0)  # masks and pages
    gpu = _provider(await asyncio.to_thread(shop.asked, "/v1/health", None, **{"X-Api-Key": shop.key}))
    await shop.row("nothing", _said_at_once(gpu), must=personal)
    await _redis_faults(shop)
    await _database_unavailable(shop)
    await _model_faults(shop)
    stampede = await _stampede(shop)
    extra = await _keys_and_tokens(shop)
    await _hostile(shop)
    await shop.row("nothing, at the end", must=personal)
    return {**extra, "stampede_made": stampede}


async def _redis_faults(shop: Shop) -> None:
    server = shop.redis

    async def at_once(act: Callable[[], object]) -> str:
        await asyncio.to_thread(act)
        return ""

    await shop.row("Redis frozen", lambda: at_once(server.freeze), must=from_memory)
    server.thaw()
    await asyncio.sleep(1.5)
    await shop.row("Redis back", must=personal)

    def forget() -> str:
        client: Any = redis.Redis.from_url(server.url, protocol=2)
        names = list(client.scan_iter("*:session:*", count=5_000))
        for start in range(0, len(names), 500):
            client.delete(*names[start : start + 500])
        client.close()
        return f"{len(names)} sessions forgotten"

    await shop.row("sessions run out", lambda: asyncio.to_thread(forget), must=personal)
    client: Any = redis.Redis.from_url(server.url, protocol=2)
    client.save()
    client.close()
    await shop.row("Redis killed", lambda: at_once(server.kill), must=from_memory)
    await asyncio.to_thread(server.start)
    await asyncio.sleep(1.5)


async def _database_unavailable(shop: Shop) -> None:
    async def stop_and_wait() -> str:
        await asyncio.to_thread(shop.postgres.stop)
        status, _ = await asyncio.to_thread(shop.asked, f"/_clock/{ELEVEN_MINUTES_S}", {})
        assert status == 204
        return f"PostgreSQL stopped, {ELEVEN_MINUTES_S // 60} minutes pass"

    # Eleven minutes end every session on the clock of the process; the long-term profile answers.
    await shop.row("database unavailable", stop_and_wait, must=personal)
    await asyncio.to_thread(shop.postgres.start)


async def _model_faults(shop: Shop) -> None:
    *_, refused, _ = await asyncio.to_thread(shop.counted)
    for kind in ("corrupt", "missing", "wrong"):

        async def promote(kind: str = kind) -> str:
            await asyncio.to_thread(shop.manage, fault_scripts.BROKEN_VERSION.format(kind=kind))
            return ""

        await shop.row(f"model {kind}", promote, seconds=max(shop.seconds, 6.0), must=personal)
        _, answer = await asyncio.to_thread(shop.asked, PATH, {"key": shop.key, "placements": [HOME]})
        *_, now, _ = await asyncio.to_thread(shop.counted)
        shop.rows[-1][-1] = f"{int(now - refused)} refused, {answer['results'][0]['model_version']} answers"
        refused = now

    async def take_away() -> str:
        await asyncio.to_thread(shop.manage, fault_scripts.NO_VERSION)
        return ""

    await shop.row(
        "no model at all",
        take_away,
        seconds=max(shop.seconds, 6.0),
        must=lambda stages, reasons: reasons["no_model"] > 0,
    )
    await asyncio.to_thread(shop.manage, fault_scripts.GOOD_VERSION)
    for _ in range(200):
        _, answer = await asyncio.to_thread(shop.asked, PATH, {"key": shop.key, "placements": [HOME]})
        if answer["results"][0]["model_version"]:
            break
        await asyncio.sleep(0.1)


async def _stampede(shop: Shop) -> float:
    """Ask for one list 400 times at once, and return how often it was made."""
    made = 0.0

    async def crowd() -> str:
        nonlocal made
        before = (await asyncio.to_thread(shop.counted))[3]
        body = json.dumps({"key": shop.key, "anonymous_id": "f" * 32, "placements": [{**HOME, "limit": 7}]}).encode()
        await asyncio.gather(*(hostile_clients.status_of(shop.port, post(PATH, body)) for _ in range(400)))
        made = (await asyncio.to_thread(shop.counted))[3] - before
        return ""

    started = time.perf_counter()
    await crowd()
    shop.rows.append(
        [
            "400 ask for one cold list",
            None,
            (time.perf_counter() - started) * 1000,
            400,
            0,
            "",
            "",
            f"made {made:g} times",
        ]
    )
    return made


async def _keys_and_tokens(shop: Shop) -> dict[str, float]:
    other = json.loads(await asyncio.to_thread(shop.manage, fault_scripts.KEYS.format(secret=TOKEN_SECRET)))
    took: list[float] = []

    async def revoke() -> str:
        await _until(shop, other["revoked"], 200)
        revoked_at = float(await asyncio.to_thread(shop.manage, fault_scripts.REVOKE.format(value=other["revoked"])))
        await _until(shop, other["revoked"], 401)
        took.append(max(time.time() - revoked_at, 0.0))
        return f"401 after {took[0]:.1f} s"

    await shop.row("a key revoked", revoke, seconds=max(shop.seconds, 6.0))
    seen: Counter[str] = Counter()

    async def tokens() -> str:
        now = int(time.time())
        claims = {"sub": "u-1", "site": "default", "iat": now, "exp": now + 600}
        for name, changes, secret in (
            ("forged", {}, "x" * 48),
            ("expired", {"exp": now - 900}, TOKEN_SECRET),
            ("swapped", {"sub": "u-2"}, TOKEN_SECRET),
            ("other site", {"site": "other"}, TOKEN_SECRET),
        ):
            token = jwt.encode({**claims, **changes}, secret, algorithm="HS256")
            body = {"key": shop.key, "user_id": "u-1", "user_token": token, "placements": [HOME]}
            status, answer = await asyncio.to_thread(shop.asked, PATH, body)
            seen[f"{name}: {status} {','.join(answer.get('warnings', ['accepted']))}"] += 1
        return "; ".join(seen)

    await shop.row("false user tokens", tokens)
    if any("accepted" in name for name in seen):
        shop.broken.append("a false token was accepted")

    await _until(shop, other["foreign"], 404, placement="only_here")  # the new site's first load

    async def foreign() -> str:
        found = [
            await asyncio.to_thread(shop.asked, path, body, **{"X-Api-Key": other["foreign"]})
            for path, body in (("/v1/items/sku1", None), (PATH, {"placements": [{"placement": "only_here"}]}))
        ]
        return ", ".join(f"{status} {answer.get('error')}" for status, answer in found)

    await shop.row("another site's key", foreign)
    return {"revoked_after_s": took[0]}


async def _until(shop: Shop, key: str, wanted: int, *, placement: str = "home_for_you") -> None:
    async with asyncio.timeout(15):
        while True:
            status, _ = await asyncio.to_thread(shop.asked, PATH, {"key": key, "placement": placement})
            if status == wanted:
                return
            await asyncio.sleep(0.05)


async def _hostile(shop: Shop) -> None:
    async def oversize() -> str:
        return said(Counter({str(name): n for name, n in (await hostile_clients.oversize(shop.port)).items()}))

    async def loris() -> str:
        took_s, closed = await hostile_clients.slow_loris(shop.port)
        return f"{closed} closed, the last after {took_s:.1f} s"

    async def floods() -> str:
        return said(Counter({str(name): n for name, n in (await hostile_clients.floods(shop.port, shop.key)).items()}))

    async def pings() -> str:
        codes = await asyncio.gather(*(hostile_clients.frames(shop.port, b"\x89\x80\0\0\0\0") for _ in range(5)))
        return said(Counter(str(code) if code else "reset" for code in codes))

    async def slow_readers() -> str:
        pages = await hostile_clients.reads_nothing(shop.port, shop.key, sockets=50)
        return f"{len(pages)} sockets that read nothing"

    await shop.row("bodies of 50 MB", oversize)
    await shop.row("slow-loris", loris, seconds=max(shop.seconds, 7.0))
    await shop.row("WebSocket floods", floods, seconds=max(shop.seconds, 7.0))
    await shop.row("floods of pings", pings)
    await shop.row("slow readers", slow_readers)


def _said_at_once(text: str) -> Callable[[], Awaitable[str]]:
    async def say() -> str:
        return text

    return say


def _provider(answer: tuple[int, dict[str, Any]]) -> str:
    """Return what runs the model, as the API's health says."""
    return f"model on {(answer[1].get('models') or {}).get('provider')}"
