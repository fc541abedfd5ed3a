"""The log in memory: the twin for tests, shared by all of one process that open the same name.

It keeps the contract, and can be told to fail: ``MemoryLog.fail_with`` makes appends and polls raise, and
``MemoryLog.hold`` lets appends wait, as a frozen broker does.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import SplitResult

from tracking.contract.stamp import make_stamp, read_stamp
from tracking.exceptions import ForeignPosition
from tracking.log.base import (
    BEGINNING,
    EventLog,
    LogReader,
    LogUnavailable,
    LogWriter,
    OnAssigned,
    OnRevoked,
    Position,
    Record,
    only_known,
    oversize,
    partition_for,
)
from tracking.log.identity import check_end, check_identity, identity_of, offset_of, position_in
from tracking.log.options import DEFAULT_TOPIC, MAX_PARTITIONS, Options

logger = logging.getLogger(__name__)

POLL_STEP_S = 0.005


@dataclass(slots=True)
class _Topic:
    """The records of one topic, and the readers of its groups in the order in which they joined."""

    partitions: list[list[Record]]
    identity: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    groups: dict[str, list[MemoryReader]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    failure: LogUnavailable | None = None
    is_held: bool = False

    def index_of(self, topic: str, partition: int, position: Position) -> int:
        """Return where a position points in the list of a partition; raises ``ForeignPosition``."""
        check_identity(position, self.identity, topic=topic, partition=partition)
        index, end = int(offset_of(position) or "0"), len(self.partitions[partition])
        check_end(position, is_beyond=index > end, end=str(end), topic=topic, partition=partition)
        return index

    def position(self, index: int) -> Position:
        """Return the position of an index of a list."""
        return position_in(str(index), self.identity)


class MemoryLog(EventLog):
    """A topic in this process."""

    _topics: ClassVar[dict[tuple[str, str], _Topic]] = {}

    def __init__(self, *, name: str = "default", topic: str = "recsite.events", partitions: int = 4) -> None:
        self.name = name
        self.topic = topic
        self.partitions = partitions
        self._state = self._topics.setdefault((name, topic), _Topic([[] for _ in range(partitions)]))

    @classmethod
    def at(cls, parts: SplitResult, *, partitions: int) -> MemoryLog:
        """Return the topic of this process that ``memory://name?partitions=4`` names."""
        options = Options(parts)
        partitions = options.integer("partitions", partitions, minimum=1, maximum=MAX_PARTITIONS)
        options.refuse_the_rest()
        return cls(name=parts.netloc or "default", topic=DEFAULT_TOPIC, partitions=partitions)

    @classmethod
    def forget_all(cls) -> None:
        """Drop every topic of this process."""
        cls._topics.clear()

    def fail_with(self, failure: LogUnavailable | None) -> None:
        """Make appends and polls raise ``failure``; ``None`` heals the log."""
        self._state.failure = failure

    def make_again(self) -> None:
        """Delete the topic and make it again, as an operator can: empty, under the same name."""
        with self._state.lock:
            for records in self._state.partitions:
                records.clear()
            self._state.identity = uuid.uuid4().hex[:16]

    def hold(self, is_held: bool) -> None:
        """Let appends wait until their time-out, like a frozen broker, or go on again."""
        self._state.is_held = is_held

    def writer(self) -> MemoryWriter:
        """Return a writer."""
        return MemoryWriter(self._state)

    def reader(self, group: str, *, on_assigned: OnAssigned, on_revoked: OnRevoked) -> MemoryReader:
        """Return a reader; partitions are dealt out in turn to the readers of the group."""
        return MemoryReader(self._state, self.topic, group, on_assigned, on_revoked)

    def ensure_topic(self, *, timeout_s: float = 10.0) -> int:
        """Return the number of partitions; the topic is always there."""
        return len(self._state.partitions)

    def read_range(
        self, partition: int, *, start: Position = BEGINNING, limit: int = 1_000, timeout_s: float = 10.0
    ) -> list[Record]:
        """Return up to ``limit`` records from ``start`` on."""
        records = self._state.partitions[partition]
        first = self._state.index_of(self.topic, partition, start)
        return [record for record in records[first : first + limit] if record.position]

    def end_positions(self, *, timeout_s: float = 10.0) -> dict[int, Position]:
        """Return, for each partition, the position after its newest record."""
        return {index: self._state.position(len(records)) for index, records in enumerate(self._state.partitions)}

    def behind(self, positions: Mapping[int, Position], *, timeout_s: float = 10.0) -> dict[int, int]:
        """Return how many records come after each position."""
        return {
            partition: len(self._state.partitions[partition]) - self._state.index_of(self.topic, partition, position)
            for partition, position in positions.items()
        }

    def adopt(self, positions: Mapping[int, Position], *, timeout_s: float = 10.0) -> dict[int, Position]:
        """Return those positions that name no log yet, as positions of this one."""
        return {
            partition: position_in(position, self._state.identity)
            for partition, position in positions.items()
            if position and not identity_of(position)
        }

    def trim(self, applied: Mapping[int, Position], *, timeout_s: float = 10.0) -> int:
        """Forget everything that is applied."""
        trimmed = 0
        with self._state.lock:
            for partition, position in applied.items():
                records = self._state.partitions[partition]
                for index in range(self._state.index_of(self.topic, partition, position)):
                    if records[index].position:
                        records[index] = Record(partition, "", b"", b"", 0)
                        trimmed += 1
        return trimmed

    def sibling(self, suffix: str) -> MemoryLog:
        """Return the log of ``<topic>.<suffix>`` in the same process."""
        return MemoryLog(name=self.name, topic=f"{self.topic}.{suffix}", partitions=self.partitions)


