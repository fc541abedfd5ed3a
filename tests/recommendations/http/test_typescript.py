"""The types of the API for TypeScript follow its document: fields, null, methods."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.management import CommandError, call_command

from recommendations.http import openapi
from recommendations.http.rest import api
from recommendations.http.typescript import api_types
from recommendations.serving.schemas import ALL_FIELDS, ListProblem, ListReply, RecommendReply
from tests.end_to_end.conftest import ROOT
from tracking.contract.schema import json_schema

DOCUMENT: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema()))
COMMITTED = (ROOT / "sdk/api.d.ts").read_text()


def fields(name: str) -> dict[str, str]:
    body = re.search(rf"export interface {name} {{\n(.*?)\n}}", COMMITTED, re.DOTALL)
    assert body is not None, name
    return dict(re.findall(r"^  (\w+\??): (.*);$", body[1], re.MULTILINE))


def test_the_committed_file_is_that_of_the_document() -> None:
    assert api_types(DOCUMENT, json_schema()) == COMMITTED, "run `python manage.py api_types` and commit sdk/api.d.ts"


def test_an_item_has_every_field_that_may_be_chosen_and_null_where_the_api_sends_it() -> None:
    item = fields("RecommendedItem")

    assert {name.rstrip("?") for name in item} == set(ALL_FIELDS)
    assert item["price?"] == item["sale_price?"] == "number | null"
    assert fields("RecommendedList")["heading"] == "string | null"


@pytest.mark.parametrize(
    ("struct", "schema"),
    [(ListReply, openapi.LIST), (ListProblem, openapi.LIST_PROBLEM), (RecommendReply, openapi.REPLY)],
)
def test_a_reply_has_the_fields_of_the_document_and_no_other(struct: type, schema: dict[str, Any]) -> None:
    fields_of_reply = {field.name: field for field in msgspec.structs.fields(struct)}

    assert fields_of_reply.keys() == schema["properties"].keys()
    left_out = {name for name, field in fields_of_reply.items() if not field.required}
    assert not left_out & set(schema["required"]) - {"items"}, "a default is left out of the reply"


def test_each_operation_is_a_method_that_takes_its_path_first() -> None:
    methods = dict(re.findall(r"^  (\w+)\((.*)\): Promise<.*>;$", COMMITTED, re.MULTILINE))
    operations = {
        operation["operationId"]: path for path, methods in DOCUMENT["paths"].items() for operation in methods.values()
    }

    assert methods.keys() == operations.keys()
    for name, path in operations.items():
        assert re.findall(r"^(?:(\w+): string)?", methods[name]) == (re.findall(r"{(\w+)}", path) or [""])


def test_the_command_writes_the_file_and_tells_what_is_out_of_date(tmp_path: Path) -> None:
    (tmp_path / "sdk").mkdir()
    with pytest.raises(CommandError, match="api_types"):
        call_command("api_types", check=True, root=tmp_path)
    call_command("api_types", root=tmp_path)
    assert (tmp_path / "sdk/api.d.ts").read_text() == COMMITTED
    call_command("api_types", check=True, root=tmp_path)
