"""The Kafka reader: a member of a consumer group that starts where its caller's stored positions say.

kafka-python runs its network loop, and with it the re-balance listener, in a thread of its own. The listener
here only takes notes and pauses what is new; the callbacks run inside ``poll``, so the caller never loses a
partition in the middle of a batch. The store's guarded offset covers the moment in which two members hold
themselves for the owner of one partition.

A join of the group that ends between two polls is discarded and begun again by kafka-python 3.0.12, which
makes all others join again too: with short polls on a busy machine, a group re-balanced once a second for ever.
So ``poll`` waits for a join that has begun.

kafka-python fetches by the topic's name, so a topic that is deleted and made again answers as if nothing had happened,
or from its beginning. So the topic's id is asked for after records were read, and what is of another topic is refused.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping
from typing import Any, Final

import kafka
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import IllegalStateError, KafkaError

from tracking.exceptions import ForeignPosition
from tracking.log.base import BEGINNING, LogReader, LogUnavailable, OnAssigned, OnRevoked, Position, Record, only_known
from tracking.log.identity import check_end, check_identity, offset_of, position_in
from tracking.log.kafka_client import (
    FRESH_S,
    KafkaAddress,
    TopicIdentity,
    common_options,
    to_record,
    unavailable,
)

logger = logging.getLogger(__name__)

MAX_POLL_RECORDS: Final = 2_000
"""68 to 104 thousand records a second, against 51 thousand at the default of 500."""
SESSION_TIMEOUT_MS: Final = 6_000
"""The least a broker allows by default: so soon a killed worker's partitions go to the others."""
MAX_POLL_GAP_MS: Final = 20_000
"""A worker that does not poll for this long is stuck. It also bounds how long the others wait for a member that
became unavailable in the middle of a re-balance: its pending join holds up its own leave."""
CONNECT_TIMEOUT_MS: Final = 2_000
JOIN_TIMEOUT_MS: Final = 8_000
"""A little longer than the session of a member that died, for which the others wait."""
IDLE_CHECK_S: Final = 2.0
"""How soon a topic that was made again is found while it has nothing to read."""
LAG_TIMEOUT_MS: Final = 1_000
CLOSE_TIMEOUT_MS: Final = 2_000


