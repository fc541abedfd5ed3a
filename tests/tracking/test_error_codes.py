"""Every error code is declared once, answered somewhere with a status it names, and documented."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from recommendations.http.rest import api
from tracking.error_codes import ErrorCode, table

ROOT = Path(__file__).resolve().parents[2]
APPS = ("tracking", "features", "recommendations", "recsite")
DECLARATION = ROOT / "tracking/error_codes.py"
#: Codes of version 0.1 that said the same as another one.
GONE = ("invalid_query", "redis_away", "unknown_file", "invalid_idempotency_key")
#: Functions that make an answer: where the status stands among their arguments, and where the code.
MAKERS = {"Refusal": (0, 1), "problem": (1, 2)}


@cache
def trees() -> dict[Path, ast.Module]:
    return {
        path: ast.parse(path.read_text())
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        if path != DECLARATION and "migrations" not in path.parts
    }


def member(node: ast.expr) -> ErrorCode | None:
    is_member = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ErrorCode"
    return ErrorCode[node.attr] if is_member and isinstance(node, ast.Attribute) else None


def used() -> set[ErrorCode]:
    nodes = (node for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.expr))
    return {code for node in nodes if (code := member(node)) is not None}


def answers() -> Iterator[tuple[str, int, ErrorCode]]:
    """Yield where an answer is made with both a status and a code that stand there."""
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS):
                continue
            if len(node.args) <= MAKERS[node.func.id][1]:
                continue  # another function of this name
            status, code = (node.args[position] for position in MAKERS[node.func.id])
            found = member(code)
            assert found is not None or not isinstance(code, ast.Constant), f"{path}:{node.lineno} spells its code"
            if found is not None and isinstance(status, ast.Constant):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", int(str(status.value)), found


@pytest.mark.slow
def test_every_code_is_used() -> None:
    assert set(ErrorCode) - used() == set()


@pytest.mark.slow
def test_no_answer_has_a_status_that_its_code_does_not_name() -> None:
    found = list(answers())

    assert len(found) > 30
    assert [(where, status, code) for where, status, code in found if status not in code.statuses] == []


@pytest.mark.slow
def test_no_module_spells_a_code() -> None:
    """A code that is written as a text escapes the table; those of one word are words of other things, too."""
    codes = {str(code) for code in ErrorCode if "_" in code} | set(GONE)
    allowed = {
        ("tracking/http/request.py", "insufficient_scope"),  # the word of RFC 6750 in WWW-Authenticate
        ("tracking/dead_letters/parked.py", "future_schema"),  # the reason of a dead letter
    }
    spelled = {
        (str(path.relative_to(ROOT)), node.value)
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in codes
    }

    assert spelled - allowed == set()


def test_the_documents_hold_the_table() -> None:
    document = api.get_openapi_schema()["components"]["schemas"]["Problem"]["properties"]["error"]

    assert table() in (ROOT / "docs/api.md").read_text(), "put tracking.error_codes.table() there"
    assert table() in document["description"]
    assert list(document["x-extensible-enum"]) == [str(code) for code in ErrorCode]


def test_no_other_page_names_a_code_that_is_not_in_the_table() -> None:
    pages = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}

    assert {(name, code) for name, text in pages.items() for code in GONE if f"`{code}`" in text} == set()


def test_each_code_says_what_it_means() -> None:
    assert {code for code in ErrorCode if not code.meaning or not code.statuses} == set()
    assert all(400 <= status < 600 for code in ErrorCode for status in code.statuses)
