"""The loop of a stream worker: poll → parse → read states → apply → write with the next position → announce.

Everything a batch changes is in one transaction that is guarded by the position it started from. So whatever ends a
worker, and wherever, the next one goes on from the stored position and counts nothing twice and nothing not at all.
Positions are also committed to the log, but only for lag tools.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from features import batch as micro
from features import metrics, progress
from features.apply import Past
from features.counts import CountCache
from features.dead_letters import DeadLetterSink
from features.exceptions import Fenced, StoreUnavailable, UnknownState
from features.store import Changes, OnlineStore, User
from tracking.log import EventLog, LogUnavailable, Position, Record

log = logging.getLogger(__name__)

GROUP: Final = "features"
POLL_S: Final = 0.2
LAG_EVERY_S: Final = 1.0
COMMIT_EVERY_S: Final = 1.0
BACKOFF_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0)

CATCH_UP: Final = 4
MAX_ASKED: Final = 50_000

COLLECT_AFTER: Final = (100_000, 50, 1_000)
"""A batch makes tens of thousands of objects, and none in cycles; looking for those took a third of a worker's CPU."""

Announce = Callable[[Mapping[str, Sequence[str]]], None]


class ProfileSource(Protocol):
    """What knows profiles that Redis has forgotten; see ``profiles.ProfileArchive``."""

    def start(self) -> None:
        """Begin to answer."""

    def close(self) -> None:
        """Stop answering."""

    def may_know(self, site: str) -> bool:
        """Whether it may know a user of the site that Redis does not; never blocks."""

    def ask(self, users: Iterable[User]) -> None:
        """Ask for users; never blocks."""

    def answers(self) -> dict[User, bytes | None]:
        """Return what was found since the last call."""


@dataclass(slots=True)
class Status:
    """What ``celery inspect stream`` and tests see of a worker."""

    positions: dict[int, Position] = field(default_factory=dict)
    lag_records: dict[int, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(progress.OUTCOMES, 0))
    records: int = 0
    batches: int = 0
    fenced: int = 0
    is_paused: bool = False
    freshness_ms: int | None = None