class KafkaReader(LogReader):
    """Reads one topic as a member of a group."""

    def __init__(self, address: KafkaAddress, group: str, on_assigned: OnAssigned, on_revoked: OnRevoked) -> None:
        self._address = address
        self._group = group
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._consumer: Any = None
        self._next: dict[int, int] = {}  # partition → next offset to read; only what the caller knows of
        # Of the topic that ``_next`` points into; empty where nothing was read since the beginning: any topic will do.
        self._identities: dict[int, str] = {}
        self._refused: dict[int, ForeignPosition] = {}
        self._lock = threading.Lock()
        self._given: dict[int, int] = {}  # given by the group, no position requested yet → number of the gift
        self._n_gifts = 0
        self._taken: set[int] = set()  # taken by the group, and the caller not told yet
        self._topic = TopicIdentity(address)
        self._is_paused = False
        self._is_closed = False

    def poll(self, timeout_s: float, max_records: int) -> dict[int, list[Record]]:
        """Return the next records by partition; joins the group at the first call."""
        if self._is_closed:
            raise RuntimeError("the reader is closed; make a new one")
        if self._consumer is None:
            self._consumer = self._join()
        self._tell_caller()
        with unavailable("poll"):
            self._finish_joining()
            polled = self._consumer.poll(timeout_ms=int(timeout_s * 1000), max_records=max_records)
            if not polled:
                self._finish_joining()
        self._tell_caller()
        self._verify(polled)
        found: dict[int, list[Record]] = {}
        for slot, messages in polled.items():
            # What was fetched before the caller named its position, or of a partition taken meanwhile, is
            # not for the caller.
            if (wanted := self._next.get(slot.partition)) is None:
                continue
            if messages[0].offset >= wanted:
                identity = self._identities[slot.partition] or self._topic.recent()
                self._identities[slot.partition] = identity
                found[slot.partition] = [to_record(message, identity) for message in messages]
                self._next[slot.partition] = messages[-1].offset + 1
            elif self._identities[slot.partition]:
                self._seek(self._slot(slot.partition), wanted)
            else:
                self._start_at({slot.partition: BEGINNING})
        return found

    def assignment(self) -> frozenset[int]:
        """Return the partitions this reader reads now."""
        return frozenset(self._next.keys() | self._refused.keys())

    def seek(self, partition: int, position: Position) -> None:
        """Go on reading ``partition`` at ``position``."""
        if partition not in self.assignment():
            raise ValueError(f"partition {partition} is not assigned; assigned are {sorted(self.assignment())}")
        self._start_at({partition: position})

    def refused(self) -> dict[int, ForeignPosition]:
        """Return the partitions whose position is of another topic."""
        return dict(self._refused)

    def commit(self, positions: Mapping[int, Position]) -> None:
        """Commit group offsets in the background; a re-balance that refuses them is no harm."""
        offsets = {
            self._slot(partition): kafka.OffsetAndMetadata(int(offset_of(position)), "", -1)
            for partition, position in positions.items()
            if position and partition in self._next
        }
        if not offsets or self._consumer is None:
            return
        try:
            self._consumer.commit_async(offsets, callback=_ignore)
        except KafkaError as error:
            logger.debug("log.commit_refused reason=%s", error)

    def pause(self) -> None:
        """Read nothing until ``resume``."""
        self._is_paused = True
        self._for_each_slot("pause")

    def resume(self) -> None:
        """Read again."""
        self._is_paused = False
        self._for_each_slot("resume")

    def lag(self) -> dict[int, int]:
        """Return the distance to the end of each assigned partition."""
        if not self._next:
            return {}
        with unavailable("read the lag"):
            slots = [self._slot(partition) for partition in self._next]
            ends = self._consumer.end_offsets(slots, timeout_ms=LAG_TIMEOUT_MS)
        return {
            slot.partition: max(0, end - self._next[slot.partition])
            for slot, end in ends.items()
            if slot.partition in self._next
        }

    def close(self) -> None:
        """Leave the group; its other members take over at once."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._consumer is not None:
            try:
                self._consumer.close(autocommit=False, timeout_ms=CLOSE_TIMEOUT_MS)
                self._topic.close()
            except (KafkaError, OSError) as error:
                logger.warning("log.reader_close_failed reason=%s", error)
        lost = self.assignment()
        self._next.clear()
        self._refused.clear()
        if lost:
            self._on_revoked(lost)

    def _join(self) -> Any:
        with unavailable(f"connect to {','.join(self._address.servers)}"):
            consumer = kafka.KafkaConsumer(
                **common_options(self._address),
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                partition_assignment_strategy=[CooperativeStickyAssignor],
                max_poll_records=MAX_POLL_RECORDS,
                fetch_max_bytes=16 * 1024 * 1024,
                max_partition_fetch_bytes=2 * 1024 * 1024,
                fetch_max_wait_ms=250,
                session_timeout_ms=SESSION_TIMEOUT_MS,
                heartbeat_interval_ms=1_000,
                max_poll_interval_ms=MAX_POLL_GAP_MS,
                request_timeout_ms=10_000,
                bootstrap_timeout_ms=CONNECT_TIMEOUT_MS,
                allow_auto_create_topics=False,
                # A new partition of the topic is found within this time.
                metadata_max_age_ms=30_000,
            )
            consumer.subscribe([self._address.topic], listener=_Listener(self))
            # Who leads the group deals out what it knows: joining before the topic is known would deal out nothing,
            # to everybody, until the next re-balance.
            try:
                consumer.partitions_for_topic(self._address.topic)
            except BaseException:
                consumer.close(autocommit=False, timeout_ms=CLOSE_TIMEOUT_MS)
                raise
        return consumer

    def _finish_joining(self) -> None:
        coordinator = self._consumer._coordinator
        if coordinator.need_rejoin():
            coordinator.poll(timeout_ms=JOIN_TIMEOUT_MS)

    # Called from kafka-python's thread.

    def note_given(self, slots: set[Any]) -> None:
        """Take a note of new partitions, and hold them until the caller has named their positions."""
        self._consumer.pause(*slots)
        with self._lock:
            self._n_gifts += 1
            self._given |= {slot.partition: self._n_gifts for slot in slots}

    def note_taken(self, slots: set[Any]) -> None:
        """Take a note of partitions that others read from now on."""
        with self._lock:
            partitions = {slot.partition for slot in slots}
            self._taken |= partitions
            for partition in partitions:
                self._given.pop(partition, None)

    # Called from the caller's thread.

    def _tell_caller(self) -> None:
        """Tell the caller what was taken and given since the last time."""
        with self._lock:
            taken, self._taken = self._taken & self.assignment(), set()
            gifts = dict(self._given)
        if taken:
            for partition in taken:
                self._next.pop(partition, None)
                self._refused.pop(partition, None)
            logger.info("log.partitions_revoked topic=%s partitions=%s", self._address.topic, sorted(taken))
            self._on_revoked(frozenset(taken))
        if given := frozenset(gifts):
            # When the caller cannot say (its store is unavailable) the note stays, and the caller is called again.
            positions = only_known(self._on_assigned(given), given)
            self._start_at(positions)
            with self._lock:
                # What was taken and given again meanwhile is paused again, and its position is requested again.
                self._given = {
                    partition: gift for partition, gift in self._given.items() if gifts.get(partition) != gift
                }
            logger.info("log.partitions_assigned topic=%s partitions=%s", self._address.topic, sorted(given))

    def _start_at(self, positions: Mapping[int, Position]) -> None:
        slots = [self._slot(partition) for partition in positions]
        with unavailable("read the first and last offsets"):
            firsts = self._consumer.beginning_offsets(slots, timeout_ms=CONNECT_TIMEOUT_MS)
            ends = self._consumer.end_offsets(slots, timeout_ms=CONNECT_TIMEOUT_MS)
        identity = self._topic.current()
        for slot in slots:
            first, position = firsts[slot], positions[slot.partition]
            try:
                wanted = self._checked(slot.partition, position, identity=identity, first=first, end=ends[slot])
            except ForeignPosition as error:
                self._refuse(slot, error)
                continue
            if wanted < first:
                logger.error(
                    "log.records_gone topic=%s partition=%s stored=%s oldest=%s",
                    self._address.topic, slot.partition, wanted, first,
                )  # fmt: skip
                wanted = first
            if not self._seek(slot, wanted):
                continue  # revoked again in this moment; the note of that is on its way
            if self._refused.pop(slot.partition, None) is not None:
                logger.warning("log.position_accepted topic=%s partition=%s", self._address.topic, slot.partition)
            self._next[slot.partition] = wanted
            self._identities[slot.partition] = identity if position else ""

    def _checked(self, partition: int, position: Position, *, identity: str, first: int, end: int) -> int:
        """Return the offset of a position; raises ``ForeignPosition`` when it is not of the topic."""
        topic = self._address.topic
        check_identity(position, identity, topic=topic, partition=partition)
        offset = int(offset_of(position) or first)
        check_end(position, is_beyond=offset > end, end=str(end), topic=topic, partition=partition)
        return offset

    def _verify(self, polled: Collection[Any]) -> None:
        """Refuse what points into a topic that was deleted before the records were read that were just polled."""
        try:
            identity = self._topic.recent(FRESH_S if polled else IDLE_CHECK_S)
        except LogUnavailable:
            if not polled:
                return
            for slot in polled:  # nobody gets what was polled: it is polled again
                if slot.partition in self._next:
                    self._seek(slot, self._next[slot.partition])
            raise
        if not identity:  # the topic is not there at the moment, or nameless
            return
        for partition, offset in list(self._next.items()):
            if self._identities[partition] and self._identities[partition] != identity:
                self._start_at({partition: position_in(str(offset), self._identities[partition])})

    def _refuse(self, slot: Any, error: ForeignPosition) -> None:
        if slot.partition not in self._refused:
            logger.error("log.position_foreign topic=%s partition=%s: %s", slot.topic, slot.partition, error)
        self._refused[slot.partition] = error
        self._next.pop(slot.partition, None)
        try:
            self._consumer.pause(slot)
        except (KeyError, IllegalStateError):
            return  # revoked in this moment

    def _seek(self, slot: Any, offset: int) -> bool:
        """Let the consumer read on at an offset; False when the partition was revoked in this moment."""
        try:
            self._consumer.seek(slot, offset)
            if not self._is_paused:
                self._consumer.resume(slot)
        except (ValueError, IllegalStateError):
            return False
        return True

    def _for_each_slot(self, method: str) -> None:
        for partition in self._next:
            try:
                getattr(self._consumer, method)(self._slot(partition))
            except (KeyError, IllegalStateError):
                continue  # revoked in this moment

    def _slot(self, partition: int) -> Any:
        return kafka.TopicPartition(self._address.topic, partition)


class _Listener(kafka.ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Passes on what the group decides."""

    def __init__(self, reader: KafkaReader) -> None:
        self._reader = reader

    def on_partitions_assigned(self, assigned: set[Any]) -> None:
        """Hold new partitions."""
        if assigned:
            self._reader.note_given(set(assigned))

    def on_partitions_revoked(self, revoked: set[Any]) -> None:
        """Note what others read from now on."""
        self._reader.note_taken(set(revoked))

    def on_partitions_lost(self, lost: set[Any]) -> None:
        """Note what others read already: the member did not poll for too long."""
        self._reader.note_taken(set(lost))


def _ignore(_offsets: object, error: object) -> None:
    if isinstance(error, Exception):
        logger.debug("log.commit_failed reason=%s", error)
