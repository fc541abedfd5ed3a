"""What a source of past events is: numbered units in order of time, each some records or some refusals.

In order of time, because the stream worker counts what is late by more than the lateness limit for the archive only.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tracking.contract.events import EventRecord


class RefusedRow(NamedTuple):
    """Why a row was left out.

    ``is_loss`` is false for what nobody misses: a row that stands twice, a kind of event that moves nothing. ``shard``
    names the file where an import has several.
    """

    line: int
    reason: str
    raw: str
    is_loss: bool = True
    shard: str = ""


class Unit(NamedTuple):
    """The smallest step of an import: an interrupted import resumes after the last one.

    Of its ``rows``, those that are not refused are in its records.
    """

    records: tuple[EventRecord, ...] = ()
    refusals: tuple[RefusedRow, ...] = ()
    line: int = 0
    rows: int = 1


class Shard(NamedTuple):
    """One file of an import, or one member of a zip file."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"{self.path.name}/{self.member}" if self.member else self.path.name


class Source(Protocol):
    """A file of past events.

    ``currency`` is that of its prices, ``None`` when rows name it or there is none.
    """

    name: str
    currency: str | None
    path: Path

    def total(self) -> int | None:
        """Return how many units there are, ``None`` when that is not known."""
        ...

    def items(self) -> Iterator[dict[str, Any]]:
        """Yield rows for ``features.feeds.upsert_items``."""
        ...

    def units(self) -> Iterator[Unit]:
        """Yield the units; the same file always yields the same ones."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What the person at the command line chose.

    Parameters
    ----------
    site : str
        Slug of the site that gets the events.
    shards : tuple of Shard
        The files, where there are several, or one inside a zip file; else the path alone counts.
    mapping : mapping of str to str
        ``--map``: our name of a field → the file's column, with a unit or pattern behind ``:`` for the time.
    words : mapping of str to str
        ``--event``: the file's word for an event → ours.
    scratch : Path, optional
        A folder for what is sorted on disk; a temporary one by default.
    """

    site: str
    shards: tuple[Shard, ...] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    scratch: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFormat:
    """The declaration of one importer: ``FORMAT`` in its module in ``recsite.importing.sources``.

    Parameters
    ----------
    name : str
        As in ``--format`` and ``make demo FORMAT=``.
    summary : str
        One line for the help of ``import_events``.
    open : callable
        Returns the source that reads a path.
    recognises : callable
        Whether a file that begins with these bytes is of this format: unpacked, without byte-order mark and leading
        space; a Parquet file begins with its columns' names, a JSON array with its first object.
    """

    name: str
    summary: str
    open: Callable[[Path, ImportOptions], Source]
    recognises: Callable[[bytes], bool]


class InvalidSource(ValueError):
    """The file is not what its format promises; the message names the line and the remedy."""


def stable_event_id(*identity: object, at_ms: int) -> str:
    """Return the event id that the same row gets in every import: a UUIDv7 with hashed random bits."""
    text = "\x1f".join(map(str, identity))
    digest = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=10).digest())
    bits = at_ms << 80 | 7 << 76 | (digest >> 68 & 0xFFF) << 64 | 2 << 62 | digest & ((1 << 62) - 1)
    return str(uuid.UUID(int=bits))


def iso_time(at_ms: int) -> str:
    """Return a moment as feeds write it."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat()
