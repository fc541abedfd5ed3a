"""The Python and the JavaScript client: the same as the document, and working against a real installation."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import textwrap
import uuid
from typing import Any

import msgspec
import pytest
from recsite_client import ApiError, NoAnswer, PlacementRequest, Recsite
from recsite_client.api_types import ANSWERS, OPERATIONS

from recommendations.http.openapi import ITEM_FIELDS
from recommendations.http.rest import api
from tests.api.conftest import Place
from tests.end_to_end.conftest import ROOT
from tests.services.fixtures import leave_out
from tests.services.process import Missing

JS_CLIENT = ROOT / "sdk/api-client/index.mjs"
DOCUMENT: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema()))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
BY_ID = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    return SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def node(script: str, *arguments: str, request: pytest.FixtureRequest) -> Any:
    program = shutil.which("node")
    if program is None:
        leave_out(request.config, Missing("Node", "install Debian's nodejs"))
    assert program is not None
    code = (
        f"import {{ ApiError, OPERATIONS, Recsite }} from {json.dumps(JS_CLIENT.as_uri())};\n{textwrap.dedent(script)}"
    )
    done = subprocess.run(
        [program, "--input-type=module", "-e", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_python_client_has_every_operation_and_no_other() -> None:
    said = {name: (method, path) for name, (_, method, path) in OPERATIONS.items()}

    assert said == {name: each[:2] for name, each in BY_ID.items() if name != "sendEvents"}  # Tracker sends them


@pytest.mark.parametrize("operation_id", sorted(OPERATIONS))
def test_its_methods_take_what_the_operations_take(operation_id: str) -> None:
    method = getattr(Recsite, OPERATIONS[operation_id][0])
    _, _, operation = BY_ID[operation_id]
    taken = {parameter["name"] for parameter in operation.get("parameters", ())}
    body = operation.get("requestBody")
    if operation_id == "writeItem":
        taken.add("fields")  # of the item, whose names are the document's own
    elif body is not None:
        taken |= resolved(body["content"]["application/json"]["schema"])["properties"].keys()

    assert inspect.signature(method).parameters.keys() - {"self"} == taken - {"key"}  # the client holds the key


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_its_answers_are_the_documents(name: str) -> None:
    schema = SCHEMAS[name]
    fields = {field.encode_name: field for field in msgspec.structs.fields(ANSWERS[name])}
    extra = {"error", "message", "field"} if name == "RecommendedList" else set()  # it stands for ListProblem, too

    assert fields.keys() - extra == schema["properties"].keys()
    needed = {field for field, each in fields.items() if each.required}
    assert needed <= set(schema.get("required", ())) | {"dead_letters"}, "the server may leave it out"


def test_a_placement_request_is_the_documents() -> None:
    assert {field.encode_name for field in msgspec.structs.fields(PlacementRequest)} == SCHEMAS["PlacementRequest"][
        "properties"
    ].keys()


@pytest.mark.redis
@pytest.mark.slow
def test_the_python_client_does_all_of_it(place: Place) -> None:
    client = Recsite(place.address, place.sk)
    item_id = f"py/{uuid.uuid4().hex[:8]} ü"

    written = client.write_items([{"item_id": item_id, "title": "Boots", "price": 59.9}, {"item_id": "x", "colr": 1}])
    assert [written.created, written.rejected[0].field] == [1, "items[1].colr"]
    assert client.write_item(item_id, {"sale_price": 49.9}).sale_price == 49.9
    assert client.read_item(item_id).title == "Boots"
    assert item_id in {item.item_id for item in client.iter_items(page_size=7)}
    client.hide_item(item_id)
    assert not client.read_item(item_id).is_active
    lists = client.recommend(
        placements=[PlacementRequest(placement="home_new", limit=3), PlacementRequest(placement="no")]
    )
    assert [len(lists["home_new"].items), lists["no"].error] == [3, "unknown_placement"]
    assert client.recommend_public("home_new", limit=2, fields=["item_id"]).results[0].items[0].title is msgspec.UNSET
    assert {item.item_id for item in client.rank(["tent01", "lamp01"]).results[0].items} == {"tent01", "lamp01"}
    assert "home_new" in {placement.name for placement in client.list_placements()}
    assert client.export_user("u-py").user_keys == ["u:u-py"]
    assert [client.read_features("u-py"), client.read_history("u-py", limit=5).events] == [{}, []]
    assert list(client.iter_history("u-py")) == []
    assert client.erase_user("u-py") == client.read_erasure("u-py")
    assert client.write_exchange_rates([{"day": "2026-11-27", "currency": "JPY", "rate": 0.0055}]).created == 1
    assert [one.rate for one in client.list_exchange_rates(currency="JPY", first="2026-11-27").rates] == [0.0055]
    assert client.delete_exchange_rates(currency="JPY").deleted == 1
    assert client.health().site == "default"
    explained = client.recommend(placement="home_new", explain=True).results[0]
    assert explained.explanation
    with pytest.raises(ApiError) as refused:
        client.explain("r1.forged")
    assert [refused.value.status, refused.value.error] == [404, "unknown_rec_id"]


def test_who_cannot_be_reached_is_told_so() -> None:
    with pytest.raises(NoAnswer):
        Recsite("http://127.0.0.1:1", "sk_x", timeout_s=0.2, retries=1).health()
    with pytest.raises(ValueError, match="is not an address"):
        Recsite("rec.shop.example", "sk_x")


def test_the_javascript_client_has_every_operation_and_no_other(request: pytest.FixtureRequest) -> None:
    said = node("console.log(JSON.stringify(OPERATIONS))", request=request)

    assert {name: tuple(each[:2]) for name, each in said.items()} == {name: each[:2] for name, each in BY_ID.items()}
    for name, (_, _, takes) in said.items():
        operation = BY_ID[name][2]
        has_query = any(parameter["in"] == "query" for parameter in operation.get("parameters", ()))
        assert takes == ("body" if "requestBody" in operation else "query" if has_query else ""), name


@pytest.mark.redis
@pytest.mark.slow
def test_the_javascript_client_does_all_of_it(place: Place, request: pytest.FixtureRequest) -> None:
    said = node(
        """
        const [address, key] = process.argv.slice(1);
        const client = new Recsite(address, key);
        const written = await client.writeItems({ items: [{ item_id: 'js/1 ü', title: 'Boots', price: 59.9 }] });
        const item = await client.readItem('js/1 ü');
        await client.hideItem('js/1 ü');
        const hidden = await client.readItem('js/1 ü');
        const page = await client.listItems({ limit: 2 });
        const lists = await client.recommend({ placement: 'home_new', limit: 3 });
        const same = await client.recommendPublic('home_new', { limit: 2 });
        const history = await client.readHistory('u-js', { limit: 5 });
        const erased = await client.eraseUser('u-js');
        const refused = await client.explain('r1.forged').catch((error) => error);
        console.log(JSON.stringify({
          written, item, hidden, page, lists, same, history, erased, receipt: await client.readErasure('u-js'),
          refused: [refused instanceof ApiError, refused.status, refused.error],
        }));
        """,
        place.address,
        place.sk,
        request=request,
    )

    assert [said["written"]["created"], said["item"]["price"], said["hidden"]["is_active"]] == [1, 59.9, False]
    assert [len(said["page"]["items"]), len(said["lists"]["results"][0]["items"])] == [2, 3]
    assert len(said["same"]["results"][0]["items"]) == 2
    assert said["history"] == {"events": [], "next": None}
    assert said["erased"] == said["receipt"]
    assert said["refused"] == [True, 404, "unknown_rec_id"]


def test_the_documents_item_fields_are_what_a_write_understands() -> None:
    from features.feeds.values import Understanding, item_changes

    values: dict[str, Any] = {"item_id": "a", "price": 1, "sale_price": 1, "cost": 1, "currency": "EUR", "stock": 1}
    values |= {
        "tags": ["a"],
        "attributes": {"a": 1},
        "titles": {"de": "a"},
        "is_active": True,
        "url": "/",
        "image_url": "/",
    }
    values |= {"availability": "in_stock", "first_seen_at": "2026-01-31"}
    values |= {"sale_starts_at": "2026-01-31", "sale_ends_at": "2026-02-28"}
    understanding = Understanding(currency="EUR")
    item_changes({**dict.fromkeys(ITEM_FIELDS, "a"), **values}, understanding=understanding)

    assert not understanding.ignored
