"""RFM scores and segments of all buyers of a site: read, computed, and written where serving reads them.

Two passes over Redis by SCAN. The first keeps four numbers a buyer, so quintiles are exact up to ``MAX_BUYERS`` (28
bytes each); beyond, they are those of every second, fourth … buyer by hash, and the run says so. The second writes the
segments that changed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import numpy as np
import redis
from numpy.typing import NDArray

from features import keys
from features.segments import rfm
from features.segments.rfm import Buyers, Quintiles, SegmentRule
from features.state.identity import joins
from features.state.purchases import hash64
from features.state.states import ProfileState, decode_profile
from features.state.user_features import Segment
from features.store.redis_pipe import Command, borrowed, raise_errors
from features.store.scan import scan_states
from tracking.contract.user_key import key_of_anonymous

logger = logging.getLogger(__name__)

MAX_BUYERS: Final = 1_000_000
CHUNK: Final = 1_000
_ENCODE: Final = msgspec.msgpack.Encoder().encode
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRun:
    """What one run found."""

    site: str
    users: int
    is_exact: bool
    seconds: float
    written: int
    bounds: Quintiles
    cells: list[list[tuple[int, int]]]
    sizes: dict[str, int]


class _Segments(NamedTuple):
    """What was found of all buyers: their hashes, ascending, their scores in that order, and segments by scores."""

    hashes: Hashes
    scores: NDArray[np.int8]
    names: dict[tuple[int, int, int], str]


class BuyerTable:
    """Buyers by the hash of their user key; the anonymous ids of a user count as the user."""

    def __init__(self, *, max_buyers: int = MAX_BUYERS) -> None:
        self._max = max_buyers
        self._mask = 0  # grows when there are too many: only hashes without these bits are kept
        self._rows: list[NDArray[np.uint64]] = []
        self._chunk: list[tuple[int, int, int, int]] = []
        self._aliases: dict[int, int] = {}  # hash of an anonymous key -> hash of its user's key
        self._count = 0
        self.is_exact = True

    def add(self, user_key: str, profile: ProfileState) -> None:
        """Take a profile in; anonymous ids are learnt from whoever they belong to."""
        hashed = hash64(user_key)
        for anonymous_id in joins.joined(profile.aliases):
            self._aliases[hash64(key_of_anonymous(anonymous_id))] = hashed
        if not profile.orders or hashed & self._mask:
            return
        net = profile.revenue - profile.refunded
        self._chunk.append((hashed, profile.last_purchase_ms, profile.orders, net & 0xFFFF_FFFF_FFFF_FFFF))
        self._count += 1
        if len(self._chunk) >= 50_000:
            self._flush()
        if self._count > self._max:
            self._thin()

    def buyers(self) -> tuple[Hashes, Buyers]:
        """Return the hash of each buyer, ascending, and the buyers in the same order."""
        self._flush()
        rows = np.concatenate(self._rows) if self._rows else np.zeros((0, 4), np.uint64)
        owners = np.array([self._aliases.get(int(hashed), int(hashed)) for hashed in rows[:, 0]], np.uint64)
        unique, inverse = np.unique(owners, return_inverse=True)
        last = np.zeros(len(unique), np.int64)
        np.maximum.at(last, inverse, rows[:, 1].astype(np.int64))
        orders = np.zeros(len(unique), np.int64)
        np.add.at(orders, inverse, rows[:, 2].astype(np.int64))
        monetary = np.zeros(len(unique), np.int64)
        np.add.at(monetary, inverse, rows[:, 3].view(np.int64))
        return unique, Buyers(last_purchase_ms=last, orders=orders, monetary=monetary)

    def owner(self, user_key: str) -> int:
        """Return the hash of the user that a user key belongs to."""
        hashed = hash64(user_key)
        return self._aliases.get(hashed, hashed)

    def _flush(self) -> None:
        if self._chunk:
            self._rows.append(np.array(self._chunk, np.uint64))
            self._chunk = []

    def _thin(self) -> None:
        self.is_exact = False
        self._mask = self._mask * 2 + 1
        self._flush()
        rows = np.concatenate(self._rows)
        self._rows = [rows[(rows[:, 0] & np.uint64(self._mask)) == 0]]
        self._count = len(self._rows[0])


def compute_segments(
    client: redis.Redis,
    site: str,
    *,
    partitions: int,
    rules: Sequence[SegmentRule] = rfm.DEFAULT_RULES,
    ttl_s: int,
    max_buyers: int = MAX_BUYERS,
) -> SegmentRun:
    """Score all buyers of a site and write the segments that changed.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable; what was written stays, and the next run completes it.
    """
    started = time.perf_counter()
    table = BuyerTable(max_buyers=max_buyers)
    for stored in scan_states(client, partitions=partitions, view=keys.PROFILE, site=site):
        table.add(stored.user_key, decode_profile(stored.blob))
    hashes, buyers = table.buyers()
    bounds = rfm.quintiles(buyers)
    scored = rfm.scores(buyers, bounds)
    names = rfm.segment_table(rules)
    written = _write(client, site, table, _Segments(hashes, scored, names), partitions=partitions, ttl_s=ttl_s)
    return SegmentRun(
        site=site,
        users=len(buyers),
        is_exact=table.is_exact,
        seconds=time.perf_counter() - started,
        written=written,
        bounds=bounds,
        cells=rfm.heat_map(scored, buyers.monetary),
        sizes=rfm.segment_sizes(scored, names),
    )


def _write(
    client: redis.Redis,
    site: str,
    table: BuyerTable,
    segments: _Segments,
    *,
    partitions: int,
    ttl_s: int,
) -> int:
    hashes = segments.hashes
    blobs = {scores: _ENCODE(Segment(name, *scores)) for scores, name in segments.names.items()}
    written = 0
    for partition in range(partitions):
        for users in _chunks(client, site, partition, partitions=partitions):
            wanted: dict[str, bytes] = {}
            for user_key in users:
                hashed = np.uint64(table.owner(user_key))
                row = int(np.searchsorted(hashes, hashed))
                if row < len(hashes) and hashes[row] == hashed:
                    recency, frequency, monetary = segments.scores[row].tolist()
                    wanted[keys.segment(partition, site, user_key)] = blobs[(recency, frequency, monetary)]
            if wanted:
                written += _write_changed(client, partition, wanted, ttl_s=ttl_s)
    return written


def _chunks(client: redis.Redis, site: str, partition: int, *, partitions: int) -> Iterator[list[str]]:
    chunk: list[str] = []
    for stored in scan_states(client, partitions=partitions, view=keys.PROFILE, site=site, only_partition=partition):
        chunk.append(stored.user_key)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    yield chunk


def _write_changed(client: redis.Redis, partition: int, wanted: dict[str, bytes], *, ttl_s: int) -> int:
    names = list(wanted)
    with borrowed(client, keys.prefix(partition)) as pipe:
        answers = pipe.send([("MGET", *names)])
        raise_errors(client, answers)
        commands: list[Command] = [
            ("SET", name, wanted[name], "EX", ttl_s)
            for name, stored in zip(names, answers[0], strict=True)
            if stored != wanted[name]
        ]
        raise_errors(client, pipe.send(commands))
    return len(commands)
