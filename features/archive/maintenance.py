"""The archive's housekeeping and its readers: join small files, forget old ones, read interactions for training."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import posixpath
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, Protocol, cast

from features.archive.rows import COLUMNS, ONCE, schema
from features.archive.writer import ArchiveFolder
from tracking.deferred import deferred

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pl = deferred("polars")
    pa = deferred("pyarrow")
    pq = deferred("pyarrow.parquet")

logger = logging.getLogger(__name__)

MIN_FILES: Final = 4
MAX_JOINED_BYTES: Final = 256 * 1024 * 1024
DRAFTS: Final = ".joining-*.part"
LEFTOVER_S: Final = 3_600.0
"""A draft that old is what a crash left; deleting one that is not only makes the next run join again."""


class DoomedRows(Protocol):
    """Says which rows of a table are to be erased."""

    @property
    def columns(self) -> Sequence[str]:
        """The columns that ``mask`` looks at."""

    def mask(self, table: pa.Table) -> pl.Series:
        """Return which rows go; bool, shape (n_rows,)."""


def read_table(folder: ArchiveFolder, path: str, *, columns: Sequence[str] = COLUMNS) -> pa.Table:
    """Return the columns of one file; those that an older version did not write hold nothing."""
    with folder.fs.open(path, "rb") as file:
        table: pa.Table = pq.ParquetFile(file).read(columns=list(columns))
    for position, name in enumerate(columns):
        if name not in table.column_names:
            table = table.add_column(position, name, pa.nulls(table.num_rows, schema().field(name).type))
    return table


def without_resends(table: pa.Table) -> pa.Table:
    """Return the table with each row of each event once: the one that was received first."""
    frame = cast("pl.DataFrame", pl.from_arrow(table))
    once = frame.sort("received_at_ms", maintain_order=True).unique(["site", *ONCE], keep="first", maintain_order=True)
    return once.to_arrow().cast(schema())


def compact(folder: ArchiveFolder, *, older_than_s: float, min_files: int = MIN_FILES) -> int:
    """Join the files of a site and day that nobody writes any more; return how many were joined.

    The joined file is named by what went in, and written before those are deleted: after a crash some rows are there
    twice, which readers drop, and the next run joins again. Memory: one day of one site, up to 256 MiB of files.

    An erasure beside it wins: a draft stands in the folder before anything is read, and an erasure that has rewritten
    a file deletes the drafts and looks again. So a joined file either is there to be looked into, or never comes.
    """
    folder.delete([path for path in folder.files(name=DRAFTS) if _age_s(folder, path) >= LEFTOVER_S])
    by_folder: dict[str, list[str]] = defaultdict(list)
    for path in folder.files():
        by_folder[posixpath.dirname(path)].append(path)
    joined = 0
    for where, paths in by_folder.items():
        try:
            chosen = _files_to_join(folder, paths, older_than_s=older_than_s, min_files=min_files)
            if len(chosen) >= 2:
                _join(folder, where, chosen)
                joined += len(chosen)
        except FileNotFoundError as error:
            logger.info("archive.join_withdrawn folder=%s missing=%s: the next run tries again", where, error)
    return joined


def drop_old(folder: ArchiveFolder, *, today: dt.date, keep_days: int) -> int:
    """Delete the files of days older than ``keep_days``; return how many."""
    oldest = (today - dt.timedelta(days=keep_days)).isoformat()
    old = [path for path in folder.files() if _date_in(path) < oldest]
    folder.delete(old)
    return len(old)


def erase_rows(folder: ArchiveFolder, *, site: str, rows: DoomedRows) -> dict[str, int]:
    """Rewrite every file that holds one of the rows without them; return files and rows that changed."""
    changed = {"files": 0, "rows": 0}
    for date in sorted({_date_in(path) for path in folder.files(site=site)}):
        while not _erase_from_day(folder, site=site, date=date, rows=rows, changed=changed):
            # Whoever joins files may have read them before: their draft goes, or what they made is found now.
            folder.delete(folder.files(site=site, date=date, name=DRAFTS))
    return changed


def iter_days(folder: ArchiveFolder, *, site: str) -> Iterator[tuple[str, pa.Table]]:
    """Yield each day's rows of a site without re-sends, oldest day first; memory: one day."""
    by_date: dict[str, list[str]] = defaultdict(list)
    for path in folder.files(site=site):
        by_date[_date_in(path)].append(path)
    for date in sorted(by_date):
        yield date, without_resends(pa.concat_tables([read_table(folder, path) for path in by_date[date]]))


def _files_to_join(folder: ArchiveFolder, paths: Sequence[str], *, older_than_s: float, min_files: int) -> list[str]:
    settled = [path for path in paths if _age_s(folder, path) >= older_than_s]
    if len(settled) < min_files:
        return []
    chosen: list[str] = []
    size = 0
    for path in settled:
        size += int(folder.fs.size(path) or 0)
        if size > MAX_JOINED_BYTES:
            break
        chosen.append(path)
    return chosen


def _join(folder: ArchiveFolder, where: str, paths: list[str]) -> None:
    digest = hashlib.sha256("\n".join(posixpath.basename(path) for path in paths).encode()).hexdigest()[:16]
    draft = posixpath.join(where, f".joining-{digest}-{uuid.uuid4().hex}.part")
    folder.begin_draft(draft)
    try:
        table = without_resends(pa.concat_tables([read_table(folder, path) for path in paths]))
        folder.publish_draft(draft, posixpath.join(where, f"joined-{digest}.parquet"), table)
    finally:
        folder.delete([draft])
    folder.delete(paths)


def _erase_from_day(folder: ArchiveFolder, *, site: str, date: str, rows: DoomedRows, changed: dict[str, int]) -> bool:
    """Rewrite the files of a day that hold one of the rows; return whether there was none, and none was joined."""
    is_clean = True
    for path in folder.files(site=site, date=date):
        try:
            doomed = rows.mask(read_table(folder, path, columns=rows.columns))
            hits = int(doomed.sum())
            if not hits:
                continue
            is_clean = False
            kept = read_table(folder, path).filter((~doomed).to_arrow())
        except FileNotFoundError:  # joined meanwhile
            is_clean = False
            continue
        if kept.num_rows:
            folder.write_table(path, kept)
        else:
            folder.delete([path])
        changed["files"] += 1
        changed["rows"] += hits
    return is_clean


def _date_in(path: str) -> str:
    return posixpath.basename(posixpath.dirname(path)).removeprefix("date=")


def _age_s(folder: ArchiveFolder, path: str) -> float:
    modified: dt.datetime = folder.fs.modified(path)
    return time.time() - modified.timestamp()
