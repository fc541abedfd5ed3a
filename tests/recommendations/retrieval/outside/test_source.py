"""A shop's service as a source: asked in batches over connections that stay, in time, let alone after failures."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from features.feeds.public_address import is_public
from recommendations.core.types import RequestUser
from recommendations.retrieval.outside import connection
from recommendations.retrieval.outside.breaker import FAILURES, REST_S, Breaker, Circuit
from recommendations.retrieval.outside.contract import AnswerFormat, OutsideSpec, Wanted
from recommendations.retrieval.outside.source import CONNECTIONS, OutsideSource
from tests.recommendations.outside_service import BAD_DAYS, Service
from tests.recommendations.worlds import item_index
from tests.services.waiting import wait_until_async

ENOUGH_MS = 30_000.0
ADA = RequestUser(key="u:ada", session=("sku3",), recents=("sku3", "sku4"))
ON = item_index(n=300)
row_of = ON.catalogue.row


def wanted(placement: str = "home", user: RequestUser = ADA) -> Wanted:
    return Wanted(user=user, placement=placement)


def ids(answered: object) -> list[str]:
    return [ON.item_id(row) for row in answered.ranked.rows.tolist()]  # type: ignore[attr-defined]


def source_of(service: Service, breaker: Breaker | None = None, **changes: object) -> OutsideSource:
    values = {"site": "shop", "name": "stylist", "url": service.url, "budget_ms": ENOUGH_MS, **changes}
    return OutsideSource(OutsideSpec(**values), breaker or Breaker("shop", "stylist"))  # type: ignore[arg-type]


@pytest.fixture
async def source(service: Service) -> AsyncIterator[OutsideSource]:
    made = source_of(service)
    yield made
    made.close()


def counted(result: str) -> float:
    labels = {"site": "shop", "source": "stylist", "result": result}
    return REGISTRY.get_sample_value("recsite_outside_source_lists_total", labels) or 0.0


async def test_all_lists_of_a_page_are_one_request_and_the_connection_stays(
    service: Service, source: OutsideSource
) -> None:
    service.proposes = lambda body: {"lists": [[f"sku{number}", "sku9"] for number, _ in enumerate(body["lists"])]}

    page = await source.lists([wanted("home"), wanted("cart")], row_of, within_ms=ENOUGH_MS)
    await source.lists([wanted()], row_of, within_ms=ENOUGH_MS)

    assert [ids(each) for each in page] == [["sku0", "sku9"], ["sku1", "sku9"]]
    first, second = service.bodies
    assert first["users"] == [{"session": ["sku3"], "recents": ["sku3", "sku4"]}]  # not whose it is
    assert [(each["placement"], each["user"]) for each in first["lists"]] == [("home", 0), ("cart", 0)]
    assert (first["v"], first["site"], first["source"]) == (1, "shop", "stylist")
    assert len(second["lists"]) == 1
    assert len(service.connections) == 1


async def test_lists_that_come_while_all_connections_are_busy_go_together(
    service: Service, source: OutsideSource
) -> None:
    service.mode = "hold"
    first = [asyncio.create_task(source.lists([wanted()], row_of, within_ms=ENOUGH_MS)) for _ in range(CONNECTIONS)]
    await wait_until_async(lambda: len(service.bodies) == CONNECTIONS, "a request on each connection")
    crowd = [
        asyncio.create_task(source.lists([wanted(user=RequestUser(session=(f"sku{n}",)))], row_of, within_ms=ENOUGH_MS))
        for n in range(30)
    ]
    await asyncio.sleep(0)
    service.may_go_on.set()
    await asyncio.gather(*first, *crowd)

    batches = [len(body["lists"]) for body in service.bodies]
    assert batches[:CONNECTIONS] == [1] * CONNECTIONS
    assert sum(batches) == CONNECTIONS + 30
    assert max(batches) > 1
    assert len(batches) <= 2 * CONNECTIONS
    assert all(ids(task.result()[0]) == ["sku1", "sku2"] for task in crowd)


async def test_what_is_sent_is_signed_and_says_who_it_is_where_it_may(service: Service) -> None:
    source = source_of(service, secret="s3cret", sends_ids=True)

    await source.lists([wanted()], row_of, within_ms=ENOUGH_MS)
    source.close()

    time, digest = (part.partition("=")[2] for part in service.headers[0]["Recsite-Signature"].split(","))
    signed = hmac.new(b"s3cret", time.encode() + b"." + service.raw[0], hashlib.sha256)
    assert digest == signed.hexdigest()
    assert service.bodies[0]["users"][0]["key"] == "u:ada"


async def test_ids_that_the_catalogue_lacks_are_counted_and_lists_are_cut(
    service: Service, source: OutsideSource
) -> None:
    def unknown() -> float:
        labels = {"site": "shop", "source": "stylist"}
        return REGISTRY.get_sample_value("recsite_outside_source_unknown_items_total", labels) or 0.0

    before = unknown()
    service.proposes = lambda body: {"lists": [["nope", "sku7", "sku7", *(f"sku{n}" for n in range(300)), "gone"]]}

    (found,) = await source.lists([wanted()], row_of, within_ms=ENOUGH_MS)

    assert ids(found)[:3] == ["sku7", "sku0", "sku1"]
    assert len(found.ranked) == 100
    assert unknown() == before + 2


async def test_scores_order_a_list(service: Service) -> None:
    source = source_of(service, answer=AnswerFormat.SCORED)
    service.proposes = lambda body: {"lists": [[{"item_id": "sku1", "score": 0.5}, {"item_id": "sku2", "score": 2}]]}

    (found,) = await source.lists([wanted()], row_of, within_ms=ENOUGH_MS)
    source.close()

    assert ids(found) == ["sku2", "sku1"]
    assert found.ranked.scores.tolist() == [2.0, 0.5]


@pytest.mark.parametrize(("day", "result"), BAD_DAYS.items())
async def test_a_bad_day_of_the_service_costs_its_items_alone(service: Service, day: str, result: str) -> None:
    breaker = Breaker("shop", "stylist")
    source = source_of(service, breaker, budget_ms=150.0 if result == "slow" else ENOUGH_MS)
    service.mode, before = day, counted(result)

    (found,) = await source.lists([wanted()], row_of, within_ms=ENOUGH_MS)
    await source.ended()

    assert len(found.ranked) == 0
    assert found.result == result
    assert counted(result) == before + 1
    assert breaker.state is Circuit.FAILING
    assert breaker.last_error

    service.mode = "answer"
    service.may_go_on.set()
    (again,) = await source_of(service, breaker).lists([wanted()], row_of, within_ms=ENOUGH_MS)
    assert ids(again) == ["sku1", "sku2"]
    assert breaker.state is Circuit.CLOSED
    source.close()


async def test_a_list_waits_no_longer_than_its_own_time_though_the_service_has_more(
    service: Service, source: OutsideSource
) -> None:
    service.mode = "hold"
    begun = asyncio.get_running_loop().time()

    (late,) = await source.lists([wanted()], row_of, within_ms=20.0)
    waited_s = asyncio.get_running_loop().time() - begun
    (at_once,) = await source.lists([wanted()], row_of, within_ms=0.0)
    service.may_go_on.set()
    await source.ended()

    assert (late.result, at_once.result) == ("slow", "busy")
    assert waited_s < ENOUGH_MS / 1e3  # the answer was still held back
    assert len(service.bodies) == 1


async def test_after_failures_in_a_row_it_is_left_alone_and_tried_once(service: Service) -> None:
    now_s = [1_000.0]
    breaker = Breaker("shop", "stylist", clock=lambda: now_s[0])
    source = source_of(service, breaker)
    service.mode = "error"
    for _ in range(FAILURES):
        await source.lists([wanted()], row_of, within_ms=ENOUGH_MS)

    (resting,) = await source.lists([wanted()], row_of, within_ms=ENOUGH_MS)
    assert resting.result == "resting"
    assert breaker.state is Circuit.OPEN
    assert len(service.bodies) == FAILURES
    assert REGISTRY.get_sample_value("recsite_outside_source_resting", {"site": "shop", "source": "stylist"}) == 1

    now_s[0] += REST_S + 1
    service.mode = "hold"
    trial = asyncio.create_task(source.lists([wanted()], row_of, within_ms=ENOUGH_MS))
    await wait_until_async(lambda: len(service.bodies) > FAILURES, "the trial")
    (beside,) = await source.lists([wanted()], row_of, within_ms=ENOUGH_MS)
    assert beside.result == "resting"
    service.may_go_on.set()
    assert ids((await trial)[0]) == ["sku1", "sku2"]
    assert breaker.state is Circuit.CLOSED
    assert REGISTRY.get_sample_value("recsite_outside_source_resting", {"site": "shop", "source": "stylist"}) == 0
    source.close()


async def test_a_service_that_is_not_there_is_a_failure(service: Service) -> None:
    breaker = Breaker("shop", "stylist")
    source = source_of(service, breaker, url="https://no-such-host.invalid/")

    (found,) = await source.lists([wanted()], row_of, within_ms=ENOUGH_MS)
    await source.ended()

    assert found.result == "failed"
    assert "no-such-host.invalid cannot be reached" in breaker.last_error


async def test_a_certificate_that_nobody_vouches_for_is_a_failure(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_tls", ssl.create_default_context)
    breaker = Breaker("shop", "stylist")
    source = source_of(service, breaker)

    (found,) = await source.lists([wanted()], row_of, within_ms=ENOUGH_MS)
    await source.ended()

    assert found.result == "failed"
    assert "certificate" in breaker.last_error.lower()
    assert not service.bodies


async def test_nothing_is_sent_to_a_private_address(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "is_public", is_public)
    breaker = Breaker("shop", "stylist")
    source = source_of(service, breaker)

    (found,) = await source.lists([wanted()], row_of, within_ms=ENOUGH_MS)
    await source.ended()

    assert found.result == "failed"
    assert "private address" in breaker.last_error
    assert not service.bodies


@pytest.mark.parametrize("mode", ["closing", "vanishing"])
async def test_a_connection_that_the_service_closes_is_replaced(
    service: Service, source: OutsideSource, mode: str
) -> None:
    service.mode = mode
    for _ in range(3):
        (found,) = await source.lists([wanted()], row_of, within_ms=ENOUGH_MS)
        assert ids(found) == ["sku1", "sku2"]

    assert len(service.connections) == 3
