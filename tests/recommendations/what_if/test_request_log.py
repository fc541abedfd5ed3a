"""Requests are kept for an hour, a bounded number of them, and nothing says whose they were."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from features.exceptions import StoreUnavailable
from features.privacy.erasure import user_erased
from recommendations import keys
from recommendations.core.types import RequestUser
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.what_if import request_log
from recommendations.what_if.request_log import (
    MAX_ITEMS,
    RequestKeeper,
    forget_requests,
    kept_request,
    recent_requests,
)
from tracking.redis_client import connect

_sites = itertools.count()
USER = RequestUser(
    key="u:ada@shop.example", recents=("sku1", "sku2"), session=("sku1",), purchases=("sku9",), cart=("sku3",),
    segments=frozenset({"loyal"}), is_returning=True, version="7-abc", bought_ms={"sku9": 1},
)  # fmt: skip


@pytest.fixture
def site(redis_url: str, settings: Any) -> str:
    settings.REDIS_URL = redis_url
    return f"kept{next(_sites)}"


@pytest.fixture
def keeper() -> Iterator[RequestKeeper]:
    made = RequestKeeper()
    yield made
    made.stop()


def query(placement: str = "home", **changes: Any) -> ListQuery:
    return ListQuery(placement=PlacementSpec(name=placement), limit=8, **changes)


def test_what_is_kept_makes_the_same_list_and_says_nothing_of_who_it_was() -> None:
    kept = kept_request(query(context_items=("sku4",), filter="price < 3"), USER, now_s=5)

    blob = msgspec.msgpack.encode(kept)

    assert all(mark not in blob for mark in (b"ada", b"u:", b"abc"))
    again = msgspec.msgpack.decode(blob, type=type(kept)).user
    assert (again.recents, again.session, again.purchases, again.cart) == (
        USER.recents, USER.session, USER.purchases, USER.cart,
    )  # fmt: skip
    assert (again.segments, again.is_returning) == (USER.segments, True)


def test_long_histories_are_cut() -> None:
    user = RequestUser(recents=tuple(f"sku{number}" for number in range(500)))

    assert len(kept_request(query(), user, now_s=5).recents) == MAX_ITEMS


@pytest.mark.redis
def test_the_newest_of_the_last_hour_come_first_by_placement(site: str, keeper: RequestKeeper) -> None:
    now_s = int(time.time())
    for placement, age_s in (("home", 3_601), ("home", 60), ("cart", 30), ("home", 1)):
        keeper.keep(site, query(placement), USER, now_s=now_s - age_s)
    keeper.flush()

    found = recent_requests(site, {"home"}, most=10, now_s=now_s)

    assert [now_s - each.made_at_s for each in found] == [1, 60]
    assert [each.placement for each in recent_requests(site, {"home", "cart"}, most=2, now_s=now_s)] == ["home", "cart"]


@pytest.mark.redis
def test_the_ring_is_bounded_and_goes_after_an_hour(
    site: str, keeper: RequestKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "MAX_KEPT", 5)
    now_s = int(time.time())
    for number in range(9):
        keeper.keep(site, query(context_items=(f"sku{number}",)), USER, now_s=now_s)
    keeper.flush()

    client = connect(request_log.settings.REDIS_URL, timeout_s=2)
    assert client.llen(keys.requests(site)) == 5
    assert 0 < int(client.ttl(keys.requests(site))) <= 3_600  # type: ignore[arg-type]
    assert recent_requests(site, {"home"}, most=10, now_s=now_s)[0].context_items == ("sku8",)


@pytest.mark.redis
def test_an_erasure_drops_all_of_the_site_and_nothing_of_another(site: str, keeper: RequestKeeper) -> None:
    now_s = int(time.time())
    for name in (site, f"{site}b"):
        keeper.keep(name, query(), USER, now_s=now_s)
    keeper.flush()

    forget_requests(site)

    assert recent_requests(site, {"home"}, most=10, now_s=now_s) == []
    assert len(recent_requests(f"{site}b", {"home"}, most=10, now_s=now_s)) == 1


def test_an_unavailable_redis_is_told(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        recent_requests("shop", {"home"}, most=1, now_s=0)
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        forget_requests("shop")


def test_only_so_many_are_kept_a_second(keeper: RequestKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    put: list[Any] = []
    monkeypatch.setattr(keeper._flusher, "put", put.append)
    monkeypatch.setattr(keeper._flusher, "start", lambda: None)
    monkeypatch.setattr(time, "monotonic", lambda: 1e9)

    for _ in range(1_000):
        keeper.keep("shop", query(), USER, now_s=1)

    assert len(put) == request_log.BURST


@pytest.mark.redis
def test_the_erasure_of_a_user_reaches_the_ring(site: str, keeper: RequestKeeper) -> None:
    now_s = int(time.time())
    keeper.keep(site, query(), USER, now_s=now_s)
    keeper.flush()

    user_erased.send(sender=None, site=site, rec_ids=())

    assert recent_requests(site, {"home"}, most=10, now_s=now_s) == []
