"""The hashes of counts that a worker adds to, held in its memory: it is their only writer.

So a batch writes absolute values without reading them first. A hash is read once, when the worker first touches it, and
dropped whenever a write may have failed or the partition has changed hands.
"""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import msgspec

from features.money import MAX_SUM, saturated
from features.state import windows
from features.state.batch import CountIncrement
from features.store.online import Batch, CountChange

MAX_FIELDS: Final = 400_000
"""Fields held at most; about 100 bytes each. The hashes not touched for longest go first."""

_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODE: Final = msgspec.msgpack.Decoder(list[int]).decode


class CountCache:
    """Counts of one partition."""

    def __init__(self) -> None:
        # Tuples, not lists: of hundreds of thousands of those, the garbage collector would look at each.
        self._hashes: OrderedDict[str, dict[str, tuple[int, ...]]] = OrderedDict()
        self._fields = 0

    def add(self, batch: Batch, increments: Mapping[str, CountIncrement]) -> list[CountChange]:
        """Add to the counts and return what to write; on any failure to write it, call ``clear``.

        Raises
        ------
        StoreUnavailable
            A hash had to be read and Redis is unavailable; nothing was added.
        """
        missing = [key for key in increments if key not in self._hashes]
        if missing:
            for key, stored in zip(missing, batch.read_counts(missing), strict=True):
                length = len(next(iter(increments[key].amounts.values()), ()))
                self._hashes[key] = {name.decode(): _read(blob, length) for name, blob in stored.items()}
                self._fields += len(stored)
        changes: list[CountChange] = []
        for key, (amounts, ttl_s) in increments.items():
            held = self._hashes[key]
            self._hashes.move_to_end(key)
            values: dict[str, bytes] = {}
            before = len(held)
            for name, added in amounts.items():
                known = held.get(name)
                counts = tuple(added) if known is None else tuple(map(operator.add, known, added))
                if max(counts) > MAX_SUM:
                    counts = tuple(map(saturated, counts))
                held[name] = counts
                values[name] = _ENCODE(counts)
            self._fields += len(held) - before
            changes.append(CountChange(key, values, ttl_s))
        self._shrink(keep=len(increments))
        return changes

    def clear(self) -> None:
        """Forget everything; the next batch reads again."""
        self._hashes.clear()
        self._fields = 0

    def _shrink(self, *, keep: int) -> None:
        while self._fields > MAX_FIELDS and len(self._hashes) > keep:
            _, dropped = self._hashes.popitem(last=False)
            self._fields -= len(dropped)


def _read(blob: bytes, length: int) -> tuple[int, ...]:
    """Return stored counts; only those of items have ever become more."""
    counts = _DECODE(blob)
    return tuple(counts if len(counts) >= length else windows.completed(counts))
