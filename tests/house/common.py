"""What every check shares: the tracked files of the tree, and a finding with its place."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("recsite", "tracking", "features", "recommendations")


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Finding:
    """One thing that is left to do; ``line`` is 0 where a whole file or folder is concerned."""

    path: str
    line: int = 0
    what: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where}: {self.what}"


@cache
def tree() -> tuple[str, ...]:
    """Return the files that git tracks or would track, as they are in the work tree, sorted."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    return tuple(sorted({name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}))


def python_files(*folders: str) -> list[str]:
    """Return the Python files of some folders, without migrations."""
    below = tuple(f"{folder}/" for folder in folders)
    return [name for name in tree() if name.startswith(below) and name.endswith(".py") and "/migrations/" not in name]


def read(name: str) -> str:
    """Return the text of a file of the tree."""
    return (ROOT / name).read_text(encoding="utf-8")
