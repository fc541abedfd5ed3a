"""The faults: how each is made and mended, by what an operator would do, and which alerts it must raise."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis

from benchmarks.faults.lab import ARCHIVE_BYTES, PARTITIONS, Shop, clock_of, until_ready
from benchmarks.faults.traffic import Traffic, ask
from benchmarks.faults.verdict import SITE
from benchmarks.serving_world import VERSION

BROKEN_ITEM: Final = "breaks-the-program"
WEBS: Final = ("web-1", "web-2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What a fault is made with."""

    shop: Shop
    traffic: Traffic

    @property
    def states(self) -> redis.Redis:
        """A client of the Redis with the features."""
        return redis.Redis.from_url(self.shop.states.url, socket_timeout=5.0)

    async def post(self, events: list[dict[str, Any]], *, who: str) -> int:
        """Send events that stand in nobody's ledger; return the status."""
        body = {"key": self.shop.key, "anonymous_id": who, "sent_at": time.time_ns() // 1_000_000, "events": events}
        status, _ = await ask(self.shop.web_ports[0], "/v1/events", body, patience_s=3.0)
        return status


Make = Callable[[Making], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Parameters
    ----------
    name : str
    make : context manager
        Makes the fault, and mends it at its end.
    alerts : tuple of str
        Those that must fire while it lasts.
    least_s : float
        How long it lasts at least.
    """

    name: str
    make: Make
    alerts: tuple[str, ...] = ()
    least_s: float = 0.0


FAULTS: Final[list[Fault]] = []


def _fault(name: str, *alerts: str, least_s: float = 0.0) -> Callable[[Callable[[Making], AsyncIterator[None]]], Make]:
    def declare(make: Callable[[Making], AsyncIterator[None]]) -> Make:
        made = asynccontextmanager(make)
        FAULTS.append(Fault(name=name, make=made, alerts=alerts, least_s=least_s))
        return made

    return declare


# --- Processes ----------------------------------------------------------------------------------------------------


@_fault("a web process killed, and held down", "ProcessDown")
async def _web(making: Making) -> AsyncIterator[None]:
    making.shop.held_down.add("web-1")
    making.shop.kill("web-1")
    yield
    making.shop.held_down.discard("web-1")


@_fault("the stream worker killed again and again")
async def _stream(making: Making) -> AsyncIterator[None]:
    making.shop.kill("stream")
    await asyncio.sleep(4.0)
    making.shop.kill("stream")
    yield


@_fault("the stream worker held down", "StreamStopped")
async def _stream_down(making: Making) -> AsyncIterator[None]:
    making.shop.held_down.add("stream")
    making.shop.kill("stream")
    yield
    making.shop.held_down.discard("stream")


@_fault("the stream worker frozen", "StreamBehind", least_s=8.0)
async def _stream_frozen(making: Making) -> AsyncIterator[None]:
    pid = making.shop.processes["stream"].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(8.0)
    os.kill(pid, signal.SIGCONT)
    yield


@_fault("the task worker killed")
async def _tasks(making: Making) -> AsyncIterator[None]:
    making.shop.kill("tasks")
    yield


@_fault("beat killed, and held down", "PeriodicWorkStopped")
async def _beat(making: Making) -> AsyncIterator[None]:
    making.shop.held_down.add("beat")
    making.shop.kill("beat")
    yield
    making.shop.held_down.discard("beat")


@_fault("all processes killed at once, and held down", "NoWebProcess")
async def _all(making: Making) -> AsyncIterator[None]:
    making.shop.held_down.update(making.shop.processes)
    making.shop.kill(*making.shop.processes)
    yield
    making.shop.held_down.clear()


@_fault("web processes that stutter", "ServeSlow")
async def _stutter(making: Making) -> AsyncIterator[None]:
    async def stutter() -> None:
        while True:
            for signal_number, pause_s in ((signal.SIGSTOP, 0.4), (signal.SIGCONT, 0.3)):
                for name in WEBS:
                    if (pid := making.shop.processes[name].pid) is not None:
                        os.kill(pid, signal_number)
                await asyncio.sleep(pause_s)

    stuttering = asyncio.create_task(stutter())
    yield
    stuttering.cancel()
    for name in WEBS:
        if (pid := making.shop.processes[name].pid) is not None:
            os.kill(pid, signal.SIGCONT)


# --- Redis --------------------------------------------------------------------------------------------------------


@_fault("Redis killed three times", "ServeDegraded", "StreamPauses")
async def _redis(making: Making) -> AsyncIterator[None]:
    for _ in range(3):
        making.shop.states.kill()
        await asyncio.sleep(2.0)
        await asyncio.to_thread(making.shop.states.start)
        await asyncio.sleep(4.0)
    making.shop.states.kill()
    yield
    await asyncio.to_thread(making.shop.states.start)


@_fault("Redis frozen", least_s=5.0)
async def _redis_frozen(making: Making) -> AsyncIterator[None]:
    making.shop.states.freeze()
    yield
    making.shop.states.thaw()


@_fault("Redis full", "RedisNearlyFull", "RedisFull")
async def _redis_full(making: Making) -> AsyncIterator[None]:
    used = int(making.states.info("memory")["used_memory"])
    making.states.config_set("maxmemory", used + 64 * 1024)
    yield
    making.states.config_set("maxmemory", 0)
    # Who was new and anonymous meanwhile is in the archive alone, until a replay.
    await _rebuild(making.shop)


async def _rebuild(shop: Shop) -> None:
    """Stop the stream worker, which writes what it has read into the archive, replay that, and start it again."""
    shop.held_down.add("stream")
    shop.processes["stream"].ask_to_stop()
    await asyncio.to_thread(shop.processes["stream"].wait_stopped)
    await shop.manage("replay", "--flush")
    await shop.start_again("stream")


@_fault("Redis emptied", "StoreEmptied")
async def _redis_emptied(making: Making) -> AsyncIterator[None]:
    await asyncio.sleep(11.0)  # what stands in the features is in the archive, too: it writes a file every ten seconds
    making.states.flushall()
    making.shop.kill("stream")  # a worker notices when it looks up where it stands, at the latest at its start
    yield
    await making.shop.manage("replay", "--flush")


# --- The event log ------------------------------------------------------------------------------------------------


@_fault("the event log killed", "SpoolFilling")
async def _log_down(making: Making) -> AsyncIterator[None]:
    making.shop.log_server.kill()
    yield
    await asyncio.to_thread(making.shop.log_server.start)


@_fault("the event log frozen", least_s=5.0)
async def _log_frozen(making: Making) -> AsyncIterator[None]:
    making.shop.log_server.freeze()
    yield
    making.shop.log_server.thaw()


@_fault("the topic deleted and made again", "LogReplaced")
async def _log_replaced(making: Making) -> AsyncIterator[None]:
    from tests.services.remade_topics import make_again
    from tracking.log import open_log

    # Deleting what nobody has read loses it, and no program can help that: first everything is read.
    making.traffic.collects = False
    await making.traffic.settled(within_s=30.0)
    await asyncio.sleep(12.0)
    await asyncio.to_thread(make_again, open_log(making.shop.log_url))
    making.traffic.collects = True
    yield
    await making.shop.manage("stream", "begin")


@_fault("the disk of the spool full while the log is down", "CollectErrorsBurnFast", "CollectErrorsBurnSlowly")
async def _disk_full(making: Making) -> AsyncIterator[None]:
    filler = Path(making.shop.environment["SPOOL_DIR"]).parent / "filler"
    free = shutil.disk_usage(filler.parent).free
    limits = _limit_files(making.shop, *WEBS) if free > 8 * 1024 * 1024 else {}
    if not limits:
        filler.write_bytes(b"\0" * max(0, free - 8 * 1024))
    making.shop.log_server.kill()
    yield
    await asyncio.to_thread(making.shop.log_server.start)
    filler.unlink(missing_ok=True)
    for pid, limit in limits.items():
        _prlimit(pid, limit)


def _limit_files(shop: Shop, *names: str, size: int = 8 * 1024) -> dict[int, str]:
    """Where nothing can be mounted, let processes write no file beyond 8 kB; return what they could before."""
    pids = [shop.processes[name].pid for name in names]
    for pid in pids:
        assert pid is not None
        _prlimit(pid, str(size))
    return {pid: "unlimited" for pid in pids if pid is not None}


def _prlimit(pid: int, limit: str) -> None:
    subprocess.run(["prlimit", "--pid", str(pid), f"--fsize={limit}:"], check=True, capture_output=True)


# --- PostgreSQL ---------------------------------------------------------------------------------------------------


@_fault("PostgreSQL killed", "ConfigurationStale")
async def _database(making: Making) -> AsyncIterator[None]:
    making.shop.database.kill()
    yield
    await asyncio.to_thread(making.shop.database.start)


@_fault("web processes that start without PostgreSQL", "ServeErrorsBurnFast", "ServeErrorsBurnSlowly")
async def _start_without(making: Making) -> AsyncIterator[None]:
    making.shop.database.kill()
    making.shop.kill(*WEBS)
    yield
    await asyncio.to_thread(making.shop.database.start)


# --- Clocks -------------------------------------------------------------------------------------------------------


async def _wrong_clock(making: Making, hours: float) -> AsyncIterator[None]:
    await making.shop.start_again("web-1", **clock_of(hours))
    await until_ready(making.shop, within_s=60.0)
    yield
    await making.shop.start_again("web-1")


@_fault("a web process two hours ahead", "ClockOff", least_s=10.0)
async def _ahead(making: Making) -> AsyncIterator[None]:
    async for _ in _wrong_clock(making, 2.0):
        yield


@_fault("a web process two hours behind", "ClockOff", least_s=10.0)
async def _behind(making: Making) -> AsyncIterator[None]:
    async for _ in _wrong_clock(making, -2.0):
        yield


async def _wrong_worker(making: Making, hours: float) -> AsyncIterator[None]:
    await making.shop.start_again("stream", **clock_of(hours))
    yield
    await making.shop.start_again("stream")


@_fault("a stream worker two hours ahead", "ClockOff", least_s=10.0)
async def _worker_ahead(making: Making) -> AsyncIterator[None]:
    async for _ in _wrong_worker(making, 2.0):
        yield


@_fault("a stream worker two hours behind", "ClockOff", least_s=10.0)
async def _worker_behind(making: Making) -> AsyncIterator[None]:
    async for _ in _wrong_worker(making, -2.0):
        yield


@_fault("features rebuilt after clocks were wrong", "StoreEmptied")
async def _replayed(making: Making) -> AsyncIterator[None]:
    await asyncio.sleep(11.0)
    making.states.flushall()
    making.shop.kill("stream")
    yield
    await making.shop.manage("replay", "--flush")


# --- Models, and what the hourly check says of them ---------------------------------------------------------------


@_fault("the live model's folder damaged", "ModelRefused")
async def _model(making: Making) -> AsyncIterator[None]:
    folder = making.shop.lab.folder / "models" / SITE / VERSION
    graph = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    whole = graph.read_bytes()
    content = bytearray(whole)
    content[len(content) // 2] ^= 255
    graph.write_bytes(content)
    making.shop.kill("web-1")
    yield
    graph.write_bytes(whole)


@_fault("the live model's folder lost", "ModelRefused")
async def _model_lost(making: Making) -> AsyncIterator[None]:
    folder = making.shop.lab.folder / "models" / SITE / VERSION
    aside = folder.with_name(f"{VERSION}-aside")
    folder.rename(aside)
    making.shop.kill("web-1")
    yield
    aside.rename(folder)


@_fault("a model too old, most of the catalogue unknown to it", "ModelStale", "CoverageFalls", "UnknownItems")
async def _old(making: Making) -> AsyncIterator[None]:
    who = "e" * 32
    now_ms = time.time_ns() // 1_000_000
    for number in range(10):
        await making.post(
            [
                {"event": "view_item", "event_id": f"unknown-{number:04}-{part:04}", "ts": now_ms, "session_id": "s",
                 "params": {"items": [{"item_id": f"new{part}"}]}}
                for part in range(100)
            ],
            who=who,
        )  # fmt: skip
    await making.shop.manage("shell", "-v0", "-c", _AGE)
    yield
    await making.shop.manage("shell", "-v0", "-c", _REJUVENATE)


_AGE: Final = """
import datetime as dt
from django.utils import timezone
from features.models import Item
from recommendations.models import ModelVersion
from tracking.models import Site
site = Site.objects.get(slug="default")
ModelVersion.objects.filter(status="live").update(created_at=timezone.now() - dt.timedelta(days=30))
Item.objects.bulk_create([
    Item(site=site, item_id=f"new{n}", title="New", url="https://www.shop.example/n", price_minor=1, currency="EUR")
    for n in range(1000)
])
"""
_REJUVENATE: Final = """
from django.utils import timezone
from features.models import Item
from recommendations.models import ModelVersion
ModelVersion.objects.filter(status="live").update(created_at=timezone.now())
Item.objects.filter(item_id__startswith="new").delete()
"""


# --- Records ------------------------------------------------------------------------------------------------------


@_fault("a record that is none", "DeadLetters")
async def _no_record(making: Making) -> AsyncIterator[None]:
    await asyncio.to_thread(_append, making.shop, b"default/a:nobody", b"{ this is no record")
    yield


@_fault("a valid record that breaks the program", "RecordQuarantined")
async def _poison(making: Making) -> AsyncIterator[None]:
    await making.shop.start_again("stream", RECSITE_BENCH_BREAKS=BROKEN_ITEM)
    await making.post([_view("breaks-0001", item=BROKEN_ITEM)], who="c" * 32)
    yield
    await making.shop.start_again("stream")
    await making.shop.manage("stream", "quarantine", "list")


@_fault("states of a newer program", "PartitionHalted")
async def _newer(making: Making) -> AsyncIterator[None]:
    from features import keys

    who = "d" * 32
    partition = keys.partition_of(SITE, f"a:{who}", PARTITIONS)
    key = keys.profile(partition, SITE, f"a:{who}")
    making.states.set(key, b"\xfa" + b"x" * 10, ex=600)
    await making.post([_view("newer-00001", item="sku1")], who=who)
    yield
    making.states.delete(key)


@_fault("history sent as if it were live", "LateEvents")
async def _history(making: Making) -> AsyncIterator[None]:
    async def send() -> None:
        number = 0
        while True:
            number += 1
            events = [_view(f"history-{number:05}-{part:03}", item="sku1", age_s=3_600) for part in range(60)]
            await making.post(events, who="b" * 32)
            await asyncio.sleep(0.5)

    sending = asyncio.create_task(send())
    yield
    sending.cancel()


def _view(event_id: str, *, item: str, age_s: int = 0) -> dict[str, Any]:
    ts = time.time_ns() // 1_000_000 - age_s * 1_000
    params = {"items": [{"item_id": item}]}
    return {"event": "view_item", "event_id": event_id, "ts": ts, "session_id": "s", "params": params}


def _append(shop: Shop, key: bytes, value: bytes) -> None:
    from benchmarks.stream_load import fill
    from tracking.log import open_log

    fill(open_log(shop.log_url), [(key, value)])


# --- Work of one site, the archive ---------------------------------------------------------------------------------


@_fault("counts of a site that cannot be read", "SiteWorkFails")
async def _site_work(making: Making) -> AsyncIterator[None]:
    from features import keys
    from features.definitions import ITEM_WINDOWS

    width_s = min(width for _, width, _ in ITEM_WINDOWS)
    key = keys.item_pane(0, SITE, width_s, int(time.time()) // width_s)
    client = making.states
    was = client.dump(key)
    client.delete(key)
    client.hset(key, "sku1", b"\xff")
    yield
    client.delete(key)
    if was is not None:
        client.restore(key, 3_600_000, was)


@_fault("the archive's folder lost", "ArchiveStopped")
async def _archive(making: Making) -> AsyncIterator[None]:
    folder = making.shop.archive
    aside = folder.with_name("archive-aside")
    folder.rename(aside)
    folder.write_text("a file where the folder was")
    yield
    folder.unlink()
    aside.rename(folder)


@_fault("the archive's disk full", "ArchiveStopped")
async def _archive_full(making: Making) -> AsyncIterator[None]:
    folder = making.shop.archive
    filler = folder.parent / "filler"
    free = shutil.disk_usage(folder.parent).free
    limits = _limit_files(making.shop, "stream", size=1_024) if free > ARCHIVE_BYTES else {}
    if not limits:
        filler.write_bytes(b"\0" * free)
    yield
    filler.unlink(missing_ok=True)
    for pid, limit in limits.items():
        _prlimit(pid, limit)
