"""The hashes of counts that a worker adds to, held in its memory: it is their only writer.

So a batch writes absolute values without reading them first. A hash is read once, when the worker first touches it, and
dropped whenever a write may have failed or the partition has changed hands.
"""

from __future__ import annotations

import heapq
import operator
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from features.money import MAX_SUM, saturated
from features.state import windows
from features.state.batch import CountIncrement
from features.state.counting.unknown import REST, Bound
from features.store.online import Batch, CountChange

MAX_FIELDS: Final = 400_000
"""Fields held at most; about 100 bytes each. The hashes not touched for longest go first."""
MAX_PUSHED_OUT: Final = 65_536
"""Fields that were pushed out of a bounded hash and whose rank is remembered; about 150 bytes each."""

Adding = Callable[["tuple[int, ...] | None", Sequence[int]], "tuple[int, ...]"]

_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODE: Final = msgspec.msgpack.Decoder(list[int]).decode


class CountCache:
    """Counts of one partition."""

    def __init__(self) -> None:
        # Tuples, not lists: of hundreds of thousands of those, the garbage collector would look at each.
        self._hashes: OrderedDict[str, dict[str, tuple[int, ...]]] = OrderedDict()
        self._fields = 0
        self._pushed_out: OrderedDict[tuple[str, str], int] = OrderedDict()  # (hash, field) → rank
        self._corrections = 0

    def add(
        self, batch: Batch, increments: Mapping[str, CountIncrement], bounds: Mapping[str, Bound] | None = None
    ) -> list[CountChange]:
        """Add to the counts and return what to write; on any failure to write it, call ``clear``.

        Hashes that have a bound in ``bounds`` keep so many fields.

        Raises
        ------
        StoreUnavailable
            A hash had to be read and Redis is unavailable; nothing was added.
        """
        missing = [key for key in increments if key not in self._hashes]
        if missing:
            for key, fields in zip(missing, batch.read_counts(missing), strict=True):
                read = _read_item if increments[key].is_of_items else _read
                self._hashes[key] = {name.decode(): read(blob) for name, blob in fields.items()}
                self._fields += len(fields)
        changes: list[CountChange] = []
        for key, (amounts, ttl_s, is_of_items) in increments.items():
            add = _sum_of_item if is_of_items else _sum
            bound = bounds.get(key) if bounds else None
            held = self._hashes[key]
            self._hashes.move_to_end(key)
            stored = frozenset() if bound is None else frozenset(held)
            before = len(held)
            for name, added in amounts.items():
                held[name] = add(held.get(name), added)
            pushed_out = frozenset() if bound is None else self._push_out(held, bound, add)
            values = {name: _ENCODE(held[name]) for name in amounts if name not in pushed_out}
            if pushed_out:
                values[REST] = _ENCODE(held[REST])
            self._fields += len(held) - before
            changes.append(CountChange(key, values, ttl_s, tuple(sorted(stored & pushed_out))))
        self._shrink(keep=len(increments))
        return changes

    def _push_out(self, held: dict[str, tuple[int, ...]], bound: Bound, add: Adding) -> frozenset[str]:
        """Keep the fields of the highest rank, add the others up under ``REST``, and return these.

        Of equal rank, those that were there first stay. What had visitors and is pushed out is remembered for a while:
        once it comes again, its rank is higher than that of what never does.
        """
        if len(held) - (REST in held) <= bound.most:
            return frozenset()
        by = self._hashes.get(bound.ranked_by, held)
        past = self._pushed_out

        def rank(name: str) -> int:
            counts = by.get(name)
            own = sum(counts[bound.first_metric : bound.end_metric]) if counts is not None else 0
            return own + past.get((bound.ranked_by, name), 0)

        kept = frozenset(heapq.nlargest(bound.most, (name for name in held if name != REST), key=rank))
        gone = frozenset(name for name in held if name not in kept and name != REST)
        if by is held:
            for name in gone:
                if worth := rank(name):
                    past[bound.ranked_by, name] = worth
                    past.move_to_end((bound.ranked_by, name))
            while len(past) > MAX_PUSHED_OUT:
                past.popitem(last=False)
        for name in gone:
            held[REST] = add(held.get(REST), held.pop(name))
        if add is _sum_of_item:  # of nobody in particular, so no networks: one large value unpacks the whole hash
            held[REST] = held[REST][: windows.N_SUMS]
        return gone

    def follow(self, corrections: int) -> None:
        """Forget everything where somebody beside the worker has changed counts since the last batch."""
        if corrections != self._corrections:
            self.clear()
            self._corrections = corrections

    def clear(self) -> None:
        """Forget everything; the next batch reads again."""
        self._hashes.clear()
        self._fields = 0

    def _shrink(self, *, keep: int) -> None:
        while self._fields > MAX_FIELDS and len(self._hashes) > keep:
            _, dropped = self._hashes.popitem(last=False)
            self._fields -= len(dropped)


def _sum(known: tuple[int, ...] | None, added: Sequence[int]) -> tuple[int, ...]:
    counts = tuple(added) if known is None else tuple(map(operator.add, known, added))
    return tuple(map(saturated, counts)) if max(counts) > MAX_SUM else counts


def _sum_of_item(known: tuple[int, ...] | None, added: Sequence[int]) -> tuple[int, ...]:
    return tuple(added) if known is None else tuple(windows.add_counts(known, added))


def _read(blob: bytes) -> tuple[int, ...]:
    return tuple(_DECODE(blob))


def _read_item(blob: bytes) -> tuple[int, ...]:
    """Return stored counts of an item; they have become more with each version."""
    return tuple(windows.completed(_DECODE(blob)))
