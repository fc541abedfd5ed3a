"""JSON Schema and TypeScript of the event contract, both from ``tracking.contract.events``; what a change of it means.

A committed schema is compared with the one in the code: an added field needs a higher minor version, a changed or
removed one a higher major version. Descriptions may change freely.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from tracking.contract.events import (
    KNOWN_EVENTS,
    SCHEMA_MAJOR,
    SCHEMA_VERSION,
    CustomEvent,
    EventRecord,
    RawEnvelope,
    RawGroup,
)
from tracking.contract.mending import names
from tracking.contract.mending.event import Mend
from tracking.contract.mending.values import Done

JsonSchema = dict[str, Any]
VERSION_FIELD: Final = "x-schema-version"
MENDED_FIELD: Final = "x-mended"
_REF: Final = "#/$defs/{name}"
_KINDS_HEAD: Final = "| event | means | needs |"
_TS_HEADER: Final = """// Generated from tracking/contract/events.py by `python manage.py schema`; do not edit.
"""


def json_schema() -> JsonSchema:
    """Return the schema of the envelope that ``POST /v1/events`` takes, with all events among its definitions."""
    kinds: list[Any] = [*KNOWN_EVENTS.values(), CustomEvent, RawGroup, RawEnvelope, EventRecord]
    _, definitions = msgspec.json.schema_components(kinds, ref_template=_REF)
    events = {"type": "array", "items": {"$ref": _REF.format(name="AnyEvent")}}
    for name in ("RawEnvelope", "RawGroup"):
        definitions[name]["properties"]["events"] = events
    definitions["AnyEvent"] = {
        "description": "An event by its GA4 name, or one of the shop's own.",
        "anyOf": [{"$ref": _REF.format(name=kind.__name__)} for kind in kinds[: len(KNOWN_EVENTS) + 1]],
    }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Recsite events, version {SCHEMA_MAJOR}",
        "description": "What POST /v1/events?strict=1 takes. Without strict, what is not quite this is mended where it "
        "has one reading, and each mend is answered: see x-mended, and docs/events.md for the rules.",
        VERSION_FIELD: SCHEMA_VERSION,
        MENDED_FIELD: _mended(),
        "$ref": _REF.format(name="RawEnvelope"),
        "$defs": dict(sorted(definitions.items())),
    }
    plain: JsonSchema = json.loads(json.dumps(schema))  # tuples as lists, as they are once committed
    return plain


def _mended() -> JsonSchema:
    """Return what mending goes by: the names that stand for those of the contract, and how a mend is answered."""
    (mend,), definitions = msgspec.json.schema_components([Mend], ref_template=_REF)
    return {
        "event_names": {
            **names.SYNONYMS,
            **{f"ecommerce.{action}": name for action, name in names.UNIVERSAL_ACTIONS.items()},
        },
        "param_names": dict(names.PARAMS_FIELDS),
        "param_names_of_orders": dict(names.ONLY_OF_ORDERS),
        "item_names": dict(names.ITEM_FIELDS),
        "done": [str(done) for done in Done],
        "answered_in_warnings": definitions[str(mend["$ref"]).rpartition("/")[2]],
    }


def as_text(schema: JsonSchema) -> str:
    """Return the schema as it is committed."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def complaint(old: JsonSchema, new: JsonSchema) -> str | None:
    """Return why ``new`` must not follow ``old``, or ``None`` when its version says what changed."""
    old_version, new_version = (_version(schema) for schema in (old, new))
    changes = breaking_changes(old, new)
    if changes and new_version[0] <= old_version[0]:
        return f"{changes[0]}: this breaks readers, so raise the major of SCHEMA_VERSION in tracking/contract/events.py"
    has_grown = _bare(old["$defs"], old[VERSION_FIELD]) != _bare(new["$defs"], new[VERSION_FIELD])
    if has_grown and new_version <= old_version:
        return "the contract grew: raise the minor of SCHEMA_VERSION in tracking/contract/events.py"
    if new_version < old_version:
        return f"SCHEMA_VERSION went back from {old[VERSION_FIELD]} to {new[VERSION_FIELD]}"
    return None


