"""Which importer reads which files; the importers are declared by the modules of ``recsite.importing.sources``."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from recsite.importing import sources
from recsite.importing.base import ImportOptions, InvalidSource, Shard, Source, SourceFormat
from recsite.importing.reading.containers import head_of, shards_of
from recsite.importing.reading.rows import columns_of

MAPPED: Final = "mapped"
_SHOWN: Final = 12


def _declared() -> dict[str, SourceFormat]:
    found: dict[str, SourceFormat] = {}
    for module in pkgutil.iter_modules(sources.__path__):
        loaded = import_module(f"{sources.__name__}.{module.name}")
        declarations: tuple[SourceFormat, ...] = getattr(loaded, "FORMATS", None) or (loaded.FORMAT,)
        for declared in declarations:
            if declared.name in found:
                raise ValueError(
                    f"{module.name}: the name {declared.name!r} belongs to another importer; choose another"
                )
            found[declared.name] = declared
    return found


FORMATS: Final = _declared()
"""Every importer by its name, in the order of the modules' names."""


class Choice(NamedTuple):
    """Which importer reads which of the files, and the files that it does not read."""

    file_format: str
    shards: tuple[Shard, ...]
    skipped: tuple[str, ...] = ()


def choose(paths: Sequence[Path], *, file_format: str | None = None, is_mapped: bool = False) -> Choice:
    """Return the importer for files, told from how they begin where ``file_format`` does not say it.

    Raises
    ------
    InvalidSource
        There are no such files, they are of no known format, or of several.
    """
    shards = shards_of(paths)
    known = {shard: [name for name, declared in FORMATS.items() if declared.recognises(head_of(shard))]
             for shard in shards}  # fmt: skip
    chosen = file_format or _told(known, is_mapped=is_mapped)
    kept = tuple(shard for shard in shards if chosen in known[shard])
    if not kept and (file_format or chosen == MAPPED):
        kept = tuple(shards)
    return Choice(chosen, kept, tuple(shard.name for shard in shards if shard not in kept))


def _told(known: Mapping[Shard, list[str]], *, is_mapped: bool) -> str:
    names = {name: shard for shard, found in known.items() for name in found}
    if len(names) == 1:
        return next(iter(names))
    if names:
        files = ", ".join(f"{name} ({shard.name})" for name, shard in names.items())
        raise InvalidSource(f"the files can be {files}; say which with --format")
    if is_mapped:
        return MAPPED
    first = next(iter(known))
    columns = columns_of(head_of(first))
    begins = ", ".join(name[:40] for name in columns[:_SHOWN]) or repr(head_of(first)[:40].decode("utf-8", "replace"))
    seen = f"; it begins with {begins}" if head_of(first) else "; it is empty"
    raise InvalidSource(
        f"{first.name} is of no known format{seen}. Name one with --format, or say which column is what: "
        "--map item=COLUMN --map user=COLUMN --map time=COLUMN (--map event=COLUMN …); --preview shows what becomes of "
        "it"
    )


def open_chosen(choice: Choice, options: ImportOptions) -> Source:
    """Return the source that reads the files of a choice."""
    if options.mapping and choice.file_format == MAPPED and "item" not in options.mapping:
        raise InvalidSource("no column is named for item; give --map item=COLUMN")
    options = ImportOptions(
        site=options.site, shards=choice.shards, mapping=options.mapping, words=options.words, scratch=options.scratch
    )
    return FORMATS[choice.file_format].open(choice.shards[0].path, options)


def open_source(path: Path, *, site: str, file_format: str | None = None) -> Source:
    """Return the source that reads ``path``: a file, a folder, a pattern; raises as ``choose``."""
    return open_chosen(choose([path], file_format=file_format), ImportOptions(site=site))


def detect_format(path: Path) -> str:
    """Return the format of a path from how its files begin; raises as ``choose``."""
    return choose([path]).file_format


def format_help() -> str:
    """Return a line for each format: its name and what it is."""
    width = max(map(len, FORMATS))
    return "\n".join(f"  {name:{width}}  {declared.summary}" for name, declared in FORMATS.items())
