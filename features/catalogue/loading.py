"""From the database to a ``CatalogueSnapshot``: everything the first time, afterwards only what changed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from features.catalogue.snapshot import CatalogueSnapshot, ItemRow
from features.models import Item

OVERLAP: Final = timedelta(seconds=60)
"""How far behind the newest change we look again: a transaction may commit after a later one that we saw."""

CHECK_ALL_EVERY_S: Final = 900.0
"""How often every row's time is compared, in case a transaction was open for longer than ``OVERLAP``."""

_CHUNK: Final = 500  # below the number of parameters that SQLite takes in one statement
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS: Final = (
    "pk", "item_id", "title", "titles", "brand", "category", "url", "image_url", "price_minor",
    "sale_price_minor", "cost_minor", "currency", "availability", "stock", "group_id", "tags", "attributes",
    "is_active", "first_seen_at", "updated_at",
)  # fmt: skip


class CatalogueLoader:
    """Keeps one site's snapshot up to date; not thread-safe, one thread calls ``load``."""

    def __init__(self, site: str) -> None:
        self._items = Item.objects.filter(site__slug=site).order_by()
        self._snapshot = CatalogueSnapshot.empty(site)
        self._checked_at = 0.0

    def load(self) -> CatalogueSnapshot:
        """Return the newest snapshot; the very same object when nothing changed.

        Two small queries when nothing changed: the times of the last minute, and the number of items.
        """
        old = self._snapshot
        if old.version == 0:
            self._checked_at = time.monotonic()
            self._snapshot = old.with_changes(self._all_rows())
            return self._snapshot
        changed = self._changed_pks()
        rows = list(self._rows(changed))
        new = sum(1 for row in rows if row.item_id not in old)
        deleted: set[int] = set()
        if self._items.count() != len(old) + new:
            known = set(old.pk.tolist()) - {-1}
            deleted = known - set(self._items.values_list("pk", flat=True))
        if rows or deleted:
            self._snapshot = old.with_changes(rows, deleted)
        return self._snapshot

    def _changed_pks(self) -> list[int]:
        old = self._snapshot
        recent = self._items
        if time.monotonic() - self._checked_at < CHECK_ALL_EVERY_S and old.n_rows:
            newest_us = int(old.updated_us.max())
            recent = recent.filter(updated_at__gte=_EPOCH + timedelta(microseconds=newest_us) - OVERLAP)
        else:
            self._checked_at = time.monotonic()
        times = list(recent.values_list("pk", "updated_at").iterator(chunk_size=10_000))
        if not times:
            return []
        known = dict(zip(old.pk.tolist(), old.updated_us.tolist(), strict=True))
        return [pk for pk, updated_at in times if known.get(pk) != _microseconds(updated_at)]

    def _rows(self, pks: Sequence[int]) -> Iterator[ItemRow]:
        remaining = iter(pks)
        while chunk := list(islice(remaining, _CHUNK)):
            yield from _item_rows(self._items.filter(pk__in=chunk).values_list(*_COLUMNS))

    def _all_rows(self) -> Iterator[ItemRow]:
        return _item_rows(self._items.values_list(*_COLUMNS).iterator(chunk_size=2_000))


def _item_rows(values: Iterable[tuple[Any, ...]]) -> Iterator[ItemRow]:
    for value in values:
        yield ItemRow._make((*value[:-2], _microseconds(value[-2]), _microseconds(value[-1])))


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
