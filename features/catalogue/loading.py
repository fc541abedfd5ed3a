"""From the database to a ``CatalogueSnapshot``: everything the first time, afterwards only what changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import numpy as np

from features.catalogue.draft import with_changes
from features.catalogue.items import ItemRow
from features.catalogue.snapshot import CatalogueSnapshot
from features.models import Item

OVERLAP: Final = timedelta(seconds=60)
"""How far behind the last look we look again: a transaction may commit after a later one that we saw, and clocks of
writers may differ. Behind the last look and not the newest change: after an import every item would be read again and
again until the next change."""

CHECK_ALL_EVERY_S: Final = 900.0
"""How often every row's time is compared, in case a transaction was open for longer than ``OVERLAP``."""

_CHUNK: Final = 500  # below the number of parameters that SQLite takes in one statement
_PAUSE_S: Final = 0.0005
"""After each chunk, so that requests of the same process wait for the GIL a millisecond and not five."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS: Final = (
    "pk", "item_id", "title", "titles", "brand", "category", "url", "image_url", "price_minor",
    "sale_price_minor", "cost_minor", "currency", "availability", "stock", "group_id", "tags", "attributes",
    "is_active", "first_seen_at", "updated_at", "sale_starts_at", "sale_ends_at",
)  # fmt: skip


class CatalogueLoader:
    """Keeps one site's snapshot up to date; not thread-safe, one thread calls ``load``."""

    def __init__(self, site: str, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._items = Item.objects.filter(site__slug=site).order_by()
        self._snapshot = CatalogueSnapshot.empty(site)
        self._checked_at = 0.0
        self._looked_at = _EPOCH

    def load(self) -> CatalogueSnapshot:
        """Return the newest snapshot; the very same object when nothing changed.

        Two small queries when nothing changed: the times of the last minute, and the number of items.
        """
        old = self._snapshot
        looks_at = self._clock()
        at_us = round(looks_at.timestamp() * 1e6)
        if old.version == 0:
            self._checked_at = time.monotonic()
            self._snapshot = with_changes(old, self._all_rows(), at_us=at_us)
            self._looked_at = looks_at
            return self._snapshot
        changed = dict.fromkeys(self._changed_pks())
        changed.update(dict.fromkeys(old.pk[old.price_until_us <= at_us].tolist()))  # a sale that began or ended
        rows = list(self._rows(changed))
        new = sum(1 for row in rows if row.item_id not in old)
        deleted: set[int] = set()
        if self._items.count() != len(old) + new:
            known = set(old.pk.tolist()) - {-1}
            deleted = known - set(self._items.values_list("pk", flat=True))
        if rows or deleted:
            self._snapshot = with_changes(old, rows, deleted, at_us=at_us)
        self._looked_at = looks_at  # only now: a look that failed is taken again
        return self._snapshot

    def _changed_pks(self) -> list[int]:
        old = self._snapshot
        recent = self._items
        if time.monotonic() - self._checked_at < CHECK_ALL_EVERY_S and old.n_rows:
            after_newest = _EPOCH + timedelta(microseconds=int(old.updated_us.max()) + 1)
            recent = recent.filter(updated_at__gte=min(self._looked_at - OVERLAP, after_newest))
        else:
            self._checked_at = time.monotonic()
        pks: list[int] = []
        times_us: list[int] = []
        for number, (pk, updated_at) in enumerate(
            recent.values_list("pk", "updated_at").iterator(chunk_size=_CHUNK), start=1
        ):
            pks.append(pk)
            times_us.append(_microseconds(updated_at))
            if number % _CHUNK == 0:
                time.sleep(_PAUSE_S)
        if not pks or not old.n_rows:
            return pks
        by_pk = np.argsort(old.pk)
        rising = old.pk[by_pk]
        asked = np.asarray(pks, np.int64)
        rows = by_pk[np.minimum(np.searchsorted(rising, asked), old.n_rows - 1)]
        same = (old.pk[rows] == asked) & (old.updated_us[rows] == np.asarray(times_us, np.int64))
        changed: list[int] = asked[~same].tolist()
        return changed

    def _rows(self, pks: Iterable[int]) -> Iterator[ItemRow]:
        remaining = iter(pks)
        while chunk := list(islice(remaining, _CHUNK)):
            yield from _item_rows(self._items.filter(pk__in=chunk).values_list(*_COLUMNS))

    def _all_rows(self) -> Iterator[ItemRow]:
        return _item_rows(self._items.values_list(*_COLUMNS).iterator(chunk_size=2_000))


def _item_rows(values: Iterable[tuple[Any, ...]]) -> Iterator[ItemRow]:
    for value in values:
        times = (None if moment is None else _microseconds(moment) for moment in value[-4:])
        yield ItemRow._make((*value[:-4], *times))


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
