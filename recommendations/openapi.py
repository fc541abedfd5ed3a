"""The hot endpoints in the API's document: their schemas are generated from the very structs that parse requests."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from recommendations.payloads import ALL_FIELDS, MAX_LIMIT, RankRequest, RecommendRequest

REF: Final = "#/components/schemas/{name}"
_KEYS: Final[list[dict[str, list[str]]]] = [{"BearerKey": []}, {"HeaderKey": []}]

ITEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Prices are in the currency's main unit. Only the chosen fields, where fields were chosen.",
    "properties": {
        **{name: {"type": "string"} for name in ALL_FIELDS if name not in ("price", "sale_price")},
        "price": {"type": ["number", "null"]},
        "sale_price": {"type": ["number", "null"]},
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
        "stage": {"enum": ["personalised", "session", "popular", "editorial", "empty"]},
        "fallback_reason": {"type": ["string", "null"]},
        "model_version": {"type": ["string", "null"]},
        "variant": {"type": "string"},
        "feature_age_ms": {"type": ["integer", "null"]},
        "explanation": {"type": "object"},
    },
}
REPLY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["results", "live_url"],
    "properties": {
        "results": {"type": "array", "items": {"$ref": REF.format(name="RecommendedList")}},
        "live_url": {"type": "string"},
        "warnings": {"type": "array", "items": {"type": "string"}},
    },
}


def with_hot_paths(document: Any) -> Any:
    """Add the operations that ASGI answers beside Django to the document, and return it."""
    _, schemas = msgspec.json.schema_components([RecommendRequest, RankRequest], ref_template=REF)
    components = document.setdefault("components", {}).setdefault("schemas", {})
    components |= schemas
    components |= {"RecommendedItem": ITEM, "RecommendedList": LIST, "Recommendations": REPLY}
    components.setdefault("Problem", _problem())
    document["paths"] |= {
        "/v1/recommendations": {
            "post": _operation("recommend", "Personal lists for the placements of a page", body="RecommendRequest")
        },
        "/v1/recommendations/{placement}": {
            "get": {
                **_operation("recommendPublic", "A list for everybody, made to be cached"),
                "parameters": [
                    _parameter("placement", where="path", required=True),
                    _parameter("key", description="A publishable key."),
                    _parameter("context_items", description="Ids, separated by commas."),
                    _parameter("limit", schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}),
                    _parameter("filter"),
                    _parameter("fields", description="Names, separated by commas."),
                    _parameter("lang"),
                ],
            }
        },
        "/v1/rank": {"post": _operation("rank", "Given items in the shopper's order", body="RankRequest")},
    }
    document["paths"]["/v1/recommendations/{placement}"]["get"]["responses"]["304"] = {"description": "Not modified"}
    return document


def _operation(name: str, summary: str, *, body: str | None = None) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "tags": ["recommendations"],
        "security": _KEYS,
        "responses": {
            "200": _answer(
                "Lists; always 200 with the reason where a list is not what the placement asks for", "Recommendations"
            ),
            **{
                status: _answer(words, "Problem")
                for status, words in (
                    ("400", "A field is wrong"),
                    ("401", "The key is missing or unknown"),
                    ("403", "The key may not be used from here"),
                    ("404", "The placement is unknown"),
                    ("405", "The method is not answered here"),
                    ("408", "The body did not arrive in time"),
                    ("413", "The body is too large"),
                    ("415", "The content type is not read"),
                    ("429", "A quota is used up"),
                    ("503", "Starting; try again in a moment"),
                )
            },
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
        "properties": {name: {"type": "string"} for name in ("error", "message", "field")},
    }
