"""What is on disk until the log is back: an ordered queue of records in fsynced segment files.

Each process owns a folder below the root, held by a lock that ends with the process. A folder whose owner died
is adopted by the next process that looks, and drained before its own. A crash leaves at most a torn last record,
which nobody was promised: it is cut off. A record is forgotten only after the log has it; a crash in between
sends it again, and readers know it by its event ids.

Synchronous, and for one thread at a time; ``tracking.collect.durable`` puts it behind asyncio.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tracking.collect.segment import Damage, Segment, SpooledRecord, encode
from tracking.exceptions import SpoolFull
from tracking.metrics import SPOOL_BYTES

logger = logging.getLogger(__name__)

SEGMENT_BYTES: Final = 8 * 1024 * 1024
LOCK: Final = "lock"
DAMAGED: Final = ".damaged"


@dataclass(slots=True)
class _Folder:
    """A folder we hold the lock of, its segments oldest first, and how far the oldest was drained."""

    path: Path
    lock: int
    segments: deque[Segment] = field(default_factory=deque)
    drained_to: int = 0

    @property
    def size(self) -> int:
        return sum(segment.size for segment in self.segments)


class Spool:
    """The records that wait on this machine.

    Parameters
    ----------
    root : Path
        Shared by all processes of the machine; made when missing.
    max_bytes : int
        Cap of what this process holds, adopted folders included.
    """

    def __init__(self, root: Path, *, max_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.root = root
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._own: _Folder | None = None
        self._adopted: deque[_Folder] = deque()
        self._next_number = 1
        self._peeked: list[SpooledRecord] = []

    def open(self) -> None:
        """Make and lock a folder of our own, and adopt those whose owners died.

        Raises
        ------
        OSError
            The root cannot be written to.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        while self._own is None:
            path = self.root / f"{os.getpid()}-{secrets.token_hex(4)}"
            path.mkdir(mode=0o700)
            lock = _take_lock(path)
            if lock is not None:  # another process may have adopted the empty folder in this moment
                self._own = _Folder(path, lock)
        self.adopt_orphans()

    def append_many(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Put records at the end and return once they are on the disk: all or none.

        Raises
        ------
        SpoolFull
            The cap is reached, or the disk refuses.
        """
        own = self._require_own()
        encoded = [encode(key, value) for key, value in records]
        size = sum(map(len, encoded))
        if self.size_bytes + size > self._max_bytes:
            raise SpoolFull(f"the spool holds {self.size_bytes} bytes; {size} more exceed its cap of {self._max_bytes}")
        try:
            if not own.segments or own.segments[-1].size >= self._segment_bytes:
                path = own.path / f"{self._next_number:010d}.seg"
                own.segments.append(Segment(path, create=True))
                self._next_number += 1
            own.segments[-1].append(encoded)
        except OSError as error:
            logger.error("spool.write_failed folder=%s reason=%s", own.path.name, error)
            raise SpoolFull(f"the spool cannot be written: {error.strerror}") from error
        finally:
            self._report()

    def peek(self, max_records: int = 500, *, max_bytes: int = 4 * 1024 * 1024) -> list[tuple[bytes, bytes]]:
        """Return the oldest records; they stay until ``forget``. Adopted folders come first."""
        while (folder := self._oldest()) is not None:
            segment = folder.segments[0]
            found, damage = segment.read(folder.drained_to, max_records=max_records, max_bytes=max_bytes)
            if damage is not None:
                self._cut_off(segment, damage)
            if found:
                self._peeked = found
                return [(record.key, record.value) for record in found]
            self._drop_oldest_segment(folder)
        self._peeked = []
        return []

    def forget(self, count: int) -> None:
        """Drop the first ``count`` records of the last ``peek``: the log has them."""
        folder = self._oldest()
        if not count or folder is None:
            return
        folder.drained_to = self._peeked[count - 1].end
        self._peeked = self._peeked[count:]
        if folder.drained_to >= folder.segments[0].size:
            self._drop_oldest_segment(folder)

    @property
    def size_bytes(self) -> int:
        """What waits, in bytes on the disk."""
        own = 0 if self._own is None else self._own.size
        return own + sum(folder.size for folder in self._adopted)

    @property
    def has_own(self) -> bool:
        """Whether records of this process wait: newer ones must queue behind them."""
        return self._own is not None and bool(self._own.segments)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self._oldest() is None

    def adopt_orphans(self) -> int:
        """Take over the folders of processes that died; return how many."""
        adopted = 0
        for path in sorted(folder for folder in self.root.iterdir() if folder.is_dir()):
            if any(path == folder.path for folder in (*self._adopted, self._require_own())):
                continue
            lock = _take_lock(path)
            if lock is None:
                continue
            folder = _Folder(path, lock)
            for file in sorted(path.glob("*.seg")):
                folder.segments.append(Segment(file, create=False))
            if folder.segments:
                logger.warning("spool.adopted folder=%s bytes=%s", path.name, folder.size)
                self._adopted.append(folder)
                adopted += 1
            else:
                _release(folder)
        self._report()
        return adopted

    def close(self) -> None:
        """Release the folder; what still waits is adopted by the next process."""
        for folder in (*self._adopted, *([self._own] if self._own else [])):
            for segment in folder.segments:
                segment.close()
            if folder.segments:
                os.close(folder.lock)
            else:
                _release(folder)
        self._adopted.clear()
        self._own = None
        SPOOL_BYTES.set(0)

    def _require_own(self) -> _Folder:
        if self._own is None:
            raise RuntimeError("the spool is not open; call open() first")
        return self._own

    def _oldest(self) -> _Folder | None:
        if self._adopted:
            return self._adopted[0]
        return self._own if self._own is not None and self._own.segments else None

    def _drop_oldest_segment(self, folder: _Folder) -> None:
        folder.segments.popleft().delete()
        folder.drained_to = 0
        if not folder.segments and folder is not self._own:
            self._adopted.popleft()
            _release(folder)
        self._report()

    def _cut_off(self, segment: Segment, damage: Damage) -> None:
        """Go on without what cannot be read; keep a copy of what no crash explains, for people to look at."""
        if damage.is_torn:
            logger.warning("spool.torn_end segment=%s bytes=%s", segment.path.name, damage.lost_bytes)
        else:
            copy = self.root / f"{segment.path.parent.name}-{segment.path.name}-{damage.at}{DAMAGED}"
            logger.error(
                "spool.damaged segment=%s at=%s bytes=%s copy=%s: the disk may be broken",
                segment.path.name, damage.at, damage.lost_bytes, copy.name,
            )  # fmt: skip
            try:
                copy.write_bytes(segment.rest(damage.at))
            except OSError as error:
                logger.error("spool.copy_failed reason=%s", error)
        segment.cut(damage.at)

    def _report(self) -> None:
        SPOOL_BYTES.set(self.size_bytes)


def _take_lock(folder: Path) -> int | None:
    """Return the held lock of ``folder``, or ``None`` when its owner lives or the folder is gone."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it before us may have removed the folder, and our lock is then of a file without a name.
        if os.stat(folder / LOCK).st_ino == os.fstat(lock).st_ino:
            return lock
    except OSError:
        pass
    os.close(lock)
    return None


def _release(folder: _Folder) -> None:
    """Remove an empty folder while its lock is held, then release the lock."""
    shutil.rmtree(folder.path, ignore_errors=True)
    os.close(folder.lock)
