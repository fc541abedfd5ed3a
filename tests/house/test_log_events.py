"""Logging has one form: ``logger.warning("area.event key=%s", value)``, with one name for the logger of a module.

The event's name is what an operator searches for and what documents say, so it stands first and never holds a value.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("tracking", "features", "recommendations", "recsite")
PASSES_ON = "announce_once"
"""Logs a message that it is given, second; so its callers are looked at in its place."""
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
#: Area and event, then keys with their values, then perhaps a sentence. ``%s`` is for the parts of one process that
#: share their code: ``stream.stopped``, ``archive.stopped``.
FORM = re.compile(r"^([a-z_]+|%s)(\.[a-z_]+)+( [a-z_0-9]+=(%[-.\d]*[a-z](-%s)?|[a-z_]+))*(: [^\n]+)?$")


def problems(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and reason of each place that logs in another form."""
    tree = ast.parse(source)
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == PASSES_ON)
    passed_on = {id(inner) for function in functions for inner in ast.walk(function)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or id(node) in passed_on:
            continue
        called = ast.unparse(node.func)
        if called.endswith("getLogger") and [ast.unparse(one) for one in node.args] == ["__name__"]:
            if not any(
                isinstance(one, ast.Assign) and ast.unparse(one) == "logger = logging.getLogger(__name__)"
                for one in tree.body
            ):
                yield node.lineno, "a module's logger is `logger = logging.getLogger(__name__)`, at its top"
        elif called.rpartition(".")[0] == "logging" and called.rpartition(".")[2] in LEVELS:
            yield node.lineno, "log with the module's logger, not with the root's"
        elif called == PASSES_ON or (called.startswith("logger.") and called.removeprefix("logger.") in LEVELS):
            message = node.args[1 if called == PASSES_ON else 0]
            if not isinstance(message, ast.Constant) or not isinstance(message.value, str):
                yield node.lineno, "the message is a plain string; values follow as arguments"
            elif not FORM.match(message.value):
                yield node.lineno, f"{message.value!r} is not of the form 'area.event key=%s: sentence'"


@pytest.mark.parametrize(
    "line",
    [
        'logger.info(f"spool.begun reason={reason}")',
        'logger.info("Spool begun: %s", reason)',
        'logger.info("spool.begun %s", reason)',
        'logger.info("spool.Begun reason=%s", reason)',
        'logging.warning("spool.begun")',
        'announce_once("key", "A message.")',
        "log = logging.getLogger(__name__)",
        "def f():\n    logging.getLogger(__name__).info('spool.begun')",
    ],
)
def test_the_rule_finds_each_other_form(line: str) -> None:
    assert len(list(problems(line))) == 1


@pytest.mark.parametrize(
    "line",
    [
        'logger.info("spool.drained")',
        'logger.warning("log.gone topic=%s kept=%s-%s: reading from the beginning", topic, first, last)',
        'logger.info("tasks.segments site=%s seconds=%.2f", site, seconds)',
        "logger = logging.getLogger(__name__)",
        'logging.getLogger("py4j").setLevel(logging.WARNING)',
        'announce_once("provider", "inference.provider provider=%s", provider)',
    ],
)
def test_the_rule_lets_the_form_through(line: str) -> None:
    assert list(problems(line)) == []


@pytest.mark.slow
def test_every_module_logs_in_the_one_form() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {reason}"
        for app in APPS
        for path in sorted((ROOT / app).rglob("*.py"))
        for line, reason in problems(path.read_text())
    ]

    assert not found, "\n".join(found)
