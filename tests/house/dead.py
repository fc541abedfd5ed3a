"""Functions, methods, classes and constants that no code of the product uses, however many tests do.

vulture finds them in the applications, the clients and the benchmarks. What a framework calls by its name is told apart
in three ways: by the decorator that registers it, by a string or a template that names it, and by the list in
``dead.toml``, which gives a reason for each.
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Final

from vulture import Vulture  # type: ignore[import-untyped]

from tests.house.common import APPS, ROOT, Finding, python_files, read, tree

LIST: Final = Path(__file__).with_name("dead.toml")
KINDS: Final = ("function", "method", "class", "property")
CONSTANT: Final = re.compile(r"_?[A-Z][A-Z0-9_]+$")

_TEMPLATE_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What is left alone: a name, or a pattern of names, in some files."""

    name: str
    path: str
    reason: str


@cache
def kept() -> tuple[tuple[Kept, ...], tuple[str, ...]]:
    """Return what is left alone, and the decorators that register what they stand on."""
    listed = tomllib.loads(LIST.read_text(encoding="utf-8"))
    names = tuple(
        Kept(name=one["name"], path=one.get("path", "*"), reason=one["reason"]) for one in listed.get("keep", ())
    )
    return names, tuple(listed["decorators"]["register"])


def check() -> list[Finding]:
    """Return names that nothing but a test uses."""
    listed, decorators = kept()
    scanner = Vulture(ignore_decorators=list(decorators))
    sources = [name for name in python_files(*APPS, "clients", "benchmarks") if "/tests/" not in name] + ["manage.py"]
    scanner.scavenge([str(ROOT / name) for name in sources])
    named = _named_in_text(sources)
    found: list[Finding] = []
    for item in scanner.get_unused_code(min_confidence=60):
        path = Path(item.filename).relative_to(ROOT).as_posix()
        is_constant = item.typ == "variable" and CONSTANT.match(item.name) and _is_global(path, item.name)
        if not (is_constant or item.typ in KINDS) or item.name in named:
            continue
        if not any(fnmatchcase(item.name, one.name) and fnmatchcase(path, one.path) for one in listed):
            found.append(Finding(path=path, line=item.first_lineno, what=f"{item.typ} {item.name} is used by nothing"))
    return sorted(found)


def _named_in_text(sources: list[str]) -> set[str]:
    """Return the names that templates and strings of the code speak: ``"recsite.server.logs.HidePersonal"``."""
    named: set[str] = set()
    for name in tree():
        if name.endswith(".html"):
            named.update(part for tag in _TEMPLATE_TAG.findall(read(name)) for part in _NAME.findall(tag))
    for name in sources:
        for node in ast.walk(ast.parse(read(name))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                last = re.split(r"[.:]", node.value)[-1]
                if last.isidentifier() and "__all__" not in node.value:
                    named.add(last)
    return named


@cache
def _globals(path: str) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.parse(read(path)).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names.update(target.id for target in targets if isinstance(target, ast.Name))
    return frozenset(names)


def _is_global(path: str, name: str) -> bool:
    return name in _globals(path)
