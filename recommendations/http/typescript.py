"""The API's document as TypeScript: what ``@recsite/js`` and ``@recsite/node`` take and return."""

from __future__ import annotations

import re
from typing import Any, Final

from tracking.contract.schema import JsonSchema, typescript_type

_HEADER: Final = "// Generated from the API's document by `python manage.py api_types`; do not edit.\n"


def api_types(document: JsonSchema, events: JsonSchema) -> str:
    """Return an interface for each object of the API, and ``Api`` with a method for each operation.

    ``events`` is the JSON schema of the event contract, whose types stand in ``events.d.ts``. A field that an answer
    may lack is optional, and one that may be null says so.
    """
    own = {name: each for name, each in document["components"]["schemas"].items() if name not in events["$defs"]}
    parts = [_interface(name, schema) for name, schema in sorted(own.items())]
    operations = [
        _method(method, path, operation)
        for path, methods in sorted(document["paths"].items())
        for method, operation in sorted(methods.items())
    ]
    parts.append(f"/** A method for each operation of the API. */\nexport interface Api {{\n{''.join(operations)}}}\n")
    text = "".join(parts)
    named = sorted(name for name in events["$defs"] if re.search(rf"\b{name}\b", text))
    return f"{_HEADER}import type {{ {', '.join(named)} }} from './events.js';\n\n{text}"


def _interface(name: str, schema: JsonSchema) -> str:
    said = f"/** {_comment(schema['description'])} */\n" if "description" in schema else ""
    if "properties" not in schema:
        return f"{said}export type {name} = {typescript_type(schema)};\n"
    required = set(schema.get("required", ()))
    return f"{said}export interface {name} {{\n{_fields(schema['properties'], required)}}}\n"


def _fields(properties: JsonSchema, required: set[str]) -> str:
    lines = []
    for field, kind in properties.items():
        if "description" in kind:
            lines.append(f"  /** {_comment(kind['description'])} */\n")
        lines.append(f"  {field}{'' if field in required else '?'}: {typescript_type(kind)};\n")
    return "".join(lines)


def _method(method: str, path: str, operation: JsonSchema) -> str:
    """Return one method: the names of the path first, then the query or the body."""
    taken = [f"{name}: string" for name in re.findall(r"{(\w+)}", path)]
    query = [one for one in operation.get("parameters", ()) if one["in"] == "query" and one["name"] != "key"]
    if "requestBody" in operation:
        taken.append(f"body: {_content(operation['requestBody'])}")
    elif query:
        fields = "; ".join(f"{one['name']}?: {typescript_type(one['schema'])}" for one in query)
        taken.append(f"query?: {{ {fields} }}")
    answer = next(each for status, each in operation["responses"].items() if str(status).startswith("2"))
    said = f"  /** `{method.upper()} {path}`: {_comment(operation['summary'])}. */\n" if "summary" in operation else ""
    return f"{said}  {operation['operationId']}({', '.join(taken)}): Promise<{_content(answer)}>;\n"


def _content(part: JsonSchema) -> str:
    content = part.get("content")
    return typescript_type(content["application/json"]["schema"]) if content else "undefined"


def _comment(text: Any) -> str:
    return " ".join(str(text).split()).replace("*/", "* /").rstrip(".")
