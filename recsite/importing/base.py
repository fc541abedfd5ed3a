"""What a source of past events is: numbered units in order of time, each some records or some refusals.

In order of time, because the stream worker counts what is late by more than the lateness limit for the archive only.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tracking.contract.events import EventRecord


class Refusal(NamedTuple):
    """Why a row was left out."""

    line: int
    reason: str
    raw: str


class Unit(NamedTuple):
    """The smallest step of an import: after it, an interrupted import goes on."""

    records: tuple[EventRecord, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    line: int = 0
    rows: int = 1


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


class InvalidSource(ValueError):
    """The file is not what its format promises; the message names the place and the remedy."""


def stable_event_id(*identity: object, at_ms: int) -> str:
    """Return the event id that the same row gets in every import: a UUIDv7 with hashed random bits."""
    text = "\x1f".join(map(str, identity))
    digest = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=10).digest())
    bits = at_ms << 80 | 7 << 76 | (digest >> 68 & 0xFFF) << 64 | 2 << 62 | digest & ((1 << 62) - 1)
    return str(uuid.UUID(int=bits))


def iso_time(at_ms: int) -> str:
    """Return a moment as feeds write it."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat()
