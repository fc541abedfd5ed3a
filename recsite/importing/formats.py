"""Which importer reads which file; the importers are the modules of ``recsite.importing.sources``."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Final

from recsite.importing import sources
from recsite.importing.base import ImportOptions, InvalidSource, Source, SourceFormat

_PEEK_BYTES: Final = 4_096


def _declared() -> dict[str, SourceFormat]:
    found: dict[str, SourceFormat] = {}
    for module in pkgutil.iter_modules(sources.__path__):
        declared: SourceFormat = import_module(f"{sources.__name__}.{module.name}").FORMAT
        if declared.name in found:
            raise ValueError(f"{module.name}.FORMAT.name={declared.name!r} belongs to another importer; choose another")
        found[declared.name] = declared
    return found


FORMATS: Final = _declared()
"""Every importer by its name, in the order of the modules' names."""


def open_source(path: Path, *, site: str, file_format: str | None = None, milliseconds: bool = False) -> Source:
    """Return the source that reads ``path``; without ``file_format`` it is told from name and content.

    Raises
    ------
    InvalidSource
        There is no such file, or it is of no known format.
    """
    if not path.exists():
        raise InvalidSource(f"{path} does not exist")
    chosen = FORMATS[file_format or detect_format(path)]
    source = chosen.open(path, ImportOptions(site=site, milliseconds=milliseconds))
    if not source.path.is_file():
        raise InvalidSource(f"{source.path} does not exist; give the path of the file itself")
    return source


def detect_format(path: Path) -> str:
    """Return the format of a file or folder from its name and its first bytes.

    Raises
    ------
    InvalidSource
        It looks like none of them, or like several.
    """
    if path.is_dir():
        names = {declared.file_name: declared.name for declared in FORMATS.values() if declared.file_name}
        found = [name for file_name, name in names.items() if (path / file_name).exists()]
        unknown = f"{path} holds none of {', '.join(sorted(names))}; give a file and --format"
    else:
        with path.open("rb") as handle:
            head = handle.read(_PEEK_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
        found = [name for name, declared in FORMATS.items() if declared.recognises(head)]
        unknown = f"{path} looks like none of {', '.join(FORMATS)}; say which with --format"
    if not found:
        raise InvalidSource(unknown)
    if len(found) > 1:
        raise InvalidSource(f"{path} can be {' or '.join(found)}; say which with --format")
    return found[0]


def format_help() -> str:
    """Return a line for each format: its name and what it is."""
    width = max(map(len, FORMATS))
    return "\n".join(f"  {name:{width}}  {declared.summary}" for name, declared in FORMATS.items())
