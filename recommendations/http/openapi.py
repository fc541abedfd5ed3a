"""The API's document: hot endpoints, events and errors, of which Django knows nothing.

Schemas of requests are generated from the very structs that parse them.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from recommendations.core.types import FallbackReason, Stage
from recommendations.core.words import Worded
from recommendations.http.openapi_examples import EXAMPLES
from recommendations.retrieval.sources import LABELS
from recommendations.serving.schemas import ALL_FIELDS, MAX_LIMIT, RankRequest, RecommendRequest
from tracking.collect.endpoint import Answer as CollectAnswer
from tracking.contract.events import MAX_EVENTS_SERVER, SCHEMA_MAJOR
from tracking.contract.schema import json_schema
from tracking.error_codes import ErrorCode, table


def _words(declared: type[Worded]) -> str:
    """Return names and their words, as a description."""
    return "; ".join(f"{member.value}: {member.label}" for member in declared)


REF: Final = "#/components/schemas/{name}"
_KEYS: Final[list[dict[str, list[str]]]] = [{"BearerKey": []}, {"HeaderKey": []}]
_TEXT: Final[dict[str, Any]] = {"type": "string"}
_AMOUNT: Final[dict[str, Any]] = {
    "anyOf": [{"type": "number", "minimum": 0, "maximum": 1e12}, {"type": "string"}, {"type": "null"}],
    "description": 'In the main unit: 12.99, or "12.99 EUR". Null empties it.',
}
_MOMENT: Final[dict[str, Any]] = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}
ITEM_IN: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What to write; fields that are left out stay. A new item needs a title. "
    "Names of product feeds (id, link, image_link …) are understood as well.",
    "properties": {
        "item_id": {"type": "string", "minLength": 1, "maxLength": 128},
        "title": {"type": "string", "maxLength": 500},
        "description": {"type": "string", "maxLength": 20_000},
        "brand": {"type": "string", "maxLength": 100},
        "category": {"type": "string", "maxLength": 500, "description": "A path, such as Shoes > Boots."},
        "url": {"type": "string", "maxLength": 2_000},
        "image_url": {"type": "string", "maxLength": 2_000, "description": "{w} stands for a width."},
        "price": _AMOUNT,
        "sale_price": _AMOUNT,
        "sale_starts_at": {**_MOMENT, "description": "Before it the sale price does not count. Null empties it."},
        "sale_ends_at": {**_MOMENT, "description": "From then on it does not count. Null empties it."},
        "cost": {**_AMOUNT, "description": "What the shop paid; never shown, for rules by margin."},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "availability": {"enum": ["in_stock", "out_of_stock", "preorder", "backorder"]},
        "stock": {"type": ["integer", "null"]},
        "group_id": {"type": "string", "maxLength": 128, "description": "Shared by variants of one product."},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 64}, "maxItems": 50},
        "attributes": {"type": "object", "description": "Texts, numbers and booleans by name; merged with the old."},
        "titles": {"type": "object", "description": "Titles by language; merged with the old."},
        "is_active": {"type": "boolean"},
        "first_seen_at": {"type": "string", "format": "date-time"},
    },
    "additionalProperties": False,
}
ITEM_FIELDS: Final[tuple[str, ...]] = tuple(ITEM_IN["properties"])
ITEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Prices are in the currency's main unit. Only the chosen fields, where fields were chosen.",
    "properties": {
        **{name: {"type": "string"} for name in ALL_FIELDS if name not in ("price", "sale_price")},
        "price": {"type": ["number", "null"]},
        "sale_price": {"type": ["number", "null"]},
        "reason": {"type": "string", "description": f"Why the item is listed: {', '.join(LABELS)}."},
    },
}
LIST: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["placement", "heading", "rec_id", "items", "stage", "fallback_reason", "model_version", "variant"],
    "properties": {
        "placement": {"type": "string"},
        "heading": {"type": ["string", "null"]},
        "rec_id": {"type": "string", "description": "Send it back with clicks, carts and purchases."},
        "items": {"type": "array", "items": {"$ref": REF.format(name="RecommendedItem")}},
        "stage": {"enum": [stage.value for stage in Stage], "description": _words(Stage)},
        "fallback_reason": {
            "enum": [*(reason.value for reason in FallbackReason), None],
            "description": _words(FallbackReason),
        },
        "model_version": {"type": ["string", "null"]},
        "variant": {"type": "string"},
        "feature_age_ms": {"type": ["integer", "null"]},
        "explanation": {"type": "object"},
        "warnings": {
            "type": "array",
            "items": {"type": "string"},
            "description": "What the page should hear of this list, such as item ids that the catalogue does not have.",
        },
        "layout": {
            "enum": ["grid", "carousel"],
            "description": "How the widget lays the cards out where the page does not say; absent: a grid.",
        },
    },
}
LIST_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Stands where a list would be that the site does not have, that was asked for wrongly or cost too "
    "much.",
    "required": ["placement", "items", "error", "message", "field"],
    "properties": {
        "placement": {"type": "string"},
        "items": {"type": "array", "maxItems": 0},
        "error": {"enum": [ErrorCode.UNKNOWN_PLACEMENT, ErrorCode.INVALID_REQUEST, ErrorCode.LIST_TOO_EXPENSIVE]},
        "message": {"type": "string"},
        "field": {"type": "string", "description": "What is wrong in the query of this list."},
    },
}
REPLY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["results", "live_url"],
    "properties": {
        "results": {
            "type": "array",
            "description": "In the order of the request.",
            "items": {
                "anyOf": [{"$ref": REF.format(name="RecommendedList")}, {"$ref": REF.format(name="ListProblem")}]
            },
        },
        "live_url": {"type": "string"},
        "warnings": {"type": "array", "items": {"type": "string"}},
    },
}


_PROBLEMS: Final[dict[str, str]] = {
    "400": "A field is wrong",
    "401": "The key is missing or unknown",
    "403": "The key may not be used for this, or not from here",
    "404": "There is no such thing on this site",
    "405": "The method is not answered here",
    "408": "The body did not arrive in time",
    "413": "The body is too large",
    "415": "The content type is not read",
    "429": "A quota is used up; Retry-After says for how long",
    "500": "Our fault; it is logged",
    "503": "Starting, or a store is unavailable; try again in a moment",
}


def with_hot_paths(document: Any) -> Any:
    """Add the operations that ASGI answers beside Django to the document, and every error's shape; return it."""
    _, schemas = msgspec.json.schema_components([RecommendRequest, RankRequest], ref_template=REF)
    components = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["RecommendRequest"]["oneOf"] = [{"required": ["placements"]}, {"required": ["placement"]}]
    components |= schemas
    components |= {
        "RecommendedItem": ITEM,
        "RecommendedList": LIST,
        "ListProblem": LIST_PROBLEM,
        "Recommendations": REPLY,
        "ItemFields": ITEM_IN,
        "Problem": _problem(),
        **_event_schemas(),
    }
    components["ItemsIn"]["properties"]["items"]["items"] = {"$ref": REF.format(name="ItemFields")}
    document["paths"] |= {
        "/v1/events": {"post": _collecting()},
        "/v1/recommendations": {
            "post": _operation("recommend", "Personal lists for the placements of a page", body="RecommendRequest")
        },
        "/v1/recommendations/{placement}": {
            "get": {
                **_operation("recommendPublic", "A list for everybody, made to be cached"),
                "parameters": [
                    _parameter(
                        "placement",
                        where="path",
                        required=True,
                        schema={"type": "string", "minLength": 1, "pattern": "^[-a-zA-Z0-9_]+$"},
                    ),
                    _parameter("key", description="A publishable key."),
                    _parameter("context_items", description="Ids, separated by commas."),
                    _parameter("limit", schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}),
                    _parameter("filter"),
                    _parameter("fields", description=f"Some of {', '.join(ALL_FIELDS)}, separated by commas."),
                    _parameter("lang"),
                ],
            }
        },
        "/v1/rank": {"post": _operation("rank", "Given items in the shopper's order", body="RankRequest")},
    }
    document["paths"]["/v1/recommendations/{placement}"]["get"]["responses"]["304"] = {"description": "Not modified"}
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"] = {str(status): answer for status, answer in operation["responses"].items()}
            for status, words in _PROBLEMS.items():
                operation["responses"].setdefault(status, _answer(words, "Problem"))
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]["application/json"]
                content["example"] = EXAMPLES[operation["operationId"]]
    return document


