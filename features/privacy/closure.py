"""Finds everything that a person is known by: from Redis, the database, and the whole archive of a site."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from features.archive.maintenance import read_table
from features.archive.writer import ArchiveFolder
from features.privacy.ownership import LOGIN_COLUMNS, Ownership, browsers_in, logins_in
from tracking.deferred import deferred

if TYPE_CHECKING:
    import polars as pl
else:
    pl = deferred("polars")


def find_ownership(folder: ArchiveFolder, *, site: str, user_id: str | None, browsers: Sequence[str]) -> Ownership:
    """Return what is the person's; ``browsers`` are the anonymous ids that are known from elsewhere.

    A profile keeps the newest of its browsers alone, so the archive is asked for all: twice, three columns of it, a
    file at a time.

    Raises
    ------
    OSError
        The archive cannot be read.
    """
    known = tuple(dict.fromkeys(browsers))
    if user_id:
        known = browsers_in(_frames(folder, site), user_id=user_id, also=known)
    if not known:
        return Ownership(user_id=user_id)
    on_them = (frame.filter(pl.col("anonymous_id").is_in(list(known))) for frame in _frames(folder, site))
    return Ownership(user_id=user_id, browsers=known, logins=logins_in(on_them))


def _frames(folder: ArchiveFolder, site: str) -> Iterator[pl.DataFrame]:
    """Yield the logins of every file; where files were joined meanwhile, also of the one that holds their rows now."""
    read: set[str] = set()
    while waiting := [path for path in folder.files(site=site) if path not in read]:
        for path in waiting:
            read.add(path)
            with contextlib.suppress(FileNotFoundError):  # joined: what it became is listed in the next round
                table = read_table(folder, path, columns=LOGIN_COLUMNS)
                yield cast("pl.DataFrame", pl.from_arrow(table))
