"""What a whole installation holds in memory, and how long it takes from its start to the first personal list.

All four processes of ``manage.py up`` (one web process), with a live model and ``ITEMS`` items. Memory is PSS: pages
that processes share are counted once.
"""

from __future__ import annotations

import contextlib
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final

import msgspec
import psutil

from benchmarks.report import print_table
from benchmarks.serving_lab import PROJECT, free_port, lab
from benchmarks.shoppers import shopper
from recsite.supervisor.installation import Installation
from recsite.supervisor.launcher import Launcher

if TYPE_CHECKING:
    from recsite.supervisor.processes import Supervised

ITEMS: Final = 36_000
SHOPPERS: Final = 50
START_S: Final = 120.0
SETTLES_S: Final = 5.0
MB: Final = 1024 * 1024


def measure() -> dict[str, float]:
    """Return ``installation_pss_mb`` and ``first_list_s``."""
    with lab() as made:
        key = made.make_shop(items=ITEMS, shoppers=SHOPPERS)
        port = free_port()
        installation = Installation(
            project=PROJECT, data=made.folder, host="127.0.0.1", port=port, web_workers=1, demo=False
        )
        installation.make_folders()
        started = time.monotonic()
        environment = installation.environment(made.environment)
        processes = installation.processes(environment, launcher=Launcher(PROJECT, environment))
        try:
            for process in processes:
                process.start()
            _first_list(port, key, processes, until=started + START_S)
            first_list_s = time.monotonic() - started
            time.sleep(SETTLES_S)  # imports and first rounds of the other processes
            held = {process.name: pss_mb(process.pid) for process in processes if process.pid is not None}
            held["launcher"] = sum(pss_of(each.pid) for each in _launchers())
            held["redis"] = made.redis_pss_mb()
        finally:
            for process in reversed(processes):
                process.ask_to_stop()
            for process in processes:
                process.wait_stopped()
    print_table(
        f"One installation, {ITEMS:,} items, model live: {first_list_s:.1f} s to the first personal list",
        ("process", "PSS MB"),
        [*held.items(), ("together", sum(held.values()))],
    )
    return {"installation_pss_mb": sum(held.values()), "first_list_s": first_list_s}


def pss_mb(pid: int) -> float:
    """Return the PSS of a process and its children."""
    return sum(pss_of(each.pid) for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)))


def pss_of(pid: int) -> float:
    """Return the PSS of a process alone; 0 when it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return float(psutil.Process(pid).memory_full_info().pss) / MB
    return 0.0


def _launchers() -> list[psutil.Process]:
    """Return what Python's fork server consists of: the server itself, and what looks after shared resources."""
    return [each for each in psutil.Process().children() if "multiprocessing" in " ".join(each.cmdline())]


def rss_mb(pid: int) -> float:
    """Return the RSS of a process without its children."""
    rss: int = psutil.Process(pid).memory_info().rss
    return rss / MB


def _first_list(port: int, key: str, processes: list[Supervised], *, until: float) -> None:
    """Ask until a list is personal, which it is as soon as catalogue and model are loaded."""
    body = msgspec.json.encode(
        {"key": key, "anonymous_id": shopper(1), "placements": [{"placement": "home_for_you", "limit": 12}]}
    )
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/recommendations", body, {"Content-Type": "application/json"}
    )
    said = b""
    while time.monotonic() < until:
        with contextlib.suppress(OSError, urllib.error.URLError), urllib.request.urlopen(request, timeout=5) as answer:
            said = answer.read()
            if b'"stage":"personalised"' in said:
                return
        for process in processes:
            if process.watch() is not None:
                raise SystemExit(process.log_path.read_text()[-2_000:])
        time.sleep(0.02)
    raise SystemExit(f"no personal list within {START_S:.0f} s: {said[:300]!r}")
