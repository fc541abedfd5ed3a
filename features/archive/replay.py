"""States rebuilt from what happened, out of the archive or the log, by the worker's own functions."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

import redis

from features import keys
from features.archive.maintenance import iter_days
from features.archive.rows import record_of
from features.archive.writer import ArchiveFolder
from features.exceptions import FeatureError
from features.money import MoneyOfSite, in_euros
from features.state import batch as micro
from features.state import progress
from features.state.apply import newest_ms_of
from features.state.counting.networks import Voices, voice_of_the_day
from features.state.counting.unknown import KeysOfSite, know_everything
from features.state.orders.book import Forwarding
from features.state.orders.forwarded import as_record
from features.state.purchases import hash64
from features.store import scan
from features.store.counts import CountCache
from features.store.online import Batch, Changes, OnlineStore
from features.store.orders import apply_with_orders
from features.store.redis_pipe import borrowed, raise_errors
from features.store.scan import StoredState
from tracking.contract.events import log_key
from tracking.contract.parsing import FORWARDED_MARK, encode_record, parse_record
from tracking.exceptions import InvalidEvent
from tracking.log import BEGINNING, EventLog, Record, partition_for

logger = logging.getLogger(__name__)

BATCH: int = 1_000
CHUNK: int = 1_000
Report = Callable[[int], None]


class NotEmpty(FeatureError):
    """There are states already, which a replay would add to: empty them first, or name another Redis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One state that is not what a replay makes of the events."""

    view: str
    site: str
    user_key: str
    what: str


class Replayer:
    """Applies records to a store, batch by batch; the store must have been empty, and have no other writer.

    Parameters
    ----------
    is_erased : callable
        Whether a user's events up to a time must not come back: ``is_erased(site, user_key, occurred_at_ms)``.
    drops : callable, optional
        Whether a record is not to be applied, whoever it is of: ``drops(record)``.
    """

    def __init__(  # what a worker has, each of which tests replace on its own
        self,
        store: OnlineStore,
        *,
        partitions: int,
        lateness_ms: int,
        is_erased: Callable[[str, str, int], bool] = lambda site, user_key, at_ms: False,
        keys_of_site: KeysOfSite = know_everything,
        money_of: MoneyOfSite = in_euros,
        voices: Voices = voice_of_the_day,
        drops: micro.Drops | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._money_of = money_of
        self._voices = voices
        self._drops_record = drops
        self._clock = clock
        self._keys_of_site = keys_of_site
        self._store = store
        self._partitions = partitions
        self._lateness_ms = lateness_ms
        self._is_erased = is_erased
        self._waiting: dict[int, list[Record]] = {}
        self._positions = dict.fromkeys(range(partitions), BEGINNING)
        self._caches = {partition: CountCache() for partition in range(partitions)}
        self.records = 0

    def from_log(self, events: EventLog, *, report: Report | None = None) -> int:
        """Apply everything that the log still holds, and leave the positions where it ends."""
        for partition in range(self._partitions):
            for record in events.read_all(partition):
                if not _is_forwarded(record):  # who an order stands with is found again
                    self._add(record, report)
            self._flush(partition, report)
        self._flush_all(report)
        return self.records

    def from_archive(self, folder: ArchiveFolder, *, sites: Sequence[str], report: Report | None = None) -> int:
        """Apply everything in the archive, in the order in which it was received.

        The archive keeps no time of the log. What it says of the future is of a clock that was wrong: watermarks are
        bounded by now, or what comes next would be late.
        """
        number, now_ms = 0, self._clock()
        for site in sites:
            for key, value in archived_records(folder, site=site):
                number += 1
                self._add(Record(partition_for(key, self._partitions), f"archive-{number}", key, value, now_ms), report)
        self._flush_all(report)
        return self.records

    def begin_at_the_log(self) -> None:
        """Let stream workers begin at the log's beginning, after a replay from the archive.

        What is in both is met again and counts once: it is known by its id, or too late by the watermark.
        """
        for partition, position in self._positions.items():
            if position != BEGINNING:
                self._store.advance(keys.position, partition, expected=position, position=BEGINNING)
                self._positions[partition] = BEGINNING

    def _flush_all(self, report: Report | None) -> None:
        """Apply what waits, and what that tells the owners of orders in other partitions."""
        while self._waiting:
            for partition in sorted(self._waiting):
                self._flush(partition, report)

    def _tell_owner(self, site: str, forwarding: Forwarding) -> None:
        key, value = as_record(site, forwarding, now_ms=0)
        partition = partition_for(key, self._partitions)
        waiting = self._waiting.setdefault(partition, [])
        position = waiting[-1].position if waiting else self._positions[partition]
        waiting.append(Record(partition, position, key, value, 0))

    def _add(self, record: Record, report: Report | None) -> None:
        waiting = self._waiting.setdefault(record.partition, [])
        waiting.append(record)
        if len(waiting) >= BATCH:
            self._flush(record.partition, report)

    def _flush(self, partition: int, report: Report | None) -> None:
        records = self._waiting.pop(partition, [])
        if not records:
            return
        parsed = micro.parse_batch(partition, records)
        if self._drops_record is not None:
            parsed = micro.without_dropped(parsed, self._drops_record)
        for user in [user for user in parsed.by_user if self._drops(parsed, user)]:
            del parsed.by_user[user]
        parsed.orders = {
            name: at_ms
            for name, at_ms in parsed.orders.items()
            if name[:2] in parsed.by_user and not self._is_erased(name[0], name[1], at_ms)
        }
        with self._store.batch(partition) as batch:
            batch.request(expected=self._positions[partition], users=list(parsed.by_user))
            stored = batch.read()
            applied = self._apply(parsed, stored, batch)
            counts = self._caches[partition].add(batch, applied.increments, applied.bounds)
            batch.send(
                Changes(
                    next_position=records[-1].position,
                    progress=progress.encode(applied.progress),
                    sessions=applied.sessions,
                    profiles=applied.profiles,
                    orders=applied.orders,
                    counts=counts,
                )
            )
            batch.wait_acknowledged()
        self._positions[partition] = records[-1].position
        for site, forwarding in applied.forwardings:
            self._tell_owner(site, forwarding)
        self.records += len(records)
        if report is not None:
            report(self.records)

    def _apply(self, parsed: micro.ParsedBatch, stored: micro.StoredBatch, batch: Batch) -> micro.Applied:
        """Apply the records; those that break a function were put aside when they came, and are left out here, too."""
        apply = partial(
            micro.apply_batch,
            stored=stored,
            lateness_ms=self._lateness_ms,
            keys_of_site=self._keys_of_site,
            money_of=self._money_of,
            voices=self._voices,
        )
        attempt = partial(apply_with_orders, apply, stored=stored, batch=batch)
        try:
            return attempt(parsed)
        except (FeatureError, MemoryError):
            raise
        except Exception:
            logger.exception("replay.batch_failed partition=%s records=%s", parsed.partition, len(parsed.in_order))
            _, applied = micro.without_failing(parsed, attempt)
            return applied

    def _drops(self, parsed: micro.ParsedBatch, user: tuple[str, str]) -> bool:
        """Leave out the records of an erased user that are older than the erasure; True when none is left."""
        kept = [
            index
            for index in parsed.by_user[user]
            if not self._is_erased(*user, newest_ms_of(parsed.in_order[index][1]))
        ]
        parsed.by_user[user] = kept
        return not kept


def _is_forwarded(record: Record) -> bool:
    if FORWARDED_MARK not in record.value:
        return False
    try:
        return parse_record(record.value).forwarded is not None
    except InvalidEvent:
        return False


def archived_records(folder: ArchiveFolder, *, site: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of each archived event as a record of the log, by day and then by reception."""
    for _, table in iter_days(folder, site=site):
        rows = table.sort_by([(name, "ascending") for name in ("received_at_ms", "event_id", "user_key", "row")])
        event: list[dict[str, Any]] = []
        for batch in rows.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                if event and any(row[name] != event[0][name] for name in ("event_id", "user_key")):
                    yield _as_record(event)
                    event = []
                event.append(row)
        if event:
            yield _as_record(event)


