"""The examples of docs/extending.md work: each is applied to a copy of the tree and used there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/extending.md").read_text()
COPIED = ("recsite", "tracking", "features", "recommendations", "tests")
MAX_FILES = 3

pytestmark = pytest.mark.slow  # a copy of the tree, and a process for each example


@dataclass(frozen=True)
class Block:
    """Lines of an example: where they go, or what uses them."""

    path: str
    where: str
    anchor: str
    code: str


def sections() -> dict[str, list[Block]]:
    found: dict[str, list[Block]] = {}
    for title, text in re.findall(r"^## (.+)\n((?:(?!^## ).*\n?)*)", PAGE, re.MULTILINE):
        blocks = re.findall(r"^```python\n# (.+)\n((?:.*\n)*?)```$", text, re.MULTILINE)
        found[title] = [block_of(first, code) for first, code in blocks]
    return found


def block_of(first: str, code: str) -> Block:
    match = re.fullmatch(r"(\S+?)(?:, (before|after|replace) \"(.+)\")?", first)
    assert match is not None, first
    return Block(match[1], match[2] or "", (match[3] or "").replace("\\n", "\n"), code)


def apply(block: Block, tree: Path) -> None:
    path = tree / block.path
    if not block.where:
        assert not path.exists(), f"{block.path} is there already"
        path.write_text(block.code)
        return
    text = path.read_text()
    assert text.count(block.anchor) == 1, (
        f"{block.path} has {block.anchor!r} {text.count(block.anchor)} times, not once"
    )
    start = text.index(block.anchor)
    if block.where == "replace":
        path.write_text(text.replace(block.anchor, block.code.rstrip("\n")))
        return
    at = text.rindex("\n", 0, start) + 1 if block.where == "before" else text.index("\n", start) + 1
    path.write_text(text[:at] + block.code + text[at:])


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the tree with every example in it."""
    tree = tmp_path_factory.mktemp("extended")
    for name in COPIED:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "static", "drawings"))
    for blocks in sections().values():
        for block in blocks:
            if block.path != "use":
                apply(block, tree)
    return tree


@pytest.mark.parametrize("title", sections())
def test_an_example_works_once_it_is_declared(title: str, extended: Path) -> None:
    (use,) = [block.code for block in sections()[title] if block.path == "use"]
    ended = subprocess.run(
        [sys.executable, "-c", use],
        cwd=extended, capture_output=True, text=True, check=False, timeout=120,
        env=os.environ | {"PYTHONPATH": str(extended), "DJANGO_SETTINGS_MODULE": "recsite.settings"},
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("title", sections())
def test_an_example_edits_at_most_three_files(title: str) -> None:
    assert 1 <= len({block.path for block in sections()[title]} - {"use"}) <= MAX_FILES


def test_the_examples_are_not_in_the_tree() -> None:
    for blocks in sections().values():
        for block in blocks:
            if block.path != "use" and not block.where:
                assert not (ROOT / block.path).exists(), f"{block.path} is an example; take it out of the tree"
