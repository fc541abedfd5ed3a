"""What a stream of bytes is packed in, told from its first bytes: gzip, bzip2, xz and zstd. For feeds and for logs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Final, NamedTuple, cast

from tracking.deferred import deferred

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = deferred("pyarrow")


PEEK_BYTES: Final = 6
DAMAGED_ZIP: Final = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    OSError,
    EOFError,
)
"""What ``zipfile`` raises where an archive is damaged or needs a password: not all of it is its own error."""


class Packing(NamedTuple):
    """One way to pack a stream.

    Attributes
    ----------
    name : str
    magic : bytes
        How what is packed begins, at most ``PEEK_BYTES``.
    opened : callable
        Returns the unpacked stream; whoever closes it does not close the packed one.
    """

    name: str
    magic: bytes
    opened: Callable[[io.BufferedReader], IO[bytes]]


def _zstd(stream: io.BufferedReader) -> IO[bytes]:
    return cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd"))


PACKINGS: Final = (
    Packing("gzip", b"\x1f\x8b", lambda stream: cast(IO[bytes], gzip.GzipFile(fileobj=stream))),
    Packing("bzip2", b"BZh", lambda stream: cast(IO[bytes], bz2.BZ2File(stream))),
    Packing("xz", b"\xfd7zXZ\x00", lambda stream: cast(IO[bytes], lzma.LZMAFile(stream))),  # noqa: SIM115
    Packing("zstd", b"\x28\xb5\x2f\xfd", _zstd),
)


def damages(*also: type[Exception]) -> tuple[type[Exception], ...]:
    """Return what reading raises where a packed stream is damaged or cut off, and ``also``; asked in an ``except``."""
    return (EOFError, OSError, zlib.error, lzma.LZMAError, pa.ArrowException, *also)


def packing_of(head: bytes) -> Packing | None:
    """Return how a stream that begins like this is packed; None for one that is not."""
    return next((each for each in PACKINGS if head.startswith(each.magic)), None)
