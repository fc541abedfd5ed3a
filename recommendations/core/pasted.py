"""Lists as people paste them: from lines, e-mails, spreadsheets, JSON and SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

_HARD: Final = re.compile(r"[\r\n\v\f\x85\u2028\u2029]+")
_SOFT: Final = re.compile(r"[\t;,|\u060c\u3001\uff0c\uff1b]+")
_BLANKS: Final = re.compile(r"\s+")
_QUOTES: Final = "\"'`\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u00ab\u00bb\u2039\u203a"
_AROUND: Final = f"{_QUOTES}[](){{}}\ufeff\u200b\u200e\u200f\u2060"
_BULLET: Final = re.compile(r"^(?:[\u2022\u00b7\u2013\u2014*]|-(?=\s))\s*")


def split_names(text: str, *, is_known: Callable[[str], bool] = lambda name: False) -> list[str]:
    """Return the names in a pasted text, one a line, or split at commas, semicolons, tabs or bars; each once.

    A part that is known as a whole is never split, so that ``Women > Shoes, flat`` stays one category where there is
    one. Blanks separate nothing: a brand may consist of two words.
    """
    return list(dict.fromkeys(_names(text, is_known)))


def split_ids(text: str, *, is_known: Callable[[str], bool] = lambda name: False) -> list[str]:
    """Return the ids in a pasted text; blanks separate them, too, but for those that are known as a whole."""
    found: dict[str, None] = {}
    for name in _names(text, is_known):
        parts = [name] if is_known(name) else _BLANKS.split(name)
        found.update(dict.fromkeys(part for each in parts if (part := _bare(each))))
    return list(found)


def _names(text: str, is_known: Callable[[str], bool]) -> Iterator[str]:
    for line in _HARD.split(text):
        whole = _bare(_BULLET.sub("", line.strip()))
        if not whole:
            continue
        if is_known(whole) or is_known(line.strip()):
            yield whole if is_known(whole) else line.strip()
            continue
        yield from (name for part in _SOFT.split(line) if (name := _bare(_BULLET.sub("", part.strip()))))


def _bare(text: str) -> str:
    """Return a name without the blanks, quotes and brackets around it, and the apostrophe of spreadsheets."""
    stripped = text.strip().removeprefix("=").strip().strip(_AROUND).strip()
    # Brackets that belong to the name, such as "Boots (wide)", are kept where stripping would leave one half.
    if stripped.count("(") > stripped.count(")") and text.strip().endswith(")"):
        stripped += ")"
    return stripped
