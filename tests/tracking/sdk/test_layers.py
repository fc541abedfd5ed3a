"""What shops push to their data layers, from Chromium through the real server to the log: each event, and its mends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import pytest
import redis

from tests.services.fixtures import leave_out
from tests.services.process import Missing
from tests.services.waiting import BROWSER_S
from tests.tracking.web_process import ROOT, Web
from tracking.contract.parsing import parse_record
from tracking.log.urls import open_log

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Code on a page, the events that are in the log then, and the fields that were mended on their way."""

    code: str
    events: tuple[tuple[str, Mapping[str, Any]], ...]
    mended: frozenset[str] = frozenset()
    refused: tuple[str, ...] = ()
    then: str = ""


def one(item_id: str, **fields: Any) -> dict[str, Any]:
    """Return the parameters of an event with one item."""
    return {"items": [{"item_id": item_id, **fields}]}


def order(transaction_id: str, value: float, *items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the parameters of a purchase in euros."""
    return {"transaction_id": transaction_id, "currency": "EUR", "value": value, "items": list(items), **fields}


CASES = {
    "id and name in place of item_id": Case(
        code="gtag('event','view_item',{items:[{id:'4411',name:'Tea pot',category:'Kitchen',price:'18.50'}]})",
        events=(("view_item", one("4411", item_name="Tea pot", item_category="Kitchen", price=18.5)),),
        mended=frozenset({"item_id", "item_name", "item_category"}),
    ),
    "a number as id, a text as quantity, sku beside it": Case(
        code="""dataLayer.push({event:'add_to_cart',ecommerce:{currency:'EUR',value:36,
            items:[{id:52,item_name:'Tea pot',sku:'TP',price:18,quantity:'2'}]}})""",
        events=(
            (
                "add_to_cart",
                {"currency": "EUR", "value": 36.0, **one("52", item_name="Tea pot", price=18.0, quantity=2)},
            ),
        ),
        mended=frozenset({"item_id"}),
    ),
    "thousands": Case(
        code="""dataLayer.push({event:'purchase',ecommerce:{transaction_id:'P-1',currency:'EUR',value:'1.234,50',
            items:[{item_id:'SOFA',price:'1,234.50'}]}})""",
        events=(("purchase", order("P-1", 1234.5, {"item_id": "SOFA", "price": 1234.5})),),
        mended=frozenset({"value", "price"}),
    ),
    "currency in lower case": Case(
        code="""gtag('event','purchase',{transaction_id:'P-2',currency:' eur',value:5,
            items:[{item_id:'PEN',price:5}]})""",
        events=(("purchase", order("P-2", 5.0, {"item_id": "PEN", "price": 5.0})),),
        mended=frozenset({"currency"}),
    ),
    "items as an object, and with holes": Case(
        code="""dataLayer.push({event:'view_cart',ecommerce:{items:{"2":{item_id:'A'},"5":{item_id:'B'}}}});
            dataLayer.push({event:'begin_checkout',ecommerce:{items:[,{item_id:'A'},null]}});
            dataLayer.push({event:'view_item',ecommerce:{items:{item_id:'C'}}})""",
        events=(
            ("view_cart", {"items": [{"item_id": "A"}, {"item_id": "B"}]}),
            ("begin_checkout", one("A")),
            ("view_item", one("C")),
        ),
    ),
    "numbers and truth in fields of text": Case(
        code="dataLayer.push({event:'view_item',ecommerce:{items:[{item_id:'D',item_name:2001,item_variant:7,item_brand:true}]}})",
        events=(("view_item", one("D", item_name="2001", item_variant="7")),),
        mended=frozenset({"item_name", "item_variant", "item_brand"}),
    ),
    "lists in fields of text": Case(
        code="""dataLayer.push({event:'view_item',ecommerce:{items:[{item_id:'E',item_category:['Toys','Kites'],
            item_variant:['Blue','L']}]}})""",
        events=(("view_item", one("E", item_category="Toys", item_category2="Kites", item_variant="Blue, L")),),
        mended=frozenset({"item_category", "item_variant"}),
    ),
    "450 items": Case(
        code="""dataLayer.push({event:'view_item_list',ecommerce:{item_list_id:'all',
            items:Array.from({length:450},(_,n)=>({item_id:'L'+n}))}})""",
        events=tuple(
            (
                "view_item_list",
                {"item_list_id": "all", "items": [{"item_id": f"L{n}"} for n in range(start, min(start + 200, 450))]},
            )
            for start in (0, 200, 400)
        ),
    ),
    "an order of 250 lines": Case(
        code="""dataLayer.push({event:'purchase',ecommerce:{transaction_id:'P-3',currency:'EUR',value:250,tax:40,
            items:Array.from({length:250},(_,n)=>({item_id:'O'+n,price:1}))}})""",
        events=(
            ("purchase", order("P-3", 250.0, *({"item_id": f"O{n}", "price": 1.0} for n in range(200)), tax=40.0)),
            ("purchase", order("P-3", 0.0, *({"item_id": f"O{n}", "price": 1.0} for n in range(200, 250)))),
        ),
    ),
    "a path too long for a field": Case(
        code="""dataLayer.push({event:'view_item',ecommerce:{items:[{item_id:'F',item_category:
            'Garden and outdoor living > Furniture for terraces and balconies > Chairs > Folding chairs of wood > Oiled'
            }]}})""",
        events=(
            (
                "view_item",
                one(
                    "F",
                    item_category="Garden and outdoor living",
                    item_category2="Furniture for terraces and balconies",
                    item_category3="Chairs",
                    item_category4="Folding chairs of wood",
                    item_category5="Oiled",
                ),
            ),
        ),
        mended=frozenset({"item_category"}),
    ),
    "fractions and gifts": Case(
        code="""dataLayer.push({event:'purchase',ecommerce:{transaction_id:'P-4',currency:'EUR',value:20,
            items:[{item_id:'ROPE',price:8,quantity:2.5},{item_id:'BAG',price:0,quantity:0}]}})""",
        events=(("purchase", order("P-4", 20.0, {"item_id": "ROPE", "price": 20.0})),),
        mended=frozenset({"quantity", "price"}),
    ),
    "a coupon that is a number, a tax with a comma, free shipping": Case(
        code="""dataLayer.push({event:'purchase',ecommerce:{transaction_id:77,currency:'EUR',value:9,coupon:2026,tax:'1,44',
            shipping:'free',items:[{item_id:'CUP',price:9}]}})""",
        events=(
            ("purchase", order("77", 9.0, {"item_id": "CUP", "price": 9.0}, coupon="2026", tax=1.44, shipping=0.0)),
        ),
        mended=frozenset({"coupon", "tax", "shipping"}),
    ),
    "Universal Analytics": Case(
        code="""dataLayer.push({ecommerce:{currencyCode:'EUR',detail:{products:[{id:'G',name:'Vase',price:'30.00'}]}}});
            dataLayer.push({event:'order',ecommerce:{currencyCode:'EUR',purchase:{actionField:{id:'P-5',revenue:'30.00'},
            products:[{id:'G',name:'Vase',price:'30.00',quantity:1}]}}});
            dataLayer.push({ecommerce:{refund:{actionField:{id:'P-5'}}}})""",
        events=(
            ("view_item", {"currency": "EUR", **one("G", item_name="Vase", price=30.0)}),
            ("purchase", order("P-5", 30.0, {"item_id": "G", "item_name": "Vase", "price": 30.0})),
            ("refund", {"transaction_id": "P-5"}),
        ),
        mended=frozenset({"item_id", "item_name", "value"}),
    ),
    "four ways to say one thing": Case(
        code="""dataLayer.push({event:'view_item',currency:'EUR',items:[{item_id:'H',price:4}]});
            dataLayer.push({event:'view_item',ecommerce:{view_item:{items:[{item_id:'I'}]}}});
            dataLayer.push({event:'ee_view_item',ecommerce:{items:[{item_id:'J'}]}});
            dataLayer.push({ecommerce:{items:[{item_id:'K'}]}}); dataLayer.push({event:'view_item'})""",
        events=(
            ("view_item", {"currency": "EUR", **one("H", price=4.0)}),
            *(("view_item", one(item_id)) for item_id in "IJK"),
        ),
    ),
    "consent": Case(
        code="""gtag('consent','default',{ad_storage:'denied',analytics_storage:'denied'});
            gtag('event','view_item',{items:[{item_id:'Q'}]})""",
        then="gtag('consent','update',{analytics_storage:'granted'})",
        events=(("view_item", one("Q")),),
    ),
    "no transaction id": Case(
        code="dataLayer.push({event:'purchase',ecommerce:{transaction_id:'',value:3,items:[{item_id:'R',price:3}]}})",
        events=(),
        refused=("params.transaction_id",),
    ),
    "searches": Case(
        code="""gtag('event','view_search_results',{search_term:'kite'});
            gtag('event','search',{search_term:'y'.repeat(230)});
            gtag('event','add_payment_info',{payment_type:'card',items:[{item_id:'S'}]})""",
        events=(
            ("search", {"search_term": "kite"}),
            ("search", {"search_term": "y" * 200}),
            ("add_payment_info", {"payment_type": "card", "items": [{"item_id": "S"}]}),
        ),
        mended=frozenset({"event", "search_term"}),  # event: a name that became another
    ),
}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the pages were answered, and what is in the log, by case."""

    answers: dict[str, dict[str, Any]]
    logged: dict[str, list[tuple[str, Any]]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, redis_url: str, request: pytest.FixtureRequest) -> Seen:
    """Open a page for each case on a server of its own."""
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if not chromium or not node or not (ROOT / "sdk/node_modules/playwright-core").exists():
        leave_out(request.config, Missing("Chromium", "install Debian's chromium and nodejs, then run npm ci in sdk/"))
    folder = tmp_path_factory.mktemp("layers")
    redis_url = redis_url.replace("/0", "/7")
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    log_url = f"{redis_url}?stream=layers-{os.getpid()}&partitions=1"
    file = folder / "cases.json"
    pages = {
        name: {"code": case.code, "then": case.then, "count": len(case.events) + len(case.refused)}
        for name, case in CASES.items()
    }
    file.write_text(json.dumps(pages))
    web = Web(folder, redis_url=redis_url, log_url=log_url, application="recsite.asgi:application").prepare()
    try:
        web.start()
        done = subprocess.run(
            [str(node), str(Path(__file__).with_name("layers.mjs")), str(chromium), f"http://127.0.0.1:{web.port}",
             web.key, str(file)],
            capture_output=True, text=True, timeout=BROWSER_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:] + web.out.read_text()[-2000:]
    finally:
        web.stop()
    logged: dict[str, dict[str, tuple[str, Any]]] = {name: {} for name in CASES}
    for record in open_log(log_url).read_all(0):
        parsed = parse_record(record.value)
        for event in (*parsed.events, *parsed.custom):
            told = msgspec.to_builtins(event)
            # Delivery is at least once: a copy has the id of the first.
            logged[unquote(urlsplit(told["url"]).path[1:])][told["event_id"]] = (told["event"], told["params"])
    return Seen(
        answers=json.loads(done.stdout.splitlines()[-1]),
        logged={name: list(events.values()) for name, events in logged.items()},
    )


def in_order(events: Iterable[tuple[str, Any]]) -> list[str]:
    """Return events as texts that are equal where the events are, whatever their order."""
    return sorted(json.dumps(event, sort_keys=True) for event in events)


@pytest.mark.parametrize("name", CASES)
def test_what_a_shop_pushes_is_in_the_log_and_its_mends_in_the_answer(seen: Seen, name: str) -> None:
    case, answer = CASES[name], seen.answers[name]

    assert in_order(seen.logged[name]) == in_order(case.events)
    assert {warning["field"] for warning in answer["warnings"]} == case.mended
    assert all(warning["remedy"] and warning["path"].startswith("events[") for warning in answer["warnings"])
    assert [error["field"].partition(".")[2] for error in answer["rejected"]] == list(case.refused)
    assert (answer["accepted"], answer["problems"]) == (len(case.events), [])


def test_nothing_leaves_the_page_before_consent(seen: Seen) -> None:
    assert (seen.answers["consent"]["before"], seen.answers["consent"]["stored"]) == (0, [])
