"""Pytest plugin: ``--fast`` runs what needs no server, and holds each of its tests to a second of CPU.

Markers decide what is fast. A fixture that starts a server brings the server's marker, and what uses a database is left
out, too; what takes longer than a second of CPU carries ``slow``, and a run of ``make test-fast`` fails without it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import find
from hypothesis import strategies as st

LEFT_OUT: Final = ("redis", "postgres", "kafka", "browser", "nginx", "gpu", "spark", "django_db", "slow")
SERVER_OF: Final = {
    "redis_server": "redis", "redis_cluster_server": "redis", "postgres_server": "postgres", "kafka_server": "kafka",
}  # fmt: skip
MAX_CPU_S: Final = 1.0

_CPU_S = pytest.StashKey[list[tuple[float, str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast", action="store_true", help=f"leave out {', '.join(LEFT_OUT)}; at most a second of CPU each"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses a server; with ``--fast``, leave out what any of the markers stands on."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in SERVER_OF:
                item.add_marker(SERVER_OF[fixture])
    if config.getoption("fast"):
        slow = [item for item in items if _is_left_out(item)]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in set(slow)]
        find(st.text(), bool)  # a new clone has Hypothesis make its table of Unicode: no test shall pay for that


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Fail a test that took more CPU than a fast one may; waiting does not count, processes that it started do."""
    if not pyfuncitem.config.getoption("fast"):
        return (yield)
    before = _cpu_s()
    result: Any = yield
    took_s = _cpu_s() - before
    if took_s > float(os.environ.get("FAST_CPU_S", MAX_CPU_S)):
        pytest.fail(
            f"took {took_s:.1f} s of CPU; more than {MAX_CPU_S:g} s: make it smaller or mark it slow", pytrace=False
        )
    return result


def _is_left_out(item: pytest.Item) -> bool:
    return "db" in getattr(item, "fixturenames", ()) or any(item.get_closest_marker(name) for name in LEFT_OUT)


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
