"""An external merge sort: runs on disk, each sorted in memory, merged as they are read. Memory does not grow."""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

RUN_BYTES: Final = 48 << 20
"""About what the entries of a run take in memory."""

MAX_RUNS: Final = 64
"""More are merged into one, so that few files are open at a time."""

_ENTRY_OVERHEAD: Final = 250
_LENGTH: Final = 4
_WRITE_BYTES: Final = 1 << 20


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One thing of a log in order of time: a record (encoded), or a row that was left out and why.

    Attributes
    ----------
    at_ms : int
        When; what was left out comes first, at -1.
    key : str
        What stands twice when two entries of one moment share it.
    body : bytes
        The encoded record, or the row as it was.
    line, shard
        Where it stood; ``shard`` is empty in imports of one file.
    reason : str
        Why it was left out; empty for a record.
    is_loss : bool
        Whether what was left out might have been wanted.
    is_part : bool
        A line of an order: entries of one moment and key are parts of one record.
    """

    at_ms: int
    key: str
    body: bytes
    line: int
    shard: str = ""
    reason: str = ""
    is_loss: bool = True
    is_part: bool = False


def order(entry: Entry) -> tuple[int, str, bytes, str, int]:
    """Return what entries are sorted by: nothing of it but the last two depends on the order of rows or files."""
    return (entry.at_ms, entry.key, entry.body, entry.shard, entry.line)


class Manifest(msgspec.Struct, kw_only=True):
    """What a finished sort says of itself."""

    entries: int = 0
    runs: list[str] = []
    notes: bytes = b""


class SortedEntries:
    """Entries in order, from runs in a folder. A finished sort is reused; one that was interrupted starts over.

    Parameters
    ----------
    folder : Path
        Belongs to this sort alone.
    read : callable
        Yields the entries in any order; called once.
    notes : callable
        Returns what to keep with the finished sort.
    """

    def __init__(
        self,
        folder: Path,
        read: Callable[[], Iterable[Entry]],
        notes: Callable[[], bytes] = bytes,
        *,
        run_bytes: int = RUN_BYTES,
    ) -> None:
        self._folder = folder
        self._read = read
        self._notes = notes
        self._run_bytes = run_bytes
        self._made = 0

    def prepare(self) -> Manifest:
        """Sort, unless that was done; return what is known of the entries."""
        path = self._folder / "manifest.json"
        if path.exists():
            return msgspec.json.decode(path.read_bytes(), type=Manifest)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        manifest = Manifest()
        buffer: list[Entry] = []
        held = 0
        for entry in self._read():
            buffer.append(entry)
            held += len(entry.body) + len(entry.key) + _ENTRY_OVERHEAD
            if held >= self._run_bytes:
                self._spill(buffer, manifest)
                buffer, held = [], 0
        if buffer:
            self._spill(buffer, manifest)
        manifest.notes = self._notes()
        draft = path.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(manifest))
        draft.replace(path)
        return manifest

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries in order of time."""
        runs = [_read_run(self._folder / name) for name in self.prepare().runs]
        return heapq.merge(*runs, key=order)

    def forget(self) -> None:
        """Remove the runs."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _spill(self, buffer: list[Entry], manifest: Manifest) -> None:
        manifest.entries += len(buffer)
        buffer.sort(key=order)
        if len(manifest.runs) == MAX_RUNS:
            merged = heapq.merge(*[_read_run(self._folder / name) for name in manifest.runs], key=order)
            name = self._write(merged)
            for old in manifest.runs:
                (self._folder / old).unlink()
            manifest.runs = [name]
        manifest.runs.append(self._write(buffer))

    def _write(self, entries: Iterable[Entry]) -> str:
        name = f"run-{self._made:06d}"
        self._made += 1
        encoder = msgspec.msgpack.Encoder()
        pending = bytearray()
        with (self._folder / name).open("wb") as handle:
            for entry in entries:
                encoded = encoder.encode(entry)
                pending += len(encoded).to_bytes(_LENGTH)
                pending += encoded
                if len(pending) > _WRITE_BYTES:
                    handle.write(pending)
                    pending.clear()
            handle.write(pending)
        return name


def _read_run(path: Path) -> Iterator[Entry]:
    decoder = msgspec.msgpack.Decoder(Entry)
    with path.open("rb", buffering=1 << 18) as handle:
        while head := handle.read(_LENGTH):
            yield decoder.decode(handle.read(int.from_bytes(head)))
