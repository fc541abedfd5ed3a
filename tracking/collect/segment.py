"""One file of the spool: records with a checksum each, appended and fsynced, readable up to a torn end.

Layout: a magic line, then for each record ``crc32 | key length | value length | key | value``, numbers as
unsigned 32-bit little-endian. The checksum covers the lengths too, so that garbage is never taken for a length.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

MAGIC: Final = b"recsite spool 1\n"
_HEAD: Final = struct.Struct("<III")
_LENGTHS: Final = struct.Struct("<II")
MAX_FIELD_BYTES: Final = 16 * 1024 * 1024
"""No key or value is longer; a length beyond is damage."""


class SpooledRecord(NamedTuple):
    """One record and where the next one begins."""

    key: bytes
    value: bytes
    end: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a segment cannot be read on, how many bytes are left there, and whether a crash explains them.

    A crash in the middle of a write leaves a record without its end, or zeros that were never written over.
    """

    at: int
    lost_bytes: int
    is_torn: bool


def encode(key: bytes, value: bytes) -> bytes:
    """Return the bytes of one record."""
    lengths = _LENGTHS.pack(len(key), len(value))
    crc = zlib.crc32(value, zlib.crc32(key, zlib.crc32(lengths)))
    return b"".join((crc.to_bytes(4, "little"), lengths, key, value))


class Segment:
    """An open segment file: written at its end by one process, read from its start."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        flags = os.O_RDWR | (os.O_CREAT | os.O_EXCL if create else 0)
        self._file = os.open(path, flags | os.O_CLOEXEC, 0o600)
        try:
            if create:
                _write_all(self._file, MAGIC, 0)
                os.fsync(self._file)
                sync_folder(path.parent)
            self.size = os.fstat(self._file).st_size
        except OSError:
            if create:
                path.unlink(missing_ok=True)
            self.close()
            raise

    def append(self, encoded: Sequence[bytes]) -> None:
        """Write records and return once they are on the disk; on an error nothing of them stays.

        Raises
        ------
        OSError
            The disk is full or broken.
        """
        data = b"".join(encoded)
        try:
            _write_all(self._file, data, self.size)
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        self.size += len(data)

    def read(self, start: int, *, max_records: int, max_bytes: int) -> tuple[list[SpooledRecord], Damage | None]:
        """Return the records from offset ``start`` on, at least one when one is there, and damage if met."""
        if start == 0:
            if os.pread(self._file, len(MAGIC), 0) != MAGIC:
                return [], Damage(at=0, lost_bytes=self.size, is_torn=self.size < len(MAGIC))
            start = len(MAGIC)
        offset = start
        found: list[SpooledRecord] = []
        while offset < self.size and len(found) < max_records and offset - start <= max_bytes:
            record = self._record_at(offset)
            if record is None:
                return found, self._damage(offset)
            found.append(record)
            offset = record.end
        return found, None

    def rest(self, start: int) -> bytes:
        """Return the raw bytes from ``start`` on."""
        return os.pread(self._file, self.size - start, start)

    def cut(self, size: int) -> None:
        """Cut off what comes after ``size``."""
        os.ftruncate(self._file, size)
        os.fsync(self._file)
        self.size = size

    def delete(self) -> None:
        """Close and remove the file."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _record_at(self, offset: int) -> SpooledRecord | None:
        head = os.pread(self._file, _HEAD.size, offset)
        if len(head) < _HEAD.size:
            return None
        crc, key_bytes, value_bytes = _HEAD.unpack(head)
        end = offset + _HEAD.size + key_bytes + value_bytes
        if key_bytes > MAX_FIELD_BYTES or value_bytes > MAX_FIELD_BYTES or end > self.size:
            return None
        body = os.pread(self._file, key_bytes + value_bytes, offset + _HEAD.size)
        if len(body) < key_bytes + value_bytes or zlib.crc32(body, zlib.crc32(head[4:])) != crc:
            return None
        return SpooledRecord(body[:key_bytes], body[key_bytes:], end)

    def _damage(self, at: int) -> Damage:
        rest = self.rest(at)
        is_short = len(rest) < _HEAD.size
        if not is_short:
            _, key_bytes, value_bytes = _HEAD.unpack_from(rest)
            is_short = max(key_bytes, value_bytes) <= MAX_FIELD_BYTES and _HEAD.size + key_bytes + value_bytes > len(
                rest
            )
        return Damage(at=at, lost_bytes=len(rest), is_torn=is_short or not any(rest))


def sync_folder(folder: Path) -> None:
    """Make new and removed names in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(file: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view = view[written:]
        offset += written
