"""What the document promises is what a running installation does, whatever is sent: schemathesis over all of it."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from recommendations.http.rest import api
from tests.api.conftest import Place

pytestmark = [pytest.mark.redis, pytest.mark.slow]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]
OPERATIONS = [
    (method.upper(), path)
    for path, operations in api.get_openapi_schema()["paths"].items()
    for method in operations
]  # fmt: skip
NEEDS_WHAT_WAS_DONE = {"GET /v1/users/{user_id}/erasure", "GET /v1/explanations/{rec_id}"}
THERE = {
    "item_id": "tent01", "placement": "home_for_you", "filter": "price < 50", "fields": "item_id,title",
    "day": "2026-11-27", "currency": "USD", "worth_in": "EUR", "after": "", "rate": "0.86",
}  # fmt: skip
"""Made-up names are a 404 nearly always; every second request names what the shop has."""


def name_what_is_there(case: schemathesis.Case) -> None:
    """Put names that the shop has in place of made-up ones, where there are any."""
    case.body = copy.deepcopy(case.body)  # it may be the document's own example
    for holder in (case.path_parameters, case.query, case.body):
        if isinstance(holder, dict):
            entries = [*(holder.get("placements") or ()), *(holder.get("rates") or ())]
            for each in (holder, *(entry for entry in entries if isinstance(entry, dict))):
                each.update({name: value for name, value in THERE.items() if isinstance(each.get(name), str)})


@pytest.fixture(scope="session")
def document(place: Place) -> Any:
    return schemathesis.openapi.from_url(place.address + "/v1/openapi.json")


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation_keeps_its_promise(document: Any, place: Place, method: str, path: str) -> None:
    operation = document[path][method]
    seen: Counter[int] = Counter()
    modest = settings(
        max_examples=10,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )

    def answers(case: schemathesis.Case) -> None:
        if sum(seen.values()) % 2:
            name_what_is_there(case)
        response = case.call(headers={"Authorization": f"Bearer {place.sk}"}, timeout=10)
        seen[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)
        if response.status_code >= 400:
            assert set(response.json()) >= {"error", "message", "field"}

    described = document.raw_schema["paths"][path][method.lower()]
    takes_input = described.get("parameters") or described.get("requestBody")
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE) if takes_input else (GenerationMode.POSITIVE,):
        strategy = operation.as_strategy(generation_mode=mode)
        modest(given(case=strategy)(answers))()

    assert operation.label in NEEDS_WHAT_WAS_DONE or any(status < 300 for status in seen), seen


WITH_EXAMPLES = [
    (method.upper(), path)
    for path, operations in api.get_openapi_schema()["paths"].items()
    for method, operation in operations.items()
    if "requestBody" in operation
]


@pytest.mark.parametrize(("method", "path"), WITH_EXAMPLES)
def test_every_example_of_the_document_is_answered(document: Any, place: Place, method: str, path: str) -> None:
    operation = document[path][method]
    content = document.raw_schema["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]
    case = operation.Case(body=content["example"], path_parameters={"item_id": "SKU1"}, media_type="application/json")

    response = case.call(headers={"Authorization": f"Bearer {place.sk}"}, timeout=10)

    assert response.status_code in (200, 202), response.text
    case.validate_response(response, checks=CHECKS)
    answer = response.json()
    assert not answer.get("rejected"), "nothing of it was refused"
    assert not any(result.get("error") for result in answer.get("results", ()))


def test_examples_are_as_their_schemas_say(document: Any) -> None:
    for method, path in WITH_EXAMPLES:
        content = document.raw_schema["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]
        schema = {**content["schema"], "components": document.raw_schema["components"]}
        validator = jsonschema_rs.Draft202012Validator(schema)
        assert [error.message for error in validator.iter_errors(content["example"])] == [], (method, path)
