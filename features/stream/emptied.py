"""Whether Redis was emptied: a partition without a position, of which the database or the archive knows users.

A worker that began such a partition at once would count what the log still holds and nothing else, and what it counts
would replace the profiles in the database. So the partition waits for ``manage.py replay``, which rebuilds it. A
partition of which nobody knows anything is new, and begins.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import DatabaseError, close_old_connections

from features import keys, metrics
from features.archive.writer import ArchiveFolder
from features.exceptions import StoreEmptied, StoreUnavailable
from features.store.online import OnlineStore
from tracking.deferred import deferred
from tracking.log import BEGINNING, Position

if TYPE_CHECKING:
    import pyarrow.parquet as pq
else:
    pq = deferred("pyarrow.parquet")

logger = logging.getLogger(__name__)

MAX_PROFILES: Final = 20_000
MAX_FILES: Final = 20
WasUsed = Callable[[int], bool]
"""Whether anything of a partition is known outside of Redis."""


def never_used(partition: int) -> bool:
    """Return False: for workers without a database."""
    return False


def was_used(partition: int) -> bool:
    """Return whether the archive or the database knows a user of the partition.

    Raises
    ------
    StoreUnavailable
        One of them is unavailable, so that nobody can tell.
    """
    try:
        return _is_archived(partition) or _is_stored(partition)
    except (DatabaseError, OSError) as error:
        close_old_connections()
        raise StoreUnavailable(
            f"partition {partition} has no position, and whether Redis was emptied cannot be told: {error}"
        ) from error


class EmptiedPartitions:
    """Tells emptied partitions from new ones, and remembers which are emptied."""

    def __init__(self, store: OnlineStore, was_used: WasUsed) -> None:
        self._store = store
        self._was_used = was_used
        self._emptied: set[int] = set()

    def find(self, positions: Mapping[int, Position]) -> dict[int, StoreEmptied]:
        """Return the emptied ones among partitions and their stored positions; new ones are begun.

        Raises
        ------
        StoreUnavailable
            Redis, the database or the archive is unavailable.
        """
        found: dict[int, StoreEmptied] = {}
        for partition, position in positions.items():
            if position == BEGINNING and not self._store.has_position(partition):
                if self._was_used(partition):
                    found[partition] = StoreEmptied(partition)
                else:
                    self._store.begin(partition)
            if partition in found or partition in self._emptied:
                metrics.STORE_EMPTIED.labels(partition=str(partition)).set(int(partition in found))
        self._emptied = (self._emptied - positions.keys()) | found.keys()
        return found


def _is_archived(partition: int) -> bool:
    folder = ArchiveFolder(settings.ARCHIVE_URL)
    if folder.files(name=f"p{partition}-*.parquet"):
        return True
    for path in folder.files(name="joined-*.parquet")[-MAX_FILES:]:  # of all partitions
        with folder.fs.open(path, "rb") as file:
            table = pq.ParquetFile(file).read(columns=["site", "user_key"])
        known = set(zip(table["site"].to_pylist(), table["user_key"].to_pylist(), strict=True))
        if any(_is_of(partition, site, user_key) for site, user_key in known):
            return True
    return False


def _is_stored(partition: int) -> bool:
    from features.models import StoredProfile  # Celery imports this before Django is set up

    newest = StoredProfile.objects.order_by("-stored_at").values_list("site__slug", "user_key")[:MAX_PROFILES]
    return any(_is_of(partition, site, user_key) for site, user_key in newest.iterator())


def _is_of(partition: int, site: str, user_key: str) -> bool:
    from features.store import connections

    return keys.partition_of(site, user_key, connections.partitions()) == partition