def _event_schemas() -> dict[str, Any]:
    """Return the contract of events with its references as OpenAPI writes them."""
    text = json.dumps(json_schema()["$defs"]).replace('"#/$defs/', '"#/components/schemas/')
    schemas: dict[str, Any] = json.loads(text)
    request: dict[str, Any] = json.loads(json.dumps(schemas["RawEnvelope"]))
    request["properties"]["v"] = {"type": "string", "pattern": rf"^{SCHEMA_MAJOR}\.\d{{1,4}}$"}
    for name, maximum in (("events", MAX_EVENTS_SERVER), ("records", MAX_EVENTS_SERVER)):
        request["properties"][name] |= {"minItems": 1, "maxItems": maximum}
    request["anyOf"] = [{"required": ["events"]}, {"required": ["records"]}]
    answers = msgspec.json.schema_components([CollectAnswer], ref_template=REF)[1]
    return schemas | {
        "EventsRequest": request,
        "CollectAnswer": answers["Answer"],
        "RejectedEvent": answers["RejectedEvent"],
        "Mend": answers["Mend"],
    }


def _collecting() -> dict[str, Any]:
    return {
        "operationId": "sendEvents",
        "summary": "Send events; 202 means that they are durable",
        "tags": ["events"],
        "security": _KEYS,
        "parameters": [
            _parameter(
                "strict",
                description="1 refuses what is not the contract's to the letter; without it, such values are mended.",
                schema={"enum": ["0", "1"]},
            )
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": REF.format(name="EventsRequest")}}},
        },
        "responses": {"202": _answer("Good events are kept, bad ones are named", "CollectAnswer")},
    }


def _operation(name: str, summary: str, *, body: str | None = None) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "tags": ["recommendations"],
        "security": _KEYS,
        "responses": {
            "200": _answer(
                "Lists; always 200 with the reason where a list is not what the placement asks for", "Recommendations"
            )
        },
    }
    if body is not None:
        schema = {"$ref": REF.format(name=body)}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _answer(description: str, schema: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": REF.format(name=schema)}}},
    }


def _parameter(
    name: str, *, where: str = "query", required: bool = False, description: str = "", schema: Any = None
) -> dict[str, Any]:
    return {
        "name": name, "in": where, "required": required, "description": description,
        "schema": schema or {"type": "string"},
    }  # fmt: skip


def _problem() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["error", "message", "field"],
        "properties": {
            "error": {
                "type": "string",
                "description": f"Codes may be added: treat an unknown one by its status.\n\n{table()}",
                "x-extensible-enum": list(ErrorCode),
            },
            "message": _TEXT,
            "field": _TEXT,
        },
    }
