"""Guessing gets slower with each failure, by network, name and installation; nobody is locked out by others."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st
from limits.storage import MemoryStorage

from recsite.backoffice import login_limits
from recsite.backoffice.login_limits import LIMITS, Failures, Limit, failures
from tests.services.redis_server import RedisServer

pytestmark = pytest.mark.filterwarnings("ignore:No directory at")
LOGIN = "/admin/login/"
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _alone(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    monkeypatch.setattr(failures, "_shared", MemoryStorage())


@pytest.fixture
def anna(db: None) -> Any:
    return get_user_model().objects.create_superuser("anna", password="right")


def log_in(address: str, password: str = "wrong", *, name: str = "anna") -> Any:
    return Client().post(LOGIN, {"username": name, "password": password}, REMOTE_ADDR=address)


def fail(kind: str, *, times: int, address: str = "203.0.113.7", name: str = "anna") -> None:
    """Count failures as if they had come one after the other, each when it might."""
    for _ in range(times):
        failures.add(kind, login_limits._who(address, name)[kind])


@pytest.mark.parametrize(
    ("addresses", "other"),
    [
        ([f"203.0.113.{n}" for n in range(1, 4)], "198.51.100.7"),
        ([f"2001:db8:0:1::{n:x}" for n in range(1, 4)], "2001:db8:0:2::1"),
    ],
    ids=["/24", "/64"],
)
def test_a_network_waits_after_its_failures_and_another_does_not(
    anna: Any, monkeypatch: pytest.MonkeyPatch, addresses: list[str], other: str
) -> None:
    statuses = [log_in(address, name=f"name{n}").status_code for n, address in enumerate(addresses)]
    assert statuses == [200] * len(addresses)
    fail("network", times=LIMITS["network"].free + 5, address=addresses[0])
    monkeypatch.setattr(MD5PasswordHasher, "verify", lambda *a: pytest.fail("a password was hashed"))

    refused = log_in(addresses[0], "right")

    assert refused.status_code == 429
    assert 64 < int(refused["Retry-After"]) <= 128
    assert f"Try again in {refused['Retry-After']} seconds." in refused.content.decode()
    monkeypatch.undo()
    assert log_in(other, "right").status_code == 302


def test_a_name_waits_wherever_it_is_tried_from_but_where_it_has_logged_in(anna: Any) -> None:
    assert log_in("192.0.2.9", "right").status_code == 302
    assert log_in("203.0.113.1").status_code == 200
    fail("name", times=LIMITS["name"].free + 6)

    refused = log_in("198.51.100.7", "right")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 32, "the failure that came over the form counts, too"
    assert log_in("198.51.100.7", name="ANNA").status_code == 429
    assert log_in("198.51.100.7", name="berta").status_code == 200
    assert log_in("192.0.2.77", "right").status_code == 302, "of the network from which anna came before"


def test_the_installation_waits_a_little(anna: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIMITS, "installation", Limit(free=5, longest_s=500))
    fail("installation", times=13)

    assert log_in("198.51.100.7", "right").status_code == 429


@settings(deadline=None, max_examples=50)
@given(n_failed=st.integers(1, 40), kind=st.sampled_from(sorted(LIMITS)))
def test_a_wait_doubles_up_to_its_longest(n_failed: int, kind: str) -> None:
    counted = Failures()
    own = counted._shared = MemoryStorage()
    limit = LIMITS[kind]
    own.incr(f"failed:{kind}:who", 1_000, n_failed - 1)

    counted.add(kind, "who")

    expected = 0 if n_failed <= limit.free else min(2 ** (n_failed - limit.free - 1), limit.longest_s)
    assert counted.wait_s(kind, "who") == expected
    assert counted.wait_s(kind, "else") == 0


def test_without_redis_each_process_counts_for_itself(settings: Any) -> None:
    settings.REDIS_URL = NOWHERE
    alone = Failures()
    for _ in range(LIMITS["name"].free + 4):
        alone.add("name", "who")

    assert 4 < alone.wait_s("name", "who") <= 8


@pytest.mark.redis
def test_processes_count_together(settings: Any) -> None:
    with RedisServer() as redis:
        settings.REDIS_URL = redis.url
        one, other = Failures(), Failures()
        for _ in range(LIMITS["network"].free + 12):
            one.add("network", "who")
        assert 512 < other.wait_s("network", "who") <= 900


def test_redis_learns_no_name_and_no_address() -> None:
    said = login_limits._who("203.0.113.7", "anna")

    assert not any(part in value for value in said.values() for part in ("anna", "203"))
    assert said["network"] == login_limits._who("203.0.113.200", "x")["network"]


@given(st.text(max_size=20))
def test_failures_count_the_same_whatever_language_the_page_is_in(name: str) -> None:
    """A browser chooses its language for each request: no choice starts another count."""
    said = []
    for language in ("en", "de"):
        with translation.override(language):
            said.append(login_limits._who("203.0.113.7", name))
    assert said[0] == said[1]