def _as_record(rows: list[dict[str, Any]]) -> tuple[bytes, bytes]:
    record = record_of(rows)
    return log_key(record.site, record.user_key), encode_record(record)


def check_empty(client: redis.Redis, *, partitions: int) -> None:
    """Raise ``NotEmpty`` when there are states."""
    for view in (keys.PROFILE, keys.SESSION):
        for stored in scan.scan_states(client, partitions=partitions, view=view):
            raise NotEmpty(
                f"site {stored.site!r} has {view} states already; replay into an empty Redis database, "
                "or empty this one with --flush once the stream workers are stopped"
            )


def differences(
    online: redis.Redis, replayed: redis.Redis, *, partitions: int, lateness_ms: int, site: str = "*", every: int = 1
) -> Iterator[Difference]:
    """Yield where the profiles of two stores mean different things; sessions only where both have one.

    A session that Redis has forgotten after its TTL is rebuilt by a replay, so its absence is not a difference.
    ``every`` n-th user is compared, chosen by the hash of the key. Memory: one chunk of users.
    """

    def chosen(client: redis.Redis, view: str) -> Iterator[list[StoredState]]:
        states = scan.scan_states(client, partitions=partitions, view=view, site=site)
        mine = (state for state in states if hash64(state.user_key) % every == 0)
        while chunk := list(islice(mine, CHUNK)):
            yield chunk

    for view in (keys.PROFILE, keys.SESSION):
        for chunk in chosen(online, view):
            for stored, other in zip(chunk, _blobs_beside(replayed, chunk), strict=True):
                what = _what_differs(stored, other, lateness_ms=lateness_ms)
                if what is not None:
                    yield Difference(view=view, site=stored.site, user_key=stored.user_key, what=what)
    for chunk in chosen(replayed, keys.PROFILE):
        for stored, other in zip(chunk, _blobs_beside(online, chunk), strict=True):
            if other is None:
                yield Difference(
                    view=keys.PROFILE, site=stored.site, user_key=stored.user_key, what="only in the replay"
                )


