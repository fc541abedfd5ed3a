"""The URL of Redis: what is taken, and what a mistake is answered with; a server that is down is noticed at once."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tracking.redis_client import SCHEMES, UNAVAILABLE, InvalidRedisUrl, check_url, connect, is_cluster

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "url",
    ["redis://host", "redis://u:p@host:6380/3", "rediss://host/0", "unix:///run/redis.sock", "redis+cluster://host:1"],
)
def test_an_address_that_can_be_used_passes(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("http://host", "use one of redis://"),
        ("redis://", "needs a host"),
        ("redis://host:0", "needs a host and a port"),
        ("redis://host:99999", "1 to 65535"),
        ("redis://host/first", "whole number"),
        ("redis+cluster://host/1", "only 0"),
    ],
)
def test_a_mistake_names_the_remedy_and_never_the_password(url: str, remedy: str) -> None:
    with pytest.raises(InvalidRedisUrl, match=remedy) as error:
        check_url(url.replace("://", "://user:s3cret@", 1) if url != "redis://" else url)
    assert "s3cret" not in str(error.value)


def test_no_other_module_builds_a_client() -> None:
    """Each would have time-outs and retries of its own; Celery and Channels are told theirs by the settings."""
    built = re.compile(r"\bredis[\w.]*\.(Redis|RedisCluster|StrictRedis|ConnectionPool)(\.from_url)?\(|\bfrom_url\(")
    found = {
        str(path.relative_to(ROOT))
        for app in ("tracking", "features", "recommendations", "recsite")
        for path in (ROOT / app).rglob("*.py")
        if built.search(path.read_text())
    }

    assert found == {"tracking/redis_client.py"}


def test_a_cluster_is_told_by_its_scheme() -> None:
    assert [scheme for scheme in SCHEMES if is_cluster(f"{scheme}://host")] == ["redis+cluster", "rediss+cluster"]


def test_a_server_that_is_down_is_not_tried_again() -> None:
    client = connect("redis://127.0.0.1:1", timeout_s=0.2)
    started = time.monotonic()
    with pytest.raises(UNAVAILABLE):
        client.ping()
    assert time.monotonic() - started < 2
