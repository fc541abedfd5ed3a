"""The loop of a stream worker: poll → parse → read states → apply → write with the next position → announce.

Everything a batch changes is in one transaction that is guarded by the position it started from. So whatever ends a
worker, and wherever, the next one goes on from the stored position and counts nothing twice and nothing not at all.
Positions are also committed to the log, but only for lag tools.

All partitions of a poll are in flight at once, and Redis works for one while the worker works for another. A worker
that is behind even polls and parses the next records before what it sent last is acknowledged.

A record that fails is put aside, a partition that fails halts alone; only where Redis or the log is unavailable do all
partitions wait.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from features import keys, metrics
from features.exceptions import Fenced, PartitionsDiffer, StoreUnavailable
from features.money import MoneyOfSite, in_euros
from features.state import batch as micro
from features.state.counting.networks import Voices, voice_of_the_day
from features.state.counting.unknown import KeysOfSite, know_everything
from features.store.counts import CountCache
from features.store.foreign_positions import ForeignPositions, adopt
from features.store.memory import MemoryWatermark
from features.store.online import OnlineStore
from features.store.own_clock import OwnClock
from features.stream.dead_letters import DeadLetterSink
from features.stream.emptied import EmptiedPartitions, WasUsed, never_used
from features.stream.halts import Halts
from features.stream.in_flight import InFlightBatch
from features.stream.notify import TRACES, traces_of
from features.stream.outgoing.forwarding import ForwardSink
from features.stream.restore import NoProfiles, ProfileRestore, ProfileSource
from features.stream.status import Status
from tracking.log import EventLog, LogUnavailable, Position
from tracking.quality.clocks import note_clocks
from tracking.redis_client import UNAVAILABLE

logger = logging.getLogger(__name__)

GROUP: Final = "features"
POLL_S: Final = 0.2
LAG_EVERY_S: Final = 1.0
COMMIT_EVERY_S: Final = 1.0
MEMORY_EVERY_S: Final = 15.0
BACKOFF_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0)

CATCH_UP: Final = 4
MAX_IN_FLIGHT: Final = 16
"""Partitions in flight at once; each has a connection of its own."""

COLLECT_AFTER: Final = (100_000, 50, 1_000)
"""A batch makes tens of thousands of objects, and none in cycles; looking for those took a third of a worker's CPU."""

