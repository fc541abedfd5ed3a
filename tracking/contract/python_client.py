"""The part of the event contract that the Python client checks events by, as source: it imports nothing of the server.

What is copied is found by following names: whatever the roots below stand on, and nothing else.
"""

from __future__ import annotations

import ast
import re
from typing import Final

ROOTS: Final = (
    "SCHEMA_VERSION",
    "MAX_EVENT_BYTES",
    "MAX_EVENTS_SERVER",
    "MAX_SERVER_BODY_BYTES",
    "Identifier",
    "AnonymousIdentifier",
    "Event",
    "KNOWN_EVENTS",
    "CustomEvent",
)
_HEADER: Final = '''"""The event contract of the server, as far as a client needs it.

Generated from tracking/contract/events.py by `python manage.py schema`; do not edit.
"""
'''
_REFUSALS_HEADER: Final = '''"""Why a value breaks the contract, in words: where it is, what it is and what to send.

Generated from tracking/contract/refusals.py by `python manage.py schema`; do not edit.
"""
'''


def client_contract(source: str) -> str:
    """Return the client's module: the declarations of ``source`` (``events.py``) that ``ROOTS`` need, in its order."""
    source = _without_class_variables(source)
    tree = ast.parse(source)
    declared = {name: node for node in tree.body if (name := _declares(node)) is not None}
    needed: set[str] = set()
    waiting = list(ROOTS)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += _names(declared[name]) & declared.keys()
    kept = [node for name, node in declared.items() if name in needed]
    used = set().union(*(_names(node) for node in kept))
    parts = [_HEADER, *_imports(tree, used)]
    lines = source.splitlines()
    for before, node in zip([None, *kept], kept, strict=False):
        if before is None or isinstance(node, ast.ClassDef) or isinstance(before, ast.ClassDef):
            parts.append("\n" if before is None else "\n\n")
        parts.append("\n".join(lines[node.lineno - 1 : node.end_lineno]) + "\n")
    return "".join(parts)


def client_refusals(source: str) -> str:
    """Return the client's module that words refusals: ``source`` (``refusals.py``) but for its first lines."""
    _, _, code = source.partition('\n"""\n')
    return f"{_REFUSALS_HEADER}{code}"


def _without_class_variables(source: str) -> str:
    """Return the source without what becomes of a kind inside the server, which is none of the client's concern."""
    return re.sub(r"(?m)^(?:    #.*\n)*(?:    \w+: ClassVar\[.*\n)+\n", "", source)


def _declares(node: ast.stmt) -> str | None:
    """Return the name that a top-level statement of the contract declares."""
    match node:
        case ast.ClassDef(name=name):
            return name
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case _:
            return None


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _imports(tree: ast.Module, used: set[str]) -> list[str]:
    """Return the imports of the contract, without the names that the copy does not use."""
    parts: list[str] = []
    group = ""
    for node in tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias for alias in node.names if (alias.asname or alias.name) in used]
        module = node.module if isinstance(node, ast.ImportFrom) else ""
        if module == "__future__":
            names = list(node.names)
        if not names:
            continue
        root = (module or names[0].name).partition(".")[0]
        if root != group:
            parts.append("\n")
        group = root
        node.names = names
        parts.append(ast.unparse(node) + "\n")
    return parts
