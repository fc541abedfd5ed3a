"""What is imported is pinned by name: a package that comes along with another leaves with it, too."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("recsite", "tracking", "features", "recommendations", "benchmarks", "tests", "clients")


def pinned() -> set[str]:
    lines = [line for path in ROOT.glob("requirements*.txt") for line in path.read_text().splitlines()]
    names = [match[1] for line in lines if (match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*==", line))]
    ours = [line.removeprefix("-e ") for line in lines if line.startswith("-e ./")]
    names += [tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]["name"] for folder in ours]
    return {normal(name) for name in names}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.slow
def test_every_package_that_is_imported_is_pinned() -> None:
    distributions = packages_distributions()
    used = set().union(*(imported(path) for folder in OURS for path in (ROOT / folder).rglob("*.py")))
    installed = {name for name in used if name in distributions and name not in sys.stdlib_module_names}
    assert "pytest" in installed

    unpinned = {name for name in installed if pinned().isdisjoint(map(normal, distributions[name]))}

    assert unpinned == set()