Announce = Callable[[Mapping[str, Sequence[str]]], None]


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
    keys_of_site : callable
        From a site to the items and placements that it has; never blocks. Of others, a bounded number is told apart.
    money_of : callable
        From a site to its currency and exchange rates; a partition whose site has none loaded waits alone.
    voices : callable
        From the tag of a network to what is the same for that network on all days.
    drops : callable
        What says of a record whether it is not to be applied; None where nothing is left out. Never blocks.
    was_used : callable
        Whether anything of a partition is known outside of Redis; asked for partitions without a position.
    clock : callable
        Epoch milliseconds now; for freshness only, never for what is counted.
    """

    def __init__(  # the parts of one worker, each of which tests replace on its own
        self,
        events: EventLog,
        store: OnlineStore,
        *,
        lateness_ms: int,
        batch_records: int,
        announce: Announce,
        profiles: ProfileSource | None = None,
        keys_of_site: KeysOfSite = know_everything,
        money_of: MoneyOfSite = in_euros,
        voices: Voices = voice_of_the_day,
        was_used: WasUsed = never_used,
        drops: Callable[[], micro.Drops | None] = lambda: None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.status = Status()
        self._events, self._topic, self._partitions = events, events.topic, events.partitions
        self._store = store
        self._lateness_ms = lateness_ms
        self._batch_records = batch_records
        self._announce = announce
        self._keys_of_site = keys_of_site
        self._money_of = money_of
        self._voices = voices
        self._clock = OwnClock(clock)
        self._drops = drops
        self._profiles = profiles or NoProfiles()
        self._restore = ProfileRestore(self._profiles)
        self._dead_letters = DeadLetterSink(events)
        self._forwards = ForwardSink(events)
        self._halts = Halts()
        self._watermark = MemoryWatermark()
        self._emptied = EmptiedPartitions(store, was_used)
        self._foreign = ForeignPositions(store, group=GROUP, name_key=keys.position)
        self._caches: dict[int, CountCache] = {}
        self._in_flight: list[InFlightBatch] = []  # sent and not acknowledged
        self._uncommitted: dict[int, Position] = {}
        self._failures = 0
        self._is_behind = False
        self._must_look_up = False  # where the partitions stand: what was polled or sent may be lost
        self._next_lag_at = self._next_commit_at = self._next_memory_at = 0.0
        self._reader = events.reader(GROUP, on_assigned=self._on_assigned, on_revoked=self._on_revoked)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, then finish the batch in hand and leave the group.

        Also lets this process collect cyclic garbage less often.
        """
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        self._profiles.start()
        try:
            while not stop.is_set():
                try:
                    self.step(POLL_S)
                except (StoreUnavailable, LogUnavailable, PartitionsDiffer) as error:
                    stop.wait(self._pause(error))
                except Exception as error:
                    metrics.STREAM_FAILURES.labels(error=type(error).__name__).inc()
                    logger.exception("stream.failed")
                    stop.wait(self._pause(error))
        finally:
            self.close()

    def step(self, timeout_s: float) -> int:
        """Poll once and apply what came; return the number of records.

        A worker that is behind leaves the last writes in flight; the next step or ``close`` waits for them.

        Raises
        ------
        StoreUnavailable, LogUnavailable
            Something is unavailable; nothing of the batch was written, and the next step starts where it stands.
        PartitionsDiffer
            Somebody repartitioned the topic: nothing goes on until a person looks.
        """
        if self.status.is_paused or self._must_look_up:
            self._resume()
        self._go_on(self._halts.take_due())
        # A worker that is behind takes larger batches: fixed costs are shared, and nobody waits for this one anyway.
        most = self._batch_records * (CATCH_UP if self._is_behind else 1)
        polled = self._reader.poll(0.0 if self._in_flight else timeout_s, most)
        self._is_behind = sum(map(len, polled.values())) >= self._batch_records
        try:
            past, drops = self._restore.answers(), self._drops()
            # What a halted partition reads meanwhile is read again: it goes on from where it stands.
            batches = [
                InFlightBatch(partition, records, past.get(partition, {}), cache=self._cache(partition), drops=drops)
                for partition in {**polled, **past}
                if partition not in self._halts and ((records := polled.get(partition, [])) or partition in past)
            ]
            left_out = self._wait_acknowledged()
            applied = 0
            for start in range(0, len(batches), MAX_IN_FLIGHT):
                applied += self._send([one for one in batches[start:][:MAX_IN_FLIGHT] if one.partition not in left_out])
                if start + MAX_IN_FLIGHT < len(batches) or not self._is_behind:
                    self._wait_acknowledged()
        except BaseException:
            self._discard_in_flight()
            raise
        self._failures = 0
        self._housekeeping()
        return applied

    def close(self) -> None:
        """Wait for what is in flight, leave the group and release everything."""
        try:
            self._wait_acknowledged_if_possible()
            self._commit()
            self._reader.close()
        except LogUnavailable as error:
            logger.warning("stream.close_failed error=%s", error)
        finally:
            self._dead_letters.close()
            self._forwards.close()
            self._profiles.close()

    def _send(self, batches: Sequence[InFlightBatch]) -> int:
        """Request the states of all batches, then apply and send one after the other; return the number of records."""
        requested: list[InFlightBatch] = []
        sent = 0
        try:
            for batch in batches:
                expected = self.status.positions.get(batch.partition)
                if expected is not None:  # else it was revoked while it was being read
                    requested.append(batch)
                    batch.request(self._store, expected=expected)
            for batch in requested:
                try:
                    batch.send(
                        self._dead_letters,
                        self._forwards,
                        lateness_ms=self._lateness_ms,
                        may_have_past=self._profiles.may_know,
                        keys_of_site=self._keys_of_site,
                        money_of=self._money_of,
                        voices=self._voices,
                        begins_anonymous=not self._watermark.is_above,
                    )
                except Fenced as error:
                    self._is_fenced(batch, error)
                except (StoreUnavailable, LogUnavailable):
                    raise
                except Exception as error:
                    self._halt(batch, error)
                else:
                    self._in_flight.append(batch)
                    sent += len(batch.parsed.records)
        except BaseException:
            for batch in requested:
                batch.discard()
            raise
        return sent

    def _wait_acknowledged(self) -> set[int]:
        """Wait until what was sent is written, and announce it; return the partitions whose batch was not written.

        Raises
        ------
        StoreUnavailable
            Redis is unavailable; what became of the writes is not known.
        """
        left_out: set[int] = set()
        changed: dict[str, list[str]] = {}
        while self._in_flight:
            batch = self._in_flight[0]
            try:
                batch.wait_acknowledged()
            except Fenced as error:
                left_out.add(batch.partition)
                self._is_fenced(batch, error)
            except StoreUnavailable:
                raise
            except Exception as error:
                left_out.add(batch.partition)
                self._halt(batch, error)
            else:
                self._acknowledged(batch)
                for site, user_key in batch.changed:
                    changed.setdefault(site, []).append(user_key)
                if batch.traced:
                    changed.setdefault(TRACES, []).extend(traces_of(batch.traced, batch.changed))
            del self._in_flight[0]
        if changed:
            self._announce_changed(changed)
        return left_out

    def _announce_changed(self, changed: Mapping[str, Sequence[str]]) -> None:
        try:
            self._announce(changed)
        except Exception as error:  # it is written already, and must not be taken for lost
            metrics.STREAM_FAILURES.labels(error=type(error).__name__).inc()
            logger.exception("stream.announce_failed sites=%s", sorted(changed))

    def _acknowledged(self, batch: InFlightBatch) -> None:
        if batch.partition in self.status.positions:
            self.status.positions[batch.partition] = self._uncommitted[batch.partition] = batch.next_position
        self._halts.recovered(batch.partition)
        self.status.halted = self._halts.errors
        self._restore.request(batch.partition, batch.partially_loaded)
        self.status.count(batch, now_ms=self._clock.now_ms())

    def _is_fenced(self, batch: InFlightBatch, error: Fenced) -> None:
        """Go on where the store says, after somebody else wrote for the partition."""
        metrics.STREAM_FENCED.inc()
        self.status.fenced += 1
        logger.warning("stream.fenced error=%s", error)
        batch.discard()
        if batch.partition in self.status.positions:
            found = self._positions([batch.partition])[batch.partition]
            self.status.positions[batch.partition] = found
            self._reader.seek(batch.partition, found)

    def _halt(self, batch: InFlightBatch, error: Exception) -> None:
        batch.discard()
        self._halts.add(batch.partition, error)
        self.status.halted = self._halts.errors

    def _go_on(self, partitions: Sequence[int]) -> None:
        """Try halted partitions again, from the position that is stored."""
        for partition, found in self._positions(partitions).items():
            if partition in self.status.positions and partition in self._reader.assignment():
                if found != self.status.positions[partition]:
                    self._halts.recovered(partition)  # it was written, and only the answer failed
                self.status.positions[partition] = found
                self._reader.seek(partition, found)
        self.status.halted = self._halts.errors

    def _wait_acknowledged_if_possible(self) -> None:
        try:
            self._wait_acknowledged()
        except (StoreUnavailable, LogUnavailable) as error:
            logger.warning(
                "stream.unacknowledged partitions=%s error=%s", [one.partition for one in self._in_flight], error
            )
            self._discard_in_flight()

    def _discard_in_flight(self) -> None:
        """Forget what was sent and not acknowledged; where the partitions stand must be looked up before going on."""
        self._must_look_up = True
        for batch in self._in_flight:
            batch.discard()
        self._in_flight.clear()

    def _positions(self, partitions: Sequence[int]) -> dict[int, Position]:
        """Return the stored positions; partitions that Redis has lost halt until they are rebuilt."""
        found = self._store.positions(partitions)
        for partition, error in self._emptied.find(found).items():
            self._halts.add(partition, error)
        self.status.halted = self._halts.errors
        return found

    def _cache(self, partition: int) -> CountCache:
        return self._caches.setdefault(partition, CountCache())

    def _on_assigned(self, partitions: frozenset[int]) -> Mapping[int, Position]:
        if max(partitions) >= self._partitions:
            raise PartitionsDiffer(self._topic, found=max(partitions) + 1, configured=self._partitions)
        found = adopt(self._events, self._store, keys.position, self._positions(sorted(partitions)))
        self.status.positions.update(found)
        logger.info("stream.assigned partitions=%s", sorted(partitions))
        metrics.STREAM_PARTITIONS.set(len(self.status.positions))
        return found

    def _on_revoked(self, partitions: frozenset[int]) -> None:
        # The next owner finds what this one wrote. Nothing is sought here: the reader is in the middle of its work.
        for batch in [one for one in self._in_flight if one.partition in partitions]:
            self._in_flight.remove(batch)
            try:
                batch.wait_acknowledged()
                self._acknowledged(batch)
            except (Fenced, StoreUnavailable) as error:
                logger.warning("stream.revoked_unacknowledged partition=%s error=%s", batch.partition, error)
                batch.discard()
        for partition in partitions:
            self.status.positions.pop(partition, None)
            self.status.lag_records.pop(partition, None)
            self._uncommitted.pop(partition, None)
            self._caches.pop(partition, None)
            self._halts.forget(partition)
            metrics.STREAM_LAG_RECORDS.labels(partition=str(partition)).set(0)
        logger.info("stream.revoked partitions=%s", sorted(partitions))
        metrics.STREAM_PARTITIONS.set(len(self.status.positions))

    def _pause(self, error: Exception) -> float:
        """Stop reading until the next step; return how long to wait. Membership of the group is kept."""
        self._wait_acknowledged_if_possible()
        delay_s = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
        self._failures += 1
        if not self.status.is_paused:
            self.status.is_paused = True
            metrics.STREAM_PAUSES.labels(reason=type(error).__name__).inc()
            logger.warning("stream.paused reason=%s error=%s", type(error).__name__, error)
            self._reader.pause()
        try:
            self._reader.poll(0.0, 1)
        except (LogUnavailable, StoreUnavailable, PartitionsDiffer):
            logger.debug("stream.still_unavailable", exc_info=True)
        self._look_at_memory(time.monotonic())  # a Redis that is full pauses its workers, and has to be seen
        return delay_s

    def _resume(self) -> None:
        """Read on, from the positions that are stored: a write whose answer was lost may have been done."""
        found = self._positions(sorted(self.status.positions))
        for partition, position in found.items():
            if position != self.status.positions[partition]:
                self.status.positions[partition] = position
                self._caches.pop(partition, None)
            # Also where they agree: what was polled before the pause may not have been applied.
            if partition in self._reader.assignment():
                self._reader.seek(partition, position)
        if self.status.is_paused:
            self._reader.resume()
            self.status.is_paused = False
            logger.warning("stream.resumed partitions=%s", sorted(found))
        self._must_look_up = False

    def _housekeeping(self) -> None:
        for partition, position in self._foreign.look(self._reader).items():
            self.status.positions[partition] = position
            self._caches.pop(partition, None)
        self.status.foreign = self._foreign.errors
        now = time.monotonic()
        if now >= self._next_commit_at:
            self._next_commit_at = now + COMMIT_EVERY_S
            self._commit()
        self._look_at_memory(now)
        if now >= self._next_lag_at:
            self._next_lag_at = now + LAG_EVERY_S
            self._note_clocks()
            self.status.lag_records = self._reader.lag()
            for partition, records in self.status.lag_records.items():
                metrics.STREAM_LAG_RECORDS.labels(partition=str(partition)).set(records)

    def _look_at_memory(self, now: float) -> None:
        if now >= self._next_memory_at:
            self._next_memory_at = now + MEMORY_EVERY_S
            self._watermark.look(self._store.client)
            self._clock.look(self._store.client)
            if self._clock.ahead_ms:
                self.status.name_clock(self._clock.process, self._clock.ahead_ms, now_ms=self._clock.now_ms())

    def _note_clocks(self) -> None:
        if self.status.clocks_off:
            try:
                note_clocks(self._store.client, self.status.clocks_off, now_ms=self._clock.now_ms())
            except UNAVAILABLE as error:
                logger.warning("stream.clocks_not_noted error=%s", error)
            else:
                self.status.clocks_off = {}

    def _commit(self) -> None:
        if self._uncommitted:
            self._reader.commit(self._uncommitted)
            self._uncommitted = {}
