"""The shape of the tree: sizes of packages, a test beside each module, short signatures, short lines in documents."""

from __future__ import annotations

import ast
import re
import tokenize
import tomllib
from collections import defaultdict
from io import StringIO
from pathlib import PurePosixPath
from typing import Final

from tests.house.common import APPS, ROOT, Finding, python_files, read, tree

MAX_MODULES: Final = 15
MAX_FILES: Final = 40
MAX_ARGUMENTS: Final = 7
MAX_LINE: Final = 120
CLIENT: Final = "clients/python/src/recsite_client"

_SILENCER = re.compile(r"#\s*(noqa|type:|fmt:|pragma)\S*")


def flat() -> list[Finding]:
    """Return packages with too many modules or files of their own; the clients and the tests count, too."""
    modules: dict[str, int] = defaultdict(int)
    files: dict[str, int] = defaultdict(int)
    for name in tree():
        folder = str(PurePosixPath(name).parent)
        if name.startswith((*(f"{app}/" for app in APPS), "clients/", "tests/")) and "/migrations" not in folder:
            files[folder] += 1
            if name.endswith(".py"):  # a folder of pictures or templates is no package
                modules[folder] += not name.endswith("/__init__.py")
    return [
        *(
            Finding(path=folder, what=f"{count} modules side by side; at most {MAX_MODULES}")
            for folder, count in sorted(modules.items()) if count > MAX_MODULES
        ),
        *(
            Finding(path=folder, what=f"{count} files side by side; at most {MAX_FILES}")
            for folder, count in sorted(files.items()) if count > MAX_FILES and folder in modules
        ),
    ]  # fmt: skip


def mirror_of(module: str) -> str:
    """Return the path of the test that mirrors a module: ``features/keys.py`` → ``tests/features/test_keys.py``."""
    path = PurePosixPath(module)
    if module.startswith(f"{CLIENT}/"):
        path = PurePosixPath("clients") / path.relative_to(CLIENT)
    return str(PurePosixPath("tests") / path.parent / f"test_{path.name}")


def mirror() -> list[Finding]:
    """Return modules without a test of their own, and exceptions that are no longer needed or name no test."""
    names = set(tree())
    found: list[Finding] = []
    modules = {
        name for name in python_files(*APPS, CLIENT)
        if PurePosixPath(name).name not in ("__init__.py", "apps.py") and read(name).strip()
    }  # fmt: skip
    exceptions: dict[str, tuple[str, str]] = {}
    for listed in (name for name in names if re.fullmatch(r"tests/[\w/]+/unmirrored\.toml", name)):
        for module, said in tomllib.loads(read(listed)).items():
            exceptions[module] = (listed, str(said))
    for module, (listed, said) in sorted(exceptions.items()):
        test, colon, reason = said.partition(": ")
        if module not in modules:
            found.append(Finding(path=listed, what=f"{module} is not there, or needs no test; take the line out"))
        elif mirror_of(module) in names:
            found.append(Finding(path=listed, what=f"{module} has {mirror_of(module)}; take the line out"))
        elif not colon or len(reason) < 15:
            found.append(Finding(path=listed, what=f"{module} needs 'path of a test: reason', not {said!r}"))
        elif test not in names or not PurePosixPath(test).name.startswith("test_"):
            found.append(Finding(path=listed, what=f"{module} is said to be tested by {test}, which is not a test"))
    for module in sorted(modules - exceptions.keys()):
        if mirror_of(module) not in names:
            found.append(Finding(path=module, what=f"has neither {mirror_of(module)} nor a line in unmirrored.toml"))
    return found


def arguments() -> list[Finding]:
    """Return functions with more than seven arguments whose signature gives no reason in a comment."""
    names = python_files(*APPS, "clients", "benchmarks")
    return [finding for name in names for finding in long_signatures(name, read(name))]


def long_signatures(path: str, text: str) -> list[Finding]:
    """Return the functions of one module that take too many arguments without a reason."""
    found: list[Finding] = []
    reasons: dict[int, str] | None = None
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        given = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        count = len([one for one in given if one.arg not in ("self", "cls")])
        if count <= MAX_ARGUMENTS:
            continue
        reasons = _comments(text) if reasons is None else reasons
        signature = range(node.lineno, node.body[0].lineno + 1)
        if not any(len(reasons.get(line, "")) >= 15 for line in signature):
            what = f"{node.name} takes {count} arguments; at most {MAX_ARGUMENTS}, or a comment with the reason"
            found.append(Finding(path=path, line=node.lineno, what=what))
    return found


def _comments(text: str) -> dict[int, str]:
    """Return the comments by line, without what only silences a tool."""
    return {
        token.start[0]: _SILENCER.sub("", token.string).strip("# ")
        for token in tokenize.generate_tokens(StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }


def lines() -> list[Finding]:
    """Return lines of documents that are too long; tables, code and lines with an address are excepted."""
    found: list[Finding] = []
    for name in tree():
        if not name.endswith(".md"):
            continue
        is_code = False
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
            if line.lstrip().startswith("```"):
                is_code = not is_code
            is_long = len(line) > MAX_LINE and not is_code
            if is_long and not line.lstrip().startswith(("|", "<img", "![")) and "](" not in line[MAX_LINE - 40 :]:
                found.append(Finding(path=name, line=number, what=f"{len(line)} characters; at most {MAX_LINE}"))
    return found
