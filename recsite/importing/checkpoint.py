"""The progress of an import, on disk: written once what it counts is durable, so that kill -9 loses nothing.

Before each batch the checkpoint says where the log ended ("intent"). An import that died between the append and the
next checkpoint finds the batch's events behind that end, and does not append them again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

_HEAD_BYTES: Final = 1 << 20


class InvalidCheckpoint(ValueError):
    """The checkpoint cannot be read, or belongs to another file; the message names the remedy."""


class Progress(msgspec.Struct, kw_only=True):
    """The state of an import.

    Of the ``rows`` read, ``appended`` are in events, and ``left_out`` counts the others by their reason; ``refused`` of
    them are losses. ``too_late`` of those appended are older than what was imported before.
    """

    fingerprint: str
    site: str = ""
    log: str = ""
    appended: int = 0
    left_out: dict[str, int] = {}
    too_late: int = 0
    newest_ms: int = 0
    units: int = 0
    rows: int = 0
    records: int = 0
    events: int = 0
    refused: int = 0
    oldest_ms: int = 0
    report_bytes: int = 0
    items_done: bool = False
    done: bool = False
    intent: dict[int, str] | None = None
    intent_units: int = 0


class Checkpoint:
    """The file that keeps a ``Progress``."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self._fingerprint = fingerprint

    def load(self) -> Progress:
        """Return the saved progress, or a fresh one.

        Raises
        ------
        InvalidCheckpoint
            The file is damaged, or the source changed since.
        """
        try:
            progress = msgspec.json.decode(self.path.read_bytes(), type=Progress)
        except FileNotFoundError:
            return Progress(fingerprint=self._fingerprint)
        except msgspec.DecodeError as error:
            raise InvalidCheckpoint(f"{self.path} is damaged ({error}); delete it to start over") from error
        if progress.fingerprint != self._fingerprint:
            raise InvalidCheckpoint(
                f"{self.path} belongs to another content of the file: it changed since the import began; "
                "use --restart to start over"
            )
        return progress

    def save(self, progress: Progress) -> None:
        """Write the progress so that it is either the old or the new one after a crash, never half of it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".draft")
        with draft.open("wb") as handle:
            handle.write(msgspec.json.encode(progress))
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(self.path)

    def forget(self) -> None:
        """Start over next time."""
        self.path.unlink(missing_ok=True)


def fingerprint_of_all(paths: Iterable[Path]) -> str:
    """Return what tells one content of several files from another."""
    found = [fingerprint_of(path) for path in sorted(set(paths))]
    return found[0] if len(found) == 1 else hashlib.blake2b("".join(found).encode(), digest_size=16).hexdigest()


def newest_imported_ms(folder: Path, *, site: str, log: str, besides: Path) -> int:
    """Return the newest event time that other imports of a site have put into a log; 0 where there are none."""
    newest = 0
    for path in folder.glob("*.json"):
        if path == besides:
            continue
        try:
            progress = msgspec.json.decode(path.read_bytes(), type=Progress)
        except (OSError, msgspec.DecodeError):
            continue
        if (progress.site, progress.log) == (site, log):
            newest = max(newest, progress.newest_ms)
    return newest


def fingerprint_of(path: Path) -> str:
    """Return what tells one content of a file from another: its size, its first and its last megabyte."""
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as handle:
        digest.update(handle.read(_HEAD_BYTES))
        if size > _HEAD_BYTES:
            handle.seek(-_HEAD_BYTES, os.SEEK_END)
            digest.update(handle.read())
    return digest.hexdigest()
