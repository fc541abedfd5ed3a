"""Words of the list in ``words.toml`` that are left in names, comments, messages, documents and templates."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.house.common import Finding, read, tree

LIST: Final = Path(__file__).with_name("words.toml")
KINDS: Final = ("identifier", "comment", "message", "docs", "template")
DOCUMENTS: Final = (".md", ".yml", ".yaml", ".json", ".conf", ".sh", ".toml", ".env", ".properties", ".css")
SCRIPTS: Final = (".js", ".mjs", ".ts")
BUILT: Final = re.compile(r"/static/.*(\.min\.js|/rec[^/]*\.js)$|^sdk/(dist|node_modules)/")

_SCRIPT = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<message>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)"
    r"|(?P<identifier>[A-Za-z_$][\w$]*)",
    re.DOTALL,
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A stretch of text of one kind; ``line`` is its first."""

    kind: str
    line: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """One row of the list."""

    banned: str
    instead: str
    pattern: re.Pattern[str]
    kinds: frozenset[str]
    paths: tuple[str, ...]
    exempt: tuple[str, ...]

    def concerns(self, path: str) -> bool:
        """Return whether the word is looked for in a file."""
        return path.startswith(self.paths or "") and not (self.exempt and path.startswith(self.exempt))


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowed:
    """What is let through in some files, where ``match`` is found around it."""

    match: re.Pattern[str]
    paths: tuple[str, ...]
    reason: str


@cache
def words() -> tuple[tuple[Word, ...], tuple[Allowed, ...], tuple[str, ...]]:
    """Return the words, what is let through, and the files that are left out."""
    listed = tomllib.loads(LIST.read_text(encoding="utf-8"))
    found = tuple(
        Word(
            banned=one["not"], instead=one["but"],
            pattern=re.compile(one["pattern"], 0 if one.get("case") else re.IGNORECASE),
            kinds=frozenset(one.get("in", KINDS)),
            paths=tuple(one.get("paths", ())), exempt=tuple(one.get("except", ())),
        )
        for one in listed["word"]
    )  # fmt: skip
    allowed = tuple(
        Allowed(match=re.compile(one["match"], re.IGNORECASE), paths=tuple(one.get("paths", ())), reason=one["reason"])
        for one in listed["allow"]
    )
    return found, allowed, tuple(listed["files"]["skip"])


def check() -> list[Finding]:
    """Return every word of the list that is left."""
    _, _, skipped = words()
    names = [name for name in tree() if not name.startswith(skipped) and not BUILT.search(name)]
    return [finding for name in names if _kind_of_file(name) for finding in in_text(name, read(name))]


def in_text(path: str, text: str) -> list[Finding]:
    """Return the words that are left in one file's text."""
    listed, allowed, _ = words()
    concerned = [word for word in listed if word.concerns(path)]
    let_through = [one for one in allowed if path.startswith(one.paths or "")]
    found: dict[tuple[int, str], Finding] = {}
    clean = _clean(tuple(concerned), tuple(let_through))
    for piece in pieces(path, text):
        if (piece.kind, piece.text) in clean:
            continue
        before = len(found)
        flat, line_at = _one_line(piece)
        for word in concerned:
            if piece.kind not in word.kinds:
                continue
            for match in word.pattern.finditer(flat):
                start, end = match.span()
                around = (max(0, start - 60), end + 60)
                if any(
                    one.match.search(flat, *around) and _covers(one.match, flat, start, end, around)
                    for one in let_through
                ):
                    continue
                line = line_at(start)
                said = flat if piece.kind == "identifier" else match.group()
                what = f"{piece.kind} “{said}”: not “{word.banned}” but “{word.instead}”"
                found.setdefault((line, what), Finding(path=path, line=line, what=what))
        if len(found) == before and len(piece.text) < 200:
            clean.add((piece.kind, piece.text))
    return sorted(found.values())


@cache
def _clean(concerned: tuple[Word, ...], let_through: tuple[Allowed, ...]) -> set[tuple[str, str]]:
    """Return the set of pieces known to hold no word of these; most names and messages stand in many files."""
    del concerned, let_through  # they tell the sets apart
    return set()


def _covers(pattern: re.Pattern[str], text: str, start: int, end: int, around: tuple[int, int]) -> bool:
    """Return whether a match of the pattern touches the found word."""
    return any(one.start() < end and start < one.end() for one in pattern.finditer(text, *around))


def pieces(path: str, text: str) -> Iterator[Piece]:
    """Cut a file into names, comments and messages; a document or a template is one piece."""
    kind = _kind_of_file(path)
    if kind == "python":
        yield from _python(text)
    elif kind == "script":
        yield from _script(text)
    elif kind:
        yield Piece(kind=kind, line=1, text=text)


def _kind_of_file(path: str) -> str:
    suffix = Path(path).suffix
    if suffix == ".py":
        return "python"
    if suffix in SCRIPTS:
        return "script"
    if suffix in (".html", ".txt"):
        return "template" if suffix == ".html" else ""
    return "docs" if suffix in DOCUMENTS or path.endswith(("Makefile", "Dockerfile")) else ""


def _python(text: str) -> Iterator[Piece]:
    said = {
        node.value.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    comment: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            if comment and line != last + 1:
                yield Piece(kind="comment", line=first, text="\n".join(comment))
                comment = []
            if not comment:
                first = line
            comment.append(token.string.lstrip("#: "))
            last = line
        elif token.type == tokenize.STRING:
            yield Piece(kind="comment" if line in said else "message", line=line, text=token.string)
        elif token.type == tokenize.NAME and len(token.string) > 2:
            is_test = token.string.startswith("test_")
            yield Piece(kind="comment" if is_test else "identifier", line=line, text=_cut(token.string))
    if comment:
        yield Piece(kind="comment", line=first, text="\n".join(comment))


def _script(text: str) -> Iterator[Piece]:
    for match in _SCRIPT.finditer(text):
        kind = str(match.lastgroup)
        said = _cut(match.group()) if kind == "identifier" else match.group()
        yield Piece(kind=kind, line=text.count("\n", 0, match.start()) + 1, text=said)


@cache
def _cut(name: str) -> str:
    """Return a name as lower-case words with blanks between them."""
    return " ".join(part.lower() for part in _WORD.findall(name))


def _one_line(piece: Piece) -> tuple[str, Callable[[int], int]]:
    """Return the text with single blanks, and a function from an offset in it to a line of the file."""
    if "\n" not in piece.text:
        return " ".join(piece.text.split()), lambda offset: piece.line
    parts: list[str] = []
    starts: list[int] = []
    lines: list[int] = []
    length = 0
    for number, line in enumerate(piece.text.split("\n"), piece.line):
        words_of_line = " ".join(line.split())
        if not words_of_line:
            continue
        starts.append(length)
        lines.append(number)
        parts.append(words_of_line)
        length += len(words_of_line) + 1
    return " ".join(parts), lambda offset: lines[bisect_right(starts, offset) - 1] if lines else piece.line
