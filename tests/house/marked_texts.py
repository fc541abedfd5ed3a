"""Texts of the admin's templates that are not marked for translation, found as a translator's pseudo-locale finds them.

What stands in ``{% translate %}`` or ``{% blocktranslate %}`` is taken out, with all other tags and variables; what is
left between the tags of HTML, or in an attribute that people read, is a text that every language would show in English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MARKED: Final = re.compile(r"\{%\s*blocktrans(?:late)?\b.*?%\}.*?\{%\s*endblocktrans(?:late)?\s*%\}", re.S)
_COMMENT: Final = re.compile(
    r"\{#.*?#\}|\{%\s*comment.*?endcomment\s*%\}|<!--.*?-->|<(script|style|code|pre)\b.*?</\1>", re.S
)
_ICON: Final = re.compile(r"<span\b[^>]*\bmaterial-symbols[^>]*>[^<]*</span>")
_TAG: Final = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.S)
_READ: Final = re.compile(r'\b(?:aria-label|title|alt|placeholder|data-confirm)="([^"]*)"')
_HTML: Final = re.compile(r"<[^>]*>", re.S)
_WORD: Final = re.compile(r"[A-Za-z]{2,}")


def unmarked(text: str) -> Iterator[str]:
    """Yield the texts of a template that are not marked."""
    text = _ICON.sub(" ", _COMMENT.sub(" ", _MARKED.sub(" ", text)))
    text = _TAG.sub("\0", text)
    for found in _READ.findall(text):
        yield from _words(found)
    yield from _words(_HTML.sub("\n", text))


def unmarked_in(folder: Path) -> dict[str, list[str]]:
    """Return the unmarked texts of each template below a folder; templates without any are left out."""
    found = {str(path.relative_to(folder)): list(unmarked(path.read_text())) for path in sorted(folder.rglob("*.html"))}
    return {name: texts for name, texts in found.items() if texts}


def _words(text: str) -> Iterator[str]:
    for part in re.split(r"[\n\0]", text):
        if _WORD.search(part):
            yield part.strip()
