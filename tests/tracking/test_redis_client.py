"""The URL of Redis: what is taken, and what a mistake is answered with; a server that is down is noticed at once."""

from __future__ import annotations

import time

import pytest

from tracking.redis_client import SCHEMES, UNAVAILABLE, InvalidRedisUrl, check_url, connect, is_cluster


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


def test_a_cluster_is_told_by_its_scheme() -> None:
    assert [scheme for scheme in SCHEMES if is_cluster(f"{scheme}://host")] == ["redis+cluster", "rediss+cluster"]


def test_a_server_that_is_down_is_not_tried_again() -> None:
    client = connect("redis://127.0.0.1:1", timeout_s=0.2)
    started = time.monotonic()
    with pytest.raises(UNAVAILABLE):
        client.ping()
    assert time.monotonic() - started < 2
