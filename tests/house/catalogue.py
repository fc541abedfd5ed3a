"""The catalogues of translations: ``python -m tests.house.catalogue`` brings ``locale/`` in step with the sources.

It collects every marked text of Python and templates with Babel, adds what is new to each ``.po`` with an empty
translation, drops what is gone, and compiles the ``.mo`` that processes read. ``--check`` only says what is left to do.
"""

from __future__ import annotations

import argparse
import ast
import datetime as dt
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT: Final = Path(__file__).resolve().parents[2]
LOCALE: Final = ROOT / "locale"
SOURCES: Final = ("recsite", "tracking", "features", "recommendations")
SINGULAR: Final = frozenset({"gettext", "gettext_lazy", "gettext_noop", "_"})
PLURAL: Final = frozenset({"ngettext", "ngettext_lazy"})
LITERAL: Final = r"""u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
CALL: Final = re.compile(rf"\b(?:gettext|_)\({LITERAL}\)|\bngettext\({LITERAL}, {LITERAL}, count\)")
"""What ``templatize`` makes of a marked text."""

LONG_AGO: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
PLACEHOLDER: Final = re.compile(r"%\((\w+)\)([srdf])|\{(\w+)\}")

Text = str | tuple[str, str]


def marked_texts() -> dict[Text, list[str]]:
    """Return every marked text with the files in which it stands; a pair has a form for one and one for many."""
    found: dict[Text, list[str]] = {}
    for app in SOURCES:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                _collect(found, path, ast.parse(path.read_text()))
    for path in sorted((ROOT / "templates").rglob("*")):
        if path.suffix in (".html", ".txt") and "i18n" in (source := path.read_text()):
            for call in CALL.findall(templatize(source)):
                _collect(found, path, ast.parse(call))
    return found


def _collect(found: dict[Text, list[str]], path: Path, tree: ast.AST) -> None:
    place = str(path.relative_to(ROOT))
    for text in _texts(tree):
        places = found.setdefault(text, [])
        if place not in places:
            places.append(place)


def _texts(tree: ast.AST) -> Iterator[Text]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        literals = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if name in SINGULAR and len(literals) == 1:
            yield literals[0]
        elif name in PLURAL and len(literals) == 2:
            yield literals[0], literals[1]


def catalogue(language: str) -> Catalog:
    """Return the catalogue of a language as it is in the tree; an empty one where there is none."""
    path = _path(language, "po")
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def in_step(old: Catalog, texts: dict[Text, list[str]]) -> Catalog:
    """Return the catalogue of all texts and no other, with what was translated before."""
    new = Catalog(
        locale=old.locale, project="Recsite", charset="utf-8", header_comment="# German, by Recsite's authors."
    )
    new.mime_headers = [(key, value) for key, value in old.mime_headers if "Date" not in key]
    known: dict[Text, Message] = {message.id: message for message in old if message.id}
    for text in sorted(texts, key=lambda text: (texts[text][0], str(text))):
        before = known.get(text)
        new.add(text, before.string if before is not None else "", locations=[(place, None) for place in texts[text]])
    return new


def written(catalog: Catalog) -> bytes:
    """Return a catalogue as its ``.po`` holds it; no dates, so that the same texts are the same file."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=110, omit_header=True)
    head = f'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Language: {catalog.locale}\\n"\n'
    return f'{head}"Plural-Forms: {catalog.plural_forms}\\n"\n\n'.encode() + buffer.getvalue().lstrip(b"\n")


def compiled(catalog: Catalog) -> bytes:
    """Return a catalogue as processes read it; the same texts are the same file, whenever it is made."""
    catalog.creation_date = catalog.revision_date = LONG_AGO
    buffer = io.BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def problems(catalog: Catalog, texts: dict[Text, list[str]]) -> Iterator[str]:
    """Yield what keeps a catalogue from being whole: texts without translation, and placeholders that differ."""
    known = {message.id: message for message in catalog if message.id}
    for text in texts.keys() - known.keys():
        yield f"not in the catalogue: {text!r}"
    for text in known.keys() - texts.keys():
        yield f"in no source any more: {text!r}"
    for text, message in known.items():
        forms = [message.string] if isinstance(message.string, str) else list(message.string)
        if message.fuzzy or not all(forms):
            yield f"not translated: {text!r}"
            continue
        wanted = _placeholders(text if isinstance(text, str) else text[-1])
        for number, form in enumerate(forms):
            used = _placeholders(form)
            if used != wanted and not (isinstance(text, tuple) and number == 0 and used == _placeholders(text[0])):
                yield f"placeholders differ: {text!r} → {form!r}"


def _placeholders(text: str) -> set[str]:
    return {"".join(filter(None, found)) for found in PLACEHOLDER.findall(text)}


def languages() -> list[str]:
    """Return the languages that there are catalogues of."""
    return sorted(path.name for path in LOCALE.iterdir() if path.is_dir())


def _path(language: str, suffix: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / f"django.{suffix}"


def main(argv: list[str]) -> int:
    """Write the catalogues, or only check them, and say what is left to translate."""
    parser = argparse.ArgumentParser(prog="python -m tests.house.catalogue", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(argv)
    texts, left = marked_texts(), 0
    for language in languages():
        catalog = catalogue(language)
        if not options.check:
            catalog = in_step(catalog, texts)
            _path(language, "po").write_bytes(written(catalog))
            _path(language, "mo").write_bytes(compiled(catalogue(language)))
        found = list(problems(catalog, texts))
        left += len(found)
        print(f"{language}: {len(texts)} texts, {len(found)} problems")
        for problem in found[:50]:
            print(f"  {problem}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