class MemoryWriter(LogWriter):
    """Appends to lists."""

    def __init__(self, state: _Topic) -> None:
        self._state = state

    async def start(self) -> None:
        """There is nothing to connect to."""

    @property
    def is_ready(self) -> bool:
        """Whether appends would succeed."""
        return self._state.failure is None and not self._state.is_held

    async def wait_ready(self, *, timeout_s: float) -> bool:
        """Whether appends would succeed."""
        return self.is_ready

    async def append_many(
        self, records: Sequence[tuple[bytes, bytes]], *, timeout_s: float
    ) -> list[LogUnavailable | None]:
        """Append all, or none when the log was told to fail."""
        give_up_at = time.monotonic() + timeout_s
        while self._state.is_held:
            if time.monotonic() >= give_up_at:
                return [LogUnavailable(f"no acknowledgement within {timeout_s} s")] * len(records)
            await asyncio.sleep(0.001)
        if self._state.failure is not None:
            return [self._state.failure] * len(records)
        return [self._append_one(key, value) for key, value in records]

    def _append_one(self, key: bytes, value: bytes) -> LogUnavailable | None:
        error = oversize(key, value)
        if error is not None:
            return error
        partition = partition_for(key, len(self._state.partitions))
        with self._state.lock:
            records = self._state.partitions[partition]
            position = self._state.position(len(records) + 1)
            now_ms, stamp = time.time_ns() // 1_000_000, read_stamp(make_stamp())
            records.append(Record(partition, position, key, value, now_ms, stamp))
        return None

    async def flush(self, *, timeout_s: float) -> bool:
        """Nothing is ever on its way."""
        return True

    async def close(self, *, timeout_s: float = 5.0) -> None:
        """There is nothing to close."""


