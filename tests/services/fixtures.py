"""Pytest plugin: real servers as session fixtures; a part that is missing is named in the closing lines.

With ``REQUIRE_ALL=1`` (as in CI) a missing part fails the tests that need it; otherwise they are skipped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.services.kafka_server import KafkaServer
from tests.services.left_out import note, noted
from tests.services.postgres_server import PostgresServer
from tests.services.process import Missing, Server
from tests.services.redis_server import RedisClusterServer, RedisServer


def require_all() -> bool:
    """Return whether a missing part is a failure."""
    return os.environ.get("REQUIRE_ALL", "") not in {"", "0"}


def leave_out(config: pytest.Config, missing: Missing) -> None:
    """Skip the running test because a part is missing, or fail it under ``REQUIRE_ALL=1``."""
    note(config, missing.part, missing.remedy)
    if require_all():
        pytest.fail(f"{missing} (REQUIRE_ALL=1)", pytrace=False)
    pytest.skip(str(missing))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what this machine lacks, so that a green run never hides it."""
    missing = noted(config)
    if missing:
        terminalreporter.section("left out", yellow=True)
        for part, remedy in missing.items():
            terminalreporter.write_line(f"{part}: {remedy}")


def _run(request: pytest.FixtureRequest, make: Callable[[], Server]) -> Iterator[Server]:
    try:
        server = make()
    except Missing as missing:
        leave_out(request.config, missing)
        raise AssertionError("unreachable") from missing
    with server:
        yield server


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Return the Redis that all tests share; a test that breaks its server starts one of its own."""
    yield from _run(request, RedisServer)


@pytest.fixture(scope="session")
def redis_url(redis_server: RedisServer) -> str:
    """Return the URL of the shared Redis, database 0; use keys or a database of your own."""
    return redis_server.url


@pytest.fixture(scope="session")
def redis_cluster_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Return the shared Redis Cluster."""
    yield from _run(request, RedisClusterServer)


@pytest.fixture(scope="session")
def redis_cluster_url(redis_cluster_server: RedisClusterServer) -> str:
    """Return the URL of the shared Redis Cluster."""
    return redis_cluster_server.url


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Return the shared PostgreSQL."""
    yield from _run(request, PostgresServer)


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """Return the URL of an empty database of the shared PostgreSQL, as its superuser; no test writes to it."""
    return postgres_server.url


@pytest.fixture(scope="session")
def kafka_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Return the Kafka broker that all tests share; use topics of your own."""
    yield from _run(request, KafkaServer)


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_server: KafkaServer) -> str:
    """Return ``host:port`` of the shared broker."""
    return kafka_server.bootstrap


@pytest.fixture
def own_server(request: pytest.FixtureRequest) -> Iterator[Callable[[Callable[[], Server]], Server]]:
    """Return a function that starts a server for this test alone, to be frozen and killed."""
    with ExitStack() as stack:

        def start(make: Callable[[], Server]) -> Server:
            try:
                server = make()
            except Missing as missing:
                leave_out(request.config, missing)
                raise AssertionError("unreachable") from missing
            return stack.enter_context(server)

        yield start
