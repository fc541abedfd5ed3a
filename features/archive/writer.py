"""Events as Parquet by site and date, for training, replays and whoever brings Spark.

Files are named by what they hold: ``site=…/date=…/p<partition>-<first>-<last>.parquet``, the positions between which
their records stand in the log. A file that was written and not committed when a worker died is removed by the next
one, which starts at the same first position; so every event is there once, but for records that the log holds twice.
Their copies are dropped where they come together, when files are joined, and by every reader (``rows.ONCE``).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import posixpath
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import fsspec
from fsspec.implementations.local import LocalFileSystem

from features import keys, metrics
from features.archive.rows import COLUMNS, Row, rows_of, table_of, without_copies
from features.exceptions import Fenced, StoreUnavailable
from features.state.batch import Drops
from features.state.purchases import hash64
from features.store.foreign_positions import ForeignPositions, adopt
from features.store.online import OnlineStore
from tracking.contract.clocks import read_record
from tracking.deferred import deferred
from tracking.exceptions import InvalidEvent
from tracking.log import BEGINNING, EventLog, LogUnavailable, Position

if TYPE_CHECKING:
    import pyarrow.parquet as pq
else:
    pq = deferred("pyarrow.parquet")

logger = logging.getLogger(__name__)

GROUP: Final = "archive"
POLL_S: Final = 0.5
POLL_RECORDS: Final = 1_000
FLUSH_ROWS: Final = 50_000
FLUSH_S: Final = 10.0
BACKOFF_S: Final = 1.0
_USER_KEY, _EVENT_ID, _OCCURRED_AT_MS = (COLUMNS.index(name) for name in ("user_key", "event_id", "occurred_at_ms"))
_UNSAFE: Final = re.compile(r"[^0-9A-Za-z]")


class ArchiveFolder:
    """The archive at a URL or path, through fsspec; S3-compatible with the package ``s3fs``."""

    def __init__(self, url: str) -> None:
        self.fs, self.root = fsspec.core.url_to_fs(url)
        self._is_local = isinstance(self.fs, LocalFileSystem)

    def write(self, site: str, day: int, name: str, rows: list[Row]) -> str:
        """Write a file, whole or not at all; an older one of that name is replaced."""
        folder = posixpath.join(self.root, f"site={site}", f"date={date_of(day)}")
        path = posixpath.join(folder, name)
        self.write_table(path, table_of(rows))
        return path

    def write_table(self, path: str, table: Any) -> None:
        """Write an Arrow table as the file ``path``."""
        self.fs.makedirs(posixpath.dirname(path), exist_ok=True)
        # Object stores show a file when it is complete; on a disk, renaming does that.
        target = (
            posixpath.join(posixpath.dirname(path), f".{posixpath.basename(path)}.part") if self._is_local else path
        )
        try:
            with self.fs.open(target, "wb") as file:
                pq.write_table(table, file, compression="zstd")
                self._sync(file)
        except OSError:
            if self._is_local:
                with contextlib.suppress(OSError):  # a full disk needs the room
                    self.fs.rm_file(target)
            raise
        if self._is_local:
            self.fs.mv(target, path)

    def begin_draft(self, draft: str) -> None:
        """Make an empty file that stands for one to come; whoever deletes it withdraws what is being made."""
        self.fs.touch(draft, truncate=True)

    def publish_draft(self, draft: str, path: str, table: Any) -> None:
        """Write an Arrow table as the file ``path``, unless its draft was deleted meanwhile.

        On a disk, a file renamed is there or its draft was gone: nothing lies between. An object store renames nothing,
        so the draft is looked for before and after; a process that dies just between may leave a withdrawn file.

        Raises
        ------
        FileNotFoundError
            The draft was deleted; nothing is left of the file.
        """
        if self._is_local:
            with open(draft, "r+b") as file:  # not "wb", which would make a deleted one again
                pq.write_table(table, file, compression="zstd")
                self._sync(file)
            self.fs.mv(draft, path)
            return
        self._check_draft(draft)
        self.write_table(path, table)
        try:
            self._check_draft(draft)
        except FileNotFoundError:
            self.delete([path])
            raise
        self.delete([draft])

    def _sync(self, file: Any) -> None:
        """Let a file be on the disk before it is renamed: the position moves on next, and relies on it."""
        if self._is_local:
            file.flush()
            os.fsync(file.fileno())

    def _check_draft(self, draft: str) -> None:
        self.fs.invalidate_cache()
        if not self.fs.exists(draft):
            raise FileNotFoundError(draft)

    def files(self, *, site: str = "*", date: str = "*", name: str = "*.parquet") -> list[str]:
        """Return the paths of files, sorted; as they are now, where a file system remembers its listings."""
        self.fs.invalidate_cache()
        return sorted(self.fs.glob(posixpath.join(self.root, f"site={site}", f"date={date}", name)))

    def delete(self, paths: list[str]) -> None:
        """Delete files; one that somebody else has deleted is no error."""
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                self.fs.rm_file(path)


class ArchiveWorker:
    """Writes the partitions that are assigned to it; used from one thread, beside the stream worker.

    Memory: ``FLUSH_ROWS`` rows. Its position is its own, so features never wait for files.

    Parameters
    ----------
    drops : callable
        What says of a record whether it is left out; None where nothing is. Never blocks.
    """

    def __init__(
        self,
        events: EventLog,
        store: OnlineStore,
        folder: ArchiveFolder,
        *,
        flush_s: float = FLUSH_S,
        drops: Callable[[], Drops | None] = lambda: None,
    ) -> None:
        self._drops = drops
        self._store = store
        self._folder = folder
        self._flush_s = flush_s
        self._committed: dict[int, Position] = {}
        self._read: dict[int, Position] = {}
        self._rows: dict[int, dict[tuple[str, int], list[Row]]] = {}
        self._row_count = 0
        self._oldest_at: float | None = None
        self._events = events
        self._foreign = ForeignPositions(store, group=GROUP, name_key=keys.archive_position)
        self._reader = events.reader(GROUP, on_assigned=self._on_assigned, on_revoked=self._on_revoked)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; then write what is buffered and leave the group."""
        try:
            while not stop.is_set():
                try:
                    self.step(POLL_S)
                except (StoreUnavailable, LogUnavailable, OSError) as error:
                    logger.warning("archive.delayed error=%s", error)
                    stop.wait(BACKOFF_S)
                except Exception as error:
                    metrics.STREAM_FAILURES.labels(error=type(error).__name__).inc()
                    logger.exception("archive.failed")
                    stop.wait(BACKOFF_S)
        finally:
            self.close()

    def step(self, timeout_s: float) -> int:
        """Poll once, and write files when enough waits or has waited; return the number of records.

        Raises
        ------
        StoreUnavailable, LogUnavailable, OSError
            Something is unavailable; what is buffered stays, and is written at a later step.
        """
        self._flush_when_due()
        if taken := self._foreign.look(self._reader):
            self.flush()  # what was read of the log before
            self._committed.update(taken)
            self._read.update(taken)
        polled = self._reader.poll(timeout_s, POLL_RECORDS)
        count, drops = 0, self._drops()
        for partition, records in polled.items():
            if partition not in self._committed or not records:
                continue
            days = self._rows.setdefault(partition, {})
            for record in records:
                try:
                    parsed, _ = read_record(record.value, appended_at_ms=record.timestamp_ms, stamp=record.stamp)
                except InvalidEvent:
                    continue  # the stream worker puts it where such records go
                if drops is not None and drops(parsed):
                    continue
                if parsed.forwarded is not None:
                    continue  # the report itself is archived where it was reported
                for day, row in rows_of(parsed):
                    days.setdefault((parsed.site, day), []).append(row)
                    self._row_count += 1
            self._read[partition] = records[-1].position
            count += len(records)
        if count and self._oldest_at is None:
            self._oldest_at = time.monotonic()
        self._flush_when_due()
        return count

    def flush(self) -> None:
        """Write what is buffered and commit; after a failure, the rest is written by the next call."""
        for partition, position in list(self._read.items()):
            start = self._committed[partition]
            if position != start:
                self._write(partition, start, position)
                try:
                    self._store.advance(keys.archive_position, partition, expected=start, position=position)
                except Fenced:
                    logger.warning("archive.fenced partition=%s", partition)
                    self._forget(partition)
                    position = self._store.stored_position(keys.archive_position, partition)
                    self._reader.seek(partition, position)
                self._committed[partition] = self._read[partition] = position
            self._row_count -= sum(len(rows) for rows in self._rows.pop(partition, {}).values())
        self._oldest_at = None

    def close(self) -> None:
        """Write what is buffered, and leave the group."""
        try:
            self.flush()
        except (StoreUnavailable, OSError) as error:
            logger.warning("archive.left_unwritten rows=%s error=%s", self._row_count, error)
        try:
            self._reader.close()
        except LogUnavailable as error:
            logger.warning("archive.close_failed error=%s", error)

    def _flush_when_due(self) -> None:
        if self._oldest_at is None:
            return
        if self._row_count >= FLUSH_ROWS or time.monotonic() - self._oldest_at >= self._flush_s:
            self.flush()

    def _write(self, partition: int, start: Position, position: Position) -> None:
        name = f"p{partition}-{_clean(start)}-{_clean(position)}.parquet"
        for (site, day), read in self._rows.get(partition, {}).items():
            rows = without_copies(read)
            erased = self._store.erased_users(partition, site)
            self._write_file(site, day, name, _without(erased, rows))
            # Who is erased meanwhile is looked for in the files that are there: this one may have come too late.
            while (newer := self._store.erased_users(partition, site)) != erased:
                erased = newer
                self._write_file(site, day, name, _without(erased, rows))
            metrics.ARCHIVE_FILES.inc()
            metrics.ARCHIVED_EVENTS.inc(len({row[_EVENT_ID] for row in rows}))

    def _write_file(self, site: str, day: int, name: str, rows: list[Row]) -> None:
        if rows:
            self._folder.write(site, day, name, rows)
        else:
            self._folder.delete(self._folder.files(site=site, date=date_of(day), name=name))

    def _on_assigned(self, partitions: frozenset[int]) -> Mapping[int, Position]:
        stored = {partition: self._store.stored_position(keys.archive_position, partition) for partition in partitions}
        found = adopt(self._events, self._store, keys.archive_position, stored)
        for partition, start in stored.items():
            leftovers = self._folder.files(name=f"p{partition}-{_clean(start)}-*.parquet")
            if leftovers and start != BEGINNING:  # without a position Redis may have been lost, and the log trimmed
                logger.info("archive.leftovers_removed partition=%s files=%s", partition, len(leftovers))
                self._folder.delete(leftovers)
        self._committed.update(found)
        self._read.update(found)
        return found

    def _on_revoked(self, partitions: frozenset[int]) -> None:
        for partition in partitions:
            self._forget(partition)
            self._committed.pop(partition, None)
            self._read.pop(partition, None)

    def _forget(self, partition: int) -> None:
        self._row_count -= sum(len(rows) for rows in self._rows.pop(partition, {}).values())


def date_of(day: int) -> str:
    """Return a UTC day (since 1970) as it stands in paths."""
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()


def _without(erased: Mapping[int, int], rows: list[Row]) -> list[Row]:
    """Return the rows without those of erased users that are older than the erasure."""
    if not erased:
        return rows
    return [row for row in rows if row[_OCCURRED_AT_MS] > erased.get(hash64(row[_USER_KEY]), -1)]


def _clean(position: Position) -> str:
    return _UNSAFE.sub("_", position) if position != BEGINNING else "begin"
