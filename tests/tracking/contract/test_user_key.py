"""User keys: made and cut in one module, and spelled nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.contract import user_key
from tracking.contract.user_key import (
    anonymous_id_of,
    key_of_anonymous,
    key_of_user,
    user_id_of,
    user_key_of,
)

ROOT = Path(__file__).parents[3]
APPS = ("tracking", "features", "recommendations", "recsite")
HOME = Path(user_key.__file__)
SPELLING = re.compile(r"^[ua]:|[\s/\"'(][ua]:\{?$")


@given(st.text(min_size=1))
def test_an_id_survives_its_key_whatever_it_contains(said: str) -> None:
    known, anonymous = key_of_user(said), key_of_anonymous(said)

    assert [user_id_of(known), anonymous_id_of(known)] == [said, None]
    assert [user_id_of(anonymous), anonymous_id_of(anonymous)] == [None, said]
    assert known != anonymous


def test_who_is_known_is_never_anonymous() -> None:
    assert user_key_of(user_id="42", anonymous_id="0f3c") == key_of_user("42") == "u:42"
    assert user_key_of(user_id=None, anonymous_id="0f3c") == key_of_anonymous("0f3c") == "a:0f3c"
    with pytest.raises(ValueError, match="user_id or an anonymous_id"):
        user_key_of(user_id="", anonymous_id=None)


def spellings(source: str) -> Iterator[int]:
    """Yield the lines on which a program makes or cuts a user key by itself; prose in docstrings does not count."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            if SPELLING.search(node.value):
                yield node.lineno
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            lower = node.slice.lower
            if isinstance(lower, ast.Constant) and lower.value == 2 and "key" in ast.unparse(node.value):
                yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_key = node.func.attr in ("partition", "split") and "key" in ast.unparse(node.func.value)
            separators = [one.value for one in node.args if isinstance(one, ast.Constant)]
            if is_key and separators == [":"]:  # ``split(":", 4)`` takes a Redis key apart
                yield node.lineno


@pytest.mark.parametrize(
    "source",
    [
        'key = f"u:{user_id}"',
        'key = "a:" + anonymous_id',
        'key.startswith("u:")',
        "found = [key[2:] for key in user_keys]",
        'kind, _, name = user_key.partition(":")',
        'name = f"{site}/u:{user_id}"',
        'pl.format("u:{}", "owner")',
    ],
)
def test_the_scan_finds_each_way_to_spell_or_cut_a_key(source: str) -> None:
    assert list(spellings(source)) == [1]


@pytest.mark.parametrize("source", ['"""``u:<user id>``"""', 'line = f"Menu: {name}"', "rest = names[2:]", '"e:r:u"'])
def test_the_scan_takes_nothing_else_for_a_key(source: str) -> None:
    assert list(spellings(source)) == []


@pytest.mark.slow
def test_no_other_module_spells_or_cuts_a_user_key() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for app in APPS
        for path in sorted((ROOT / app).rglob("*.py"))
        if path != HOME
        for line in spellings(path.read_text())
    ]

    assert not found, f"make and cut user keys with tracking/contract/user_key.py: {found}"