def _blobs_beside(client: redis.Redis, states: Sequence[StoredState]) -> list[bytes | None]:
    """Return the same users' states in another store; one round trip a partition."""
    name_key = {keys.PROFILE: keys.profile, keys.SESSION: keys.session}
    found: list[bytes | None] = []
    for partition, group in groupby(states, key=attrgetter("partition")):
        names = [name_key[one.view](partition, one.site, one.user_key) for one in group]
        with borrowed(client, names[0]) as pipe:
            answers = pipe.send([("MGET", *names)])
            raise_errors(client, answers)
        found += answers[0]
    return found


def _what_differs(stored: StoredState, blob: bytes | None, *, lateness_ms: int) -> str | None:
    if blob is None:
        return "not in the replay"
    mine = scan.meaning(stored, lateness_ms=lateness_ms)
    other = scan.meaning(replace(stored, blob=blob), lateness_ms=lateness_ms)
    return None if mine == other else _first_difference(stored.view, mine, other)


def _first_difference(view: str, mine: list[object], other: list[object]) -> str:
    from features.state.states import ProfileState, SessionState

    fields = (SessionState if view == keys.SESSION else ProfileState).__struct_fields__
    names = [name for name in fields if name != "is_fully_loaded"]
    for name, left, right in zip(names, mine, other, strict=True):
        if left != right:
            return f"{name}: online {left!r:.120}, replayed {right!r:.120}"
    return "nothing"


def empty_states(client: redis.Redis, *, partitions: int, log_name: str) -> int:
    """Delete everything that a replay rebuilds, and the positions; stop the stream workers first."""
    deleted = 0
    for number in range(keys.ORDER_TAGS):
        deleted += _delete_owners(client, number)
    for partition in range(partitions):
        archived = keys.archive_position(partition, log_name).encode()
        cursor: Any = b"0"
        while True:
            with borrowed(client, keys.prefix(partition)) as pipe:
                answers = pipe.send([("SCAN", cursor, "MATCH", keys.everything_pattern(partition), "COUNT", 2_000)])
                raise_errors(client, answers)
                cursor, names = answers[0]
                doomed = [name for name in names if name != archived and not name.endswith(b":erased")]
                if doomed:
                    raise_errors(client, pipe.send([("DEL", *doomed)]))
                    deleted += len(doomed)
            if cursor == b"0":
                break
    return deleted


def _delete_owners(client: redis.Redis, number: int) -> int:
    """Delete who orders stand with, of one hash tag."""
    deleted = 0
    prefix = keys.owners_prefix(number)
    cursor: Any = b"0"
    while True:
        with borrowed(client, prefix) as pipe:
            answers = pipe.send([("SCAN", cursor, "MATCH", f"{prefix}*", "COUNT", 2_000)])
            raise_errors(client, answers)
            cursor, names = answers[0]
            if names:
                raise_errors(client, pipe.send([("DEL", *names)]))
                deleted += len(names)
        if cursor == b"0":
            return deleted
