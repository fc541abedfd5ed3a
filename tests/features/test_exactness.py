"""From the stream to the store everything has a type of its own: no bare dictionaries of anything between modules."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EDGES = {"inspect_stream"}  # what Celery's remote control sends as JSON
MODULES = sorted(path for folder in ("state", "store", "stream") for path in (ROOT / "features" / folder).glob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_signature_takes_or_gives_a_dict_of_anything(path: Path) -> None:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name not in EDGES:
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            hints = [ast.unparse(one.annotation) for one in arguments if one.annotation is not None]
            hints += [ast.unparse(node.returns)] if node.returns is not None else []
            found += [f"{node.name}: {hint}" for hint in hints if "[str, Any]" in hint or hint == "dict"]

    assert not found
