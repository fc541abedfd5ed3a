"""What a feed is packed in: zip and the packings of streams are unpacked within limits; what is no feed is named.

An archive of some kilobytes can hold terabytes. What comes out of it is counted while it is read, and reading ends at
``MAX_UNPACKED_BYTES`` and at ``MAX_READ_S``.
"""

from __future__ import annotations

import io
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, Final, cast

from features.feed_files.packing import DAMAGED_ZIP, packing_of
from features.feed_files.report import FeedBroken, FeedReport

MAX_UNPACKED_BYTES: Final = 4 << 30
MAX_READ_S: Final = 3_600.0
MAX_DEPTH: Final = 3
"""Containers within containers."""

_ZIPS: Final = (b"PK\x03\x04", b"PK\x05\x06")
_CHUNK: Final = 1 << 16
_IN_MEMORY_BYTES: Final = 8 << 20

#: First bytes of files that are no feed: what they are, and what to do.
_FOREIGN: Final = (
    (b"%PDF", "a PDF document", "export the catalogue as CSV or XML"),
    (b"\x89PNG", "a picture", "give the address of the feed, not of an image"),
    (b"\xff\xd8\xff", "a picture", "give the address of the feed, not of an image"),
    (b"GIF8", "a picture", "give the address of the feed, not of an image"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", "save it as CSV UTF-8"),
    (b"PAR1", "a Parquet file", "export the catalogue as CSV or JSON lines"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "pack it with gzip or zip"),
    (b"Rar!", "a RAR archive", "pack it with gzip or zip"),
    (b"SQLite format 3", "a SQLite database", "export the catalogue as CSV or JSON lines"),
)
_OFFICE: Final = {
    "[Content_Types].xml": ("an Excel workbook (.xlsx)", "save it as CSV UTF-8"),
    "mimetype": ("an OpenDocument file", "save it as CSV"),
}
_TAR: Final = b"ustar"
_TAR_AT: Final = 257


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may come out of a file, and for how long it may be read."""

    unpacked_bytes: int = MAX_UNPACKED_BYTES
    read_s: float = MAX_READ_S
    clock: Callable[[], float] = time.monotonic


def unpacked(handle: BinaryIO, report: FeedReport, *, limits: Limits | None = None) -> io.BufferedReader:
    """Return the feed's own bytes, whatever it is packed in.

    Raises
    ------
    FeedBroken
        It is no feed, or an archive without exactly one; later, from the reads: more comes out than the limits allow.
    """
    limits = limits or Limits()
    deadline = limits.clock() + limits.read_s
    stream: io.BufferedReader = io.BufferedReader(_Limited(handle, limits, deadline))
    for _ in range(MAX_DEPTH):
        head = stream.peek(512)
        packing = packing_of(head)
        if packing is not None:
            report.note(f"unpacked from {packing.name}")
            inner = packing.opened(stream)
        elif head.startswith(_ZIPS):
            inner = _unzipped(stream, report)
        else:
            return _checked(stream, head)
        stream = io.BufferedReader(_Limited(inner, limits, deadline))
    raise FeedBroken(0, f"is packed more than {MAX_DEPTH} times; pack the feed once")


class _Limited(io.RawIOBase):
    """Counts what is read; also gives Django's uploaded files, which only ``read``, what a buffer needs."""

    def __init__(self, handle: IO[bytes], limits: Limits, deadline: float) -> None:
        self._handle = handle
        self._limits = limits
        self._deadline = deadline
        self._left = limits.unpacked_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._handle.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise FeedBroken(0, f"holds more than {self._limits.unpacked_bytes:,} bytes; split it into several feeds")
        if self._limits.clock() > self._deadline:
            raise FeedBroken(0, f"was not read within {self._limits.read_s:.0f} s; split it into several feeds")
        buffer[: len(data)] = data
        return len(data)


def _unzipped(stream: io.BufferedReader, report: FeedReport) -> IO[bytes]:
    # A zip's index is at its end. The file is deleted with the last that reads from it.
    spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115
    while chunk := stream.read(_CHUNK):
        spool.write(chunk)
    spool.seek(0)
    try:
        archive = zipfile.ZipFile(cast(BinaryIO, spool))
        member = _only_member(archive)
        report.note(f"unpacked from zip: {member.filename}")
        return archive.open(member)
    except DAMAGED_ZIP as error:
        raise FeedBroken(0, f"is a zip archive that cannot be read: {error}; pack it again, without a password") from (
            error
        )


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    files = [one for one in archive.infolist() if not one.is_dir()]
    for one in files:
        if one.filename in _OFFICE:
            what, remedy = _OFFICE[one.filename]
            raise FeedBroken(0, f"is {what}; {remedy}")
    kept = [one for one in files if not one.filename.startswith("__MACOSX/") and not _hidden(one.filename)]
    if len(kept) == 1:
        return kept[0]
    names = ", ".join(one.filename for one in kept[:5]) or "none"
    raise FeedBroken(0, f"is a zip archive of {len(kept)} files ({names}); pack one feed alone")


def _hidden(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".")


def _checked(stream: io.BufferedReader, head: bytes) -> io.BufferedReader:
    for magic, what, remedy in _FOREIGN:
        if head.startswith(magic):
            raise FeedBroken(0, f"is {what}; {remedy}")
    if head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        raise FeedBroken(0, "is a tar archive; pack one feed alone, with gzip or zip")
    return stream