def breaking_changes(old: JsonSchema, new: JsonSchema) -> list[str]:
    """Return what readers and senders of ``old`` would stumble over, such as a removed field."""
    found = []
    for name, before in old["$defs"].items():
        after = new["$defs"].get(name)
        if after is None:
            found.append(f"{name} was removed")
            continue
        for field, kind in before.get("properties", {}).items():
            if field not in after.get("properties", {}):
                found.append(f"{name}.{field} was removed")
            elif _bare(after["properties"][field], new[VERSION_FIELD]) != _bare(kind, old[VERSION_FIELD]):
                found.append(f"{name}.{field} changed")
        found += [
            f"{name}.{field} became required"
            for field in sorted(set(after.get("required", [])) - set(before.get("required", [])))
        ]
    return found


def typescript(schema: JsonSchema) -> str:
    """Return the contract as TypeScript: one interface an event, for the SDK and for shops."""
    definitions: JsonSchema = schema["$defs"]
    parts = [_TS_HEADER, f"export declare const SCHEMA_VERSION: {json.dumps(schema[VERSION_FIELD])};\n"]
    for name, definition in definitions.items():
        if description := definition.get("description"):
            parts.append(f"/** {description.splitlines()[0]} */\n")
        if "properties" in definition:
            required = set(definition.get("required", ()))
            lines = [
                f"  {field}{'' if field in required else '?'}: {typescript_type(kind)};\n"
                for field, kind in definition["properties"].items()
            ]
            parts.append(f"export interface {name} {{\n{''.join(lines)}}}\n")
        else:
            parts.append(f"export type {name} = {typescript_type(definition)};\n")
    known = "".join(f"  {tag}: {kind.__name__}['params'];\n" for tag, kind in sorted(KNOWN_EVENTS.items()))
    parts.append("/** What `rec('track', name, params)` takes, by name. */\n")
    parts.append(f"export interface EventParams {{\n{known}}}\n")
    return "\n".join(part.rstrip("\n") for part in parts).replace(" */\n\n", " */\n") + "\n"


def kinds_table() -> str:
    """Return the kinds of events as the rows of a Markdown table, for ``docs/events.md``."""
    rows = [_KINDS_HEAD, "|---|---|---|"]
    for name, kind in KNOWN_EVENTS.items():
        params = next(field.type for field in msgspec.structs.fields(kind) if field.name == "params")
        needed = ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(params) if field.required)
        rows.append(f"| `{name}` | {(kind.__doc__ or '').strip()} | {needed or 'nothing'} |")
    return "\n".join(rows)


def with_kinds(page: str) -> str:
    """Return a Markdown page whose table of kinds is that of the contract; raises ``ValueError`` where it has none."""
    start = page.index(_KINDS_HEAD)
    end = page.index("\n\n", start)
    return page[:start] + kinds_table() + page[end:]


def typescript_type(kind: JsonSchema) -> str:
    """Return the TypeScript type of a JSON schema; a reference becomes the name of what it refers to."""
    if "$ref" in kind:
        return str(kind["$ref"]).rpartition("/")[2]
    if "allOf" in kind:
        return " & ".join(typescript_type(one) for one in kind["allOf"])
    if "anyOf" in kind:
        return " | ".join(typescript_type(one) for one in kind["anyOf"])
    if "enum" in kind:
        return " | ".join(json.dumps(value) for value in kind["enum"])
    if "const" in kind:
        return json.dumps(kind["const"])
    match kind.get("type"):
        case list() as several:
            return " | ".join(typescript_type({**kind, "type": one}) for one in several)
        case "array":
            item = typescript_type(kind.get("items", {}))
            return f"({item})[]" if "|" in item else f"{item}[]"
        case "object":
            more = kind.get("additionalProperties")
            return f"Record<string, {typescript_type(more) if isinstance(more, dict) else 'unknown'}>"
        case "integer" | "number":
            return "number"
        case "string":
            return "string"
        case "boolean":
            return "boolean"
        case "null":
            return "null"
        case _:
            return "unknown"


def _bare(value: Any, version: str) -> Any:
    """Return the schema without its descriptions, which say nothing to programs, and without its own version."""
    if isinstance(value, dict):
        return {
            name: _bare(inner, version)
            for name, inner in value.items()
            if name not in ("description", "title") and (name, inner) != ("default", version)
        }
    if isinstance(value, list):
        return [_bare(inner, version) for inner in value]
    return value


def _version(schema: JsonSchema) -> tuple[int, int]:
    major, _, minor = str(schema[VERSION_FIELD]).partition(".")
    return int(major), int(minor)