class MemoryReader(LogReader):
    """Reads from the lists; partitions are assigned again at the next poll of each of its readers."""

    def __init__(self, state: _Topic, topic: str, group: str, on_assigned: OnAssigned, on_revoked: OnRevoked) -> None:
        self._state = state
        self._topic = topic
        self._group = group
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._next: dict[int, int] = {}
        self._identity = state.identity  # of the log that all of ``_next`` point into
        self._refused: dict[int, ForeignPosition] = {}
        self._is_paused = False
        self._is_member = False
        self._is_closed = False

    def poll(self, timeout_s: float, max_records: int) -> dict[int, list[Record]]:
        """Return the next records by partition."""
        if self._is_closed:
            raise RuntimeError("the reader is closed; make a new one")
        if self._state.failure is not None:
            raise self._state.failure
        self._rebalance()
        give_up_at = time.monotonic() + timeout_s
        while True:
            self._verify()
            found = {} if self._is_paused else self._take(max_records)
            if found or time.monotonic() >= give_up_at:
                return found
            time.sleep(POLL_STEP_S)

    def assignment(self) -> frozenset[int]:
        """Return the partitions this reader reads now."""
        return frozenset(self._next.keys() | self._refused.keys())

    def seek(self, partition: int, position: Position) -> None:
        """Go on reading ``partition`` at ``position``."""
        if partition not in self.assignment():
            raise ValueError(f"partition {partition} is not assigned; assigned are {sorted(self.assignment())}")
        self._start_at(partition, position)

    def refused(self) -> dict[int, ForeignPosition]:
        """Return the partitions whose position is of another log."""
        return dict(self._refused)

    def commit(self, positions: Mapping[int, Position]) -> None:
        """Nobody reads the lag of a group in memory."""

    def pause(self) -> None:
        """Read nothing until ``resume``."""
        self._is_paused = True

    def resume(self) -> None:
        """Read again."""
        self._is_paused = False

    def lag(self) -> dict[int, int]:
        """Return how many records of each assigned partition are still unread."""
        return {partition: len(self._state.partitions[partition]) - start for partition, start in self._next.items()}

    def close(self) -> None:
        """Leave the group."""
        if self._is_closed:
            return
        self._is_closed = True
        with self._state.lock:
            members = self._state.groups.get(self._group, [])
            if self in members:
                members.remove(self)
        if mine := self.assignment():
            self._on_revoked(self._drop(set(mine)))

    def _rebalance(self) -> None:
        with self._state.lock:
            members = self._state.groups.setdefault(self._group, [])
            if not self._is_member:
                members.append(self)
                self._is_member = True
            mine = members.index(self)
            wanted = {index for index in range(len(self._state.partitions)) if index % len(members) == mine}
            taken = {index for other in members if other is not self for index in other.assignment()}
        if lost := set(self.assignment()) - wanted:
            self._on_revoked(self._drop(lost))
        if added := wanted - self.assignment() - taken:
            for partition, position in only_known(self._on_assigned(frozenset(added)), added).items():
                self._start_at(partition, position)

    def _start_at(self, partition: int, position: Position) -> None:
        self._next.pop(partition, None)
        self._refused.pop(partition, None)
        try:
            self._next[partition] = self._state.index_of(self._topic, partition, position)
        except ForeignPosition as error:
            self._refused[partition] = error
            logger.error("log.position_foreign topic=%s partition=%s: %s", self._topic, partition, error)

    def _verify(self) -> None:
        """Refuse what points into a log that was deleted meanwhile."""
        if self._identity != self._state.identity:
            old, self._identity = self._identity, self._state.identity
            for partition, index in list(self._next.items()):
                self._start_at(partition, position_in(str(index), old) if index else BEGINNING)

    def _drop(self, partitions: set[int]) -> frozenset[int]:
        for partition in partitions:
            self._next.pop(partition, None)
            self._refused.pop(partition, None)
        return frozenset(partitions)

    def _take(self, max_records: int) -> dict[int, list[Record]]:
        found: dict[int, list[Record]] = {}
        for partition, start in self._next.items():
            batch = self._state.partitions[partition][start : start + max_records]
            max_records -= len(batch)
            self._next[partition] = start + len(batch)
            kept = [record for record in batch if record.position]
            if kept:
                found[partition] = kept
            if max_records <= 0:
                break
        return found
