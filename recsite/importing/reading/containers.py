"""The files of one import, and their bytes without the packing, both told from the content."""

from __future__ import annotations

import contextlib
import glob
import io
import struct
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from features.feed_files import packing
from recsite.importing.base import InvalidSource, Shard
from tracking.deferred import deferred

if TYPE_CHECKING:
    import pyarrow.parquet as pq
else:
    pq = deferred("pyarrow.parquet")

ZIP: Final = b"PK\x03\x04"
PARQUET: Final = b"PAR1"
PEEK_BYTES: Final = 65_536
_BOM: Final = b"\xef\xbb\xbf"
_HIDDEN: Final = (".", "_")
_OF_ZIP: Final = (zipfile.BadZipFile, struct.error, NotImplementedError)


def shards_of(paths: Iterable[Path]) -> list[Shard]:
    """Return the files that ``paths`` stand for, by name: files, folders, zip files, patterns (``ga4-*.json.gz``).

    Raises
    ------
    InvalidSource
        A path stands for no file.
    """
    found: dict[Path, None] = {}
    for path in paths:
        files = _files_of(path)
        if not files:
            raise InvalidSource(f"{path} holds no file" if path.is_dir() else f"{path} does not exist")
        found.update(dict.fromkeys(files))
    return [shard for path in sorted(found) for shard in _members_of(path)]


def _files_of(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if path.is_dir():
        return [each for each in path.rglob("*") if each.is_file() and not each.name.startswith(_HIDDEN)]
    return [each for each in map(Path, glob.glob(str(path), recursive=True)) if each.is_file()]


def _members_of(path: Path) -> list[Shard]:
    if _first_bytes(path) != ZIP:
        return [Shard(path)]
    try:
        with zipfile.ZipFile(path) as archive:
            if any(each.flag_bits & 1 for each in archive.infolist()):
                raise InvalidSource(f"{path} needs a password; unpack it first")
            names = [each.filename for each in archive.infolist() if not each.is_dir()]
    except InvalidSource:
        raise
    except packing.DAMAGED_ZIP as error:
        raise InvalidSource(f"{path} is a damaged zip file: {error}; fetch it again") from error
    return [
        Shard(path, name)
        for name in sorted(names)
        if not name.startswith("__MACOSX/") and not Path(name).name.startswith(_HIDDEN)
    ]


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as handle:
        return handle.read(4)


@contextlib.contextmanager
def opened(shard: Shard) -> Iterator[BinaryIO]:
    """Open the bytes of a shard, unpacked.

    Raises
    ------
    InvalidSource
        It is damaged; also from inside the block, where its bytes are read.
    """
    try:
        with contextlib.ExitStack() as stack:
            yield _unpacked(_raw(shard, stack), stack)
    except packing.damages(*_OF_ZIP) as error:
        raise InvalidSource(f"{shard.name} is cut off or damaged: {error}; fetch it again") from error


def _raw(shard: Shard, stack: contextlib.ExitStack) -> io.BufferedReader:
    if not shard.member:
        return stack.enter_context(shard.path.open("rb"))
    archive = stack.enter_context(zipfile.ZipFile(shard.path))
    member: Any = stack.enter_context(archive.open(shard.member))  # a raw stream in all but its type
    return io.BufferedReader(member)


def _unpacked(handle: io.BufferedReader, stack: contextlib.ExitStack) -> BinaryIO:
    found = packing.packing_of(handle.peek(packing.PEEK_BYTES))
    if found is None:
        return handle
    stream: Any = stack.enter_context(found.opened(handle))
    return stream if hasattr(stream, "peek") else io.BufferedReader(stream)


def is_parquet(shard: Shard) -> bool:
    """Return whether the shard is a Parquet file."""
    with opened(shard) as handle:
        return handle.read(4) == PARQUET


def head_of(shard: Shard) -> bytes:
    """Return how the shard begins: unpacked, without byte-order mark and leading space, as UTF-8.

    A Parquet file begins with its columns' names, as a table of text would; a JSON array with its first object.
    """
    if is_parquet(shard):
        return ",".join(parquet_file(shard).schema_arrow.names).encode() + b"\n"
    with opened(shard) as handle:
        head = handle.read(PEEK_BYTES)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head[: len(head) // 2 * 2].decode("utf-16", "replace").encode()
    head = head.removeprefix(_BOM).lstrip()
    return head[1:].lstrip() if head.startswith(b"[") else head


def parquet_file(shard: Shard) -> pq.ParquetFile:
    """Return a Parquet shard; it has to lie there unpacked, as it is read from its end.

    Raises
    ------
    InvalidSource
        It is packed, or damaged.
    """
    if shard.member or _first_bytes(shard.path) != PARQUET:
        raise InvalidSource(f"{shard.name} is a packed Parquet file; unpack it first")
    try:
        return pq.ParquetFile(shard.path)
    except packing.damages(*_OF_ZIP) as error:
        raise InvalidSource(f"{shard.name} is a damaged Parquet file: {error}; fetch it again") from error