class StreamWorker:
    """Applies the partitions of one log that are assigned to it; used from one thread.

    Parameters
    ----------
    events : EventLog
    store : OnlineStore
    lateness_ms : int
        How far behind the watermark an event may be and still count.
    batch_records : int
        Most records of one poll; a partition's share of them is one transaction.
    announce : callable
        Told whose features changed, after each write.
    profiles : ProfileSource, optional
        Asked for users whom Redis does not know.
    clock : callable
        Epoch milliseconds now; for freshness only, never for what is counted.
    """

    def __init__(
        self,
        events: EventLog,
        store: OnlineStore,
        *,
        lateness_ms: int,
        batch_records: int,
        announce: Announce,
        profiles: ProfileSource | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.status = Status()
        self._store = store
        self._lateness_ms = lateness_ms
        self._batch_records = batch_records
        self._announce = announce
        self._clock = clock
        self._profiles = profiles
        self._asked: dict[User, int] = {}  # partition of each user that was asked for
        self._dead_letters = DeadLetterSink(events)
        self._caches: dict[int, CountCache] = {}
        self._uncommitted: dict[int, Position] = {}
        self._failures = 0
        self._is_behind = False
        self._next_lag_at = self._next_commit_at = 0.0
        self._reader = events.reader(GROUP, on_assigned=self._on_assigned, on_revoked=self._on_revoked)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, then finish the batch in hand and leave the group.

        Also lets this process collect cyclic garbage less often.
        """
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        if self._profiles is not None:
            self._profiles.start()
        try:
            while not stop.is_set():
                try:
                    self.step(POLL_S)
                except (StoreUnavailable, LogUnavailable, UnknownState) as error:
                    stop.wait(self._pause(error))
                except Exception as error:
                    metrics.STREAM_FAILURES.labels(error=type(error).__name__).inc()
                    log.exception("stream.failed")
                    self._rewind()
                    stop.wait(self._pause(error))
        finally:
            self.close()

    def step(self, timeout_s: float) -> int:
        """Poll once and apply what came; return the number of records.

        Raises
        ------
        StoreUnavailable, LogUnavailable
            Something is away; nothing of the batch was written, and the next step starts where it stands.
        UnknownState
            A newer program wrote a state.
        """
        if self.status.is_paused:
            self._resume()
        # A worker that is behind takes larger batches: fixed costs are shared, and nobody waits for this one anyway.
        most = self._batch_records * (CATCH_UP if self._is_behind else 1)
        polled = self._reader.poll(timeout_s, most)
        self._is_behind = sum(map(len, polled.values())) >= most
        past = self._past()
        applied = 0
        for partition in {**polled, **past}:
            records = polled.get(partition, [])
            if partition not in self.status.positions or not (records or partition in past):
                continue  # taken away while it was being read
            try:
                self._apply(partition, records, past.get(partition, {}))
            except Fenced as error:
                metrics.STREAM_FENCED.inc()
                self.status.fenced += 1
                log.warning("stream.fenced %s", error)
                self._restart(partition)
                continue
            except Exception:
                self._rewind()
                raise
            applied += len(records)
        self._failures = 0
        self._housekeeping()
        return applied

    def close(self) -> None:
        """Leave the group and let go of everything."""
        try:
            self._commit()
            self._reader.close()
        except LogUnavailable as error:
            log.warning("stream.close_failed error=%s", error)
        finally:
            self._dead_letters.close()
            if self._profiles is not None:
                self._profiles.close()

    def _may_have_past(self, site: str) -> bool:
        return self._profiles is not None and self._profiles.may_know(site)

    def _past(self) -> dict[int, dict[User, Past]]:
        """Return the database's answers by partition."""
        found: dict[int, dict[User, Past]] = {}
        if self._profiles is not None and self._asked:
            for user, blob in self._profiles.answers().items():
                partition = self._asked.pop(user, None)
                if partition is not None:
                    found.setdefault(partition, {})[user] = Past(blob)
        return found

    def _ask(self, partition: int, users: Sequence[User]) -> None:
        if self._profiles is not None and users and len(self._asked) < MAX_ASKED:
            self._asked.update((user, partition) for user in users)
            self._profiles.ask(users)

    def _apply(self, partition: int, records: Sequence[Record], past: Mapping[User, Past]) -> None:
        started = time.perf_counter()
        parsed = micro.parse_batch(partition, records)
        for user, answer in past.items():
            parsed.add_past(user, answer)
        expected = self.status.positions[partition]
        next_position = records[-1].position if records else expected
        with self._store.batch(partition) as batch:
            stored = batch.read(expected=expected, users=list(parsed.by_user))
            applied = micro.apply_batch(
                parsed, stored, lateness_ms=self._lateness_ms, may_have_past=self._may_have_past
            )
            refused = (*parsed.refused, *applied.poison)
            if refused:
                self._dead_letters.put(refused)
            cache = self._caches.setdefault(partition, CountCache())
            try:
                counts = cache.add(batch, applied.increments)
                batch.write(
                    Changes(
                        next_position=next_position,
                        progress=progress.encode(applied.progress),
                        sessions=applied.sessions,
                        profiles=applied.profiles,
                        counts=counts,
                    )
                )
            except BaseException:
                cache.clear()  # what it holds may never have been written
                raise
        self.status.positions[partition] = self._uncommitted[partition] = next_position
        self._ask(partition, applied.not_whole)
        self._count(parsed, applied.outcomes, seconds=time.perf_counter() - started)
        changed: dict[str, list[str]] = {}
        for site, user_key in applied.profiles:
            changed.setdefault(site, []).append(user_key)
        self._announce(changed)

    def _count(self, parsed: micro.ParsedBatch, outcomes: Mapping[str, int], *, seconds: float) -> None:
        self.status.batches += 1
        self.status.records += len(parsed.records)
        for outcome, amount in outcomes.items():
            if amount:
                self.status.outcomes[outcome] += amount
                metrics.STREAM_EVENTS.labels(outcome=outcome).inc(amount)
        metrics.STREAM_RECORDS.inc(len(parsed.records))
        metrics.STREAM_BATCH_SECONDS.observe(seconds)
        if parsed.newest_received_ms:
            self.status.freshness_ms = max(0, self._clock() - parsed.newest_received_ms)
            metrics.STREAM_FRESHNESS_SECONDS.observe(self.status.freshness_ms / 1_000)

    def _on_assigned(self, partitions: frozenset[int]) -> Mapping[int, Position]:
        found = self._store.positions(sorted(partitions))
        self.status.positions.update(found)
        log.info("stream.assigned partitions=%s", sorted(partitions))
        metrics.STREAM_PARTITIONS.set(len(self.status.positions))
        return found

    def _on_revoked(self, partitions: frozenset[int]) -> None:
        for partition in partitions:
            self.status.positions.pop(partition, None)
            self.status.lag_records.pop(partition, None)
            self._uncommitted.pop(partition, None)
            self._caches.pop(partition, None)
            metrics.STREAM_LAG_RECORDS.labels(partition=str(partition)).set(0)
        log.info("stream.revoked partitions=%s", sorted(partitions))
        metrics.STREAM_PARTITIONS.set(len(self.status.positions))

    def _restart(self, partition: int) -> None:
        """Go on where the store says, after somebody else wrote for the partition."""
        self._caches.pop(partition, None)
        found = self._store.positions([partition])[partition]
        self.status.positions[partition] = found
        self._reader.seek(partition, found)

    def _rewind(self) -> None:
        """Read again what was polled and not written: from where each partition stands, as far as is known."""
        for partition, position in self.status.positions.items():
            if partition in self._reader.assignment():
                self._reader.seek(partition, position)

    def _pause(self, error: Exception) -> float:
        """Stop reading until the next step; return how long to wait. Membership of the group is kept."""
        delay_s = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
        self._failures += 1
        if not self.status.is_paused:
            self.status.is_paused = True
            metrics.STREAM_PAUSES.labels(reason=type(error).__name__).inc()
            log.warning("stream.paused reason=%s error=%s", type(error).__name__, error)
            self._reader.pause()
        try:
            self._reader.poll(0.0, 1)
        except (LogUnavailable, StoreUnavailable):
            log.debug("stream.still_away", exc_info=True)
        return delay_s

    def _resume(self) -> None:
        """Read on, from the positions that are stored: a write whose answer was lost may have been done."""
        found = self._store.positions(sorted(self.status.positions))
        for partition, position in found.items():
            if position != self.status.positions[partition]:
                self.status.positions[partition] = position
                self._caches.pop(partition, None)
                self._reader.seek(partition, position)
        self._reader.resume()
        self.status.is_paused = False
        log.warning("stream.resumed partitions=%s", sorted(found))

    def _housekeeping(self) -> None:
        now = time.monotonic()
        if now >= self._next_commit_at:
            self._next_commit_at = now + COMMIT_EVERY_S
            self._commit()
        if now >= self._next_lag_at:
            self._next_lag_at = now + LAG_EVERY_S
            self.status.lag_records = self._reader.lag()
            for partition, records in self.status.lag_records.items():
                metrics.STREAM_LAG_RECORDS.labels(partition=str(partition)).set(records)

    def _commit(self) -> None:
        if self._uncommitted:
            self._reader.commit(self._uncommitted)
            self._uncommitted = {}
