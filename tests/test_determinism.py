"""No test waits "long enough": sleeps stand in ``tests/services/waiting.py``, or say whose slowness they imitate."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WAITING = ROOT / "tests/services/waiting.py"
SAYS_WHY = re.compile(r"(#|//) sleep: \w.{4,}")
REMEDY = "wait for what must happen (tests/services/waiting.py), or say what it imitates: # sleep: a slow upstream"
IN_A_BROWSER = re.compile(r"waitForTimeout\(|\bsetTimeout\(\w*resolve|\bsleep\(")


def python_sleeps(source: str) -> Iterator[int]:
    """Yield the lines that sleep for longer than one turn of the event loop."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        is_turn = bool(node.args) and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
        if name == "sleep" and not is_turn:
            yield node.end_lineno or node.lineno


def unexplained(path: Path) -> list[str]:
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    if path.suffix == ".py":
        found = list(python_sleeps(source))
    else:
        found = [number for number, line in enumerate(lines, 1) if IN_A_BROWSER.search(line)]
    return [
        f"{path.relative_to(ROOT)}:{number}"
        for number in found
        if not any(SAYS_WHY.search(line) for line in lines[max(0, number - 2) : number])  # at its end, or above it
    ]


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["tests/**/*.py", "tests/**/*.mjs", "sdk/tests/**/*.mjs"])
def test_no_test_sleeps_as_synchronisation(pattern: str) -> None:
    paths = [path for path in ROOT.glob(pattern) if path != WAITING]
    assert paths
    found = [line for path in paths for line in unexplained(path)]
    assert not found, f"{REMEDY}\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("import time\ntime.sleep(0.1)\n", 1),
        ("from time import sleep\nsleep(1)\n", 1),
        ("async def wait():\n    await asyncio.sleep(x)\n", 1),
        ("async def wait():\n    await asyncio.sleep(0)\n", 0),
        ("code = 'time.sleep(60)'\n", 0),
    ],
)
def test_the_check_sees_sleeps(source: str, count: int) -> None:
    assert len(list(python_sleeps(source))) == count
