"""Why a value breaks the contract, in words: where it is, what it is and what to send.

Generated from tracking/contract/refusals.py by `python manage.py schema`; do not edit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import inspect

MAX_SHOWN: Final = 80
"""Characters of a value that a message shows."""

_SAID: Final = re.compile(r"^(?P<reason>.*?)(?: - at `\$?\.?(?P<path>.*)`)?$", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `(\w+)`")
_FOREIGN: Final = re.compile(r"contains unknown field `([^`]*)`")
_STEP: Final = re.compile(r"[^.\[\]]+")
_EACH: Final = "..."
"""How msgspec names any value of an object whose names are free."""
_ABSENT: Final = object()


class Fault(NamedTuple):
    """What is wrong with a value; ``path`` is empty for the whole."""

    path: str
    reason: str


def explained(error: Exception | str, kind: Any, value: object) -> Fault:
    """Return what msgspec's ``error`` means for who sent ``value``.

    Parameters
    ----------
    error : ValidationError or its text
    kind : type
        What the value was read as; its bounds and words are the remedy.
    value : object
        As JSON gave it, or its bytes.
    """
    match = _SAID.match(str(error))
    reason, path = (match["reason"], match["path"] or "") if match else (str(error), "")
    if foreign := _FOREIGN.search(reason):
        path = f"{path}.{foreign[1]}".lstrip(".")
        return Fault(path, "is not a field of this request; remove it or correct its name")
    sent = _read(value)
    if missing := _MISSING.search(reason):
        path = f"{path}.{missing[1]}".lstrip(".")
        return Fault(path, f"is required; send {_words(_node_at(kind, sent, path))}")
    node, found = _node_at(kind, sent, path), _value_at(sent, path)
    is_enum = reason.startswith("Invalid enum value")
    said = f"Invalid enum value {shown(found)}" if is_enum and found is not _ABSENT else reason
    if found is not _ABSENT and found is not None and not is_enum:
        said += f" {shown(found)}" if ", got " in said else f", got {shown(found)}"
    is_optional = isinstance(node, inspect.UnionType) and node.includes_none
    return Fault(path, f"{said}; send {_words(node)}{', or leave it out' if is_optional else ''}")


def shown(value: object) -> str:
    """Return a value as JSON spells it, at most ``MAX_SHOWN`` characters."""
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _read(value: object) -> object:
    if not isinstance(value, bytes | bytearray | memoryview | str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _ABSENT


def _steps(path: str) -> list[str]:
    return _STEP.findall(path.replace(f"[{_EACH}]", "[*]"))


def _value_at(sent: object, path: str) -> object:
    for step in _steps(path):
        if isinstance(sent, Mapping) and step in sent:
            sent = sent[step]
        elif isinstance(sent, list) and step.isdecimal() and int(step) < len(sent):
            sent = sent[int(step)]
        elif step != "*":  # of a value of free names the whole object is shown
            return _ABSENT
    return sent


@lru_cache(maxsize=64)
def _type_info(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _node_at(kind: Any, sent: object, path: str) -> inspect.Type:
    """Return the type of what stands at a path; of several possible ones, by the tag of what was sent."""
    nodes = [_type_info(kind)]
    for step in _steps(path):
        following = [inner for node in nodes for inner in _inside(node, sent, step)]
        sent = _value_at(sent, step)
        if not following:
            return inspect.AnyType()
        nodes = following
    return nodes[0] if len(nodes) == 1 else inspect.UnionType(tuple(nodes))


def _inside(node: inspect.Type, sent: object, step: str) -> Iterator[inspect.Type]:
    if isinstance(node, inspect.Metadata):
        yield from _inside(node.type, sent, step)
    elif isinstance(node, inspect.UnionType):
        named = [one for one in node.types if _is_tagged(one, sent)]
        for one in named or node.types:
            yield from _inside(one, sent, step)
    elif isinstance(node, inspect.StructType):
        if step == node.tag_field:
            yield inspect.LiteralType((node.tag,))
        yield from (field.type for field in node.fields if field.encode_name == step)
    elif isinstance(node, inspect.VarTupleType | inspect.ListType):
        yield node.item_type
    elif isinstance(node, inspect.DictType):
        yield node.value_type


def _is_tagged(node: inspect.Type, sent: object) -> bool:
    if not isinstance(node, inspect.StructType) or node.tag_field is None or not isinstance(sent, Mapping):
        return False
    return bool(sent.get(node.tag_field) == node.tag)


def _words(node: inspect.Type) -> str:
    """Return what may stand where ``node`` does."""
    match node:
        case inspect.Metadata():
            return _words(node.type)
        case inspect.UnionType():
            words = dict.fromkeys(_words(one) for one in node.types if not isinstance(one, inspect.NoneType))
            return " or ".join(words)
        case inspect.LiteralType():
            values = ", ".join(f'"{value}"' for value in node.values)
            return values if len(node.values) == 1 else f"one of {values}"
        case inspect.EnumType():
            return "one of " + ", ".join(f'"{one.value}"' for one in node.cls)
        case inspect.StrType():
            pattern = f" that matches {node.pattern}" if node.pattern else ""
            return f"a text{_length(node.min_length, node.max_length, 'characters')}{pattern}"
        case inspect.IntType():
            return f"a whole number{_bounds(node)}"
        case inspect.FloatType():
            return f"a number{_bounds(node)}"
        case inspect.BoolType():
            return "true or false"
        case inspect.ListType() | inspect.VarTupleType():
            return f"a list{_length(node.min_length, node.max_length, 'entries')}"
        case inspect.NoneType():
            return "null"
        case inspect.AnyType() | inspect.RawType():
            return "what the documentation of the field says"
        case _:
            return "an object"


def _bounds(node: inspect.IntType | inspect.FloatType) -> str:
    least = node.ge if node.ge is not None else node.gt
    most = node.le if node.le is not None else node.lt
    if least is not None and most is not None:
        return f" from {least:.15g} to {most:.15g}"
    return f" of at least {least:.15g}" if least is not None else f" of at most {most:.15g}" if most is not None else ""


def _length(least: int | None, most: int | None, unit: str) -> str:
    if least and most:
        return f" of {least} to {most} {unit}"
    return f" of at least {least} {unit}" if least else f" of at most {most} {unit}" if most else ""
