"""What the table of changes in docs/extending.md says stands where it says, and nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
CODE = ("recsite", "tracking", "features", "recommendations")


def set_in(name: str) -> Iterator[str]:
    """Yield the modules that give the name a value, or define it, at their top."""
    for folder in CODE:
        for path in (ROOT / folder).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            if name not in source:
                continue
            for node in ast.parse(source).body:
                targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", node)]
                if any(name in (getattr(each, "id", None), getattr(each, "name", None)) for each in targets):
                    yield str(path.relative_to(ROOT))


@pytest.mark.parametrize(
    ("name", "home"),
    [
        ("ATTRIBUTION_WINDOW_MS", "features/definitions.py"),
        ("stage_of", "recommendations/pipeline/fallbacks.py"),
        ("PROFILE_TTL_S", "recsite/settings.py"),
        ("sidebar", "recsite/backoffice/navigation.py"),
    ],
)
def test_what_a_change_edits_has_one_home(name: str, home: str) -> None:
    assert list(set_in(name)) == [home]


def test_the_table_names_ten_changes_and_files_that_are_there() -> None:
    rows = re.findall(r"^\| (?:an?|how|the|what) .+\|$", PAGE, re.MULTILINE)
    assert len(rows) == 10
    paths = [path for row in rows for path in re.findall(r"`((?:\w+/)+\w+\.py)`", row)]
    assert paths
    assert all((ROOT / path).is_file() for path in paths)
