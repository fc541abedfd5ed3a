"""The real logs beside the repository, which are nobody's to ship: tests without them are left out and named.

``REAL_DATA=all`` takes whole logs where the tests take their beginning, and trains on them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.real_data.place import ROOT, Place
from tests.services.fixtures import leave_out
from tests.services.left_out import note
from tests.services.process import Missing

DATA = ROOT.parent / "shared" / "data"
TAKES_MINUTES = {"test_kafka_gives_the_same_features"}
"""Of this log: that both logs give the same features is shown on smaller ones in ``tests/features/test_faults.py``."""
collect_ignore = [] if os.environ.get("REAL_DATA") == "all" else ["test_served_list.py"]


def data_file(config: pytest.Config, name: str) -> Path:
    """Return a file of the real data, or skip the test; also under ``REQUIRE_ALL``, as it cannot be installed."""
    path = DATA / name
    if not path.is_file():
        note(config, f"real data {name}", f"put it into {DATA}; see docs/real-data.md")
        pytest.skip(f"{name} is not in {DATA}")
    return path


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out and name what takes too long for each run, so that a green one never hides it."""
    for name in collect_ignore:
        note(config, f"tests/real_data/{name}", "takes minutes; REAL_DATA=all runs it")
    if os.environ.get("REAL_DATA") != "all":
        for item in [item for item in items if item.name in TAKES_MINUTES]:
            items.remove(item)
            note(config, f"tests/real_data: {item.name}", "takes minutes; REAL_DATA=all runs it")


@pytest.fixture(scope="session")
def retailrocket(pytestconfig: pytest.Config) -> Path:
    """Return RetailRocket's log."""
    return data_file(pytestconfig, "retailrocket/events.csv")


@pytest.fixture(scope="session")
def online_retail(pytestconfig: pytest.Config) -> Path:
    """Return Online Retail's invoices."""
    return data_file(pytestconfig, "online_retail/online_retail.parquet")


@pytest.fixture(scope="module")
def places(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Place]]:
    """Return a function that brings a place up, over Redis Streams or over the shared Kafka broker."""
    with ExitStack() as stack:

        def make(backend: str) -> Place:
            kafka = request.getfixturevalue("kafka_bootstrap") if backend == "kafka" else None
            try:
                place = stack.enter_context(Place(tmp_path_factory.mktemp(backend), kafka=kafka))
            except Missing as missing:
                leave_out(request.config, missing)
                raise AssertionError("unreachable") from missing
            place.start("stream")
            return place

        yield make
