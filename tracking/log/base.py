"""The contract of the event log: an ordered, durable, partitioned list of records.

Backends are listed in ``urls.py``; the same tests run on all of them (``tests/contracts/test_event_log.py``). What is
promised: a record whose ``append`` returned is durable; records of one key keep their order. What is not: that a
record whose ``append`` failed is *not* in the log (an acknowledgement can be lost on the way), so readers meet some
records twice and must recognise them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import SplitResult

from tracking.contract.stamp import NO_STAMP, Stamp
from tracking.exceptions import ForeignPosition, LogUnavailable, TrackingError

__all__ = [
    "BEGINNING",
    "EventLog",
    "ForeignPosition",
    "InvalidLogUrl",
    "LogReader",
    "LogUnavailable",
    "LogWriter",
    "OnAssigned",
    "OnRevoked",
    "Position",
    "Record",
    "RecordTooLarge",
    "partition_for",
]

#: Where a reader goes on, and in which log (``identity.py``); opaque to everybody but the backend that made it. Kafka:
#: the next offset, in decimal. Redis Streams: the id of the last record read. Callers store positions, and compare
#: them for equality alone.
Position: TypeAlias = str

#: The position before the first record that is still kept.
BEGINNING: Final[Position] = ""

#: Called with the partitions that were given to the reader; returns where to start. A partition left out
#: starts at the beginning. May raise: ``poll`` raises it on, and calls again at its next call.
OnAssigned: TypeAlias = Callable[[frozenset[int]], Mapping[int, Position]]

#: Called with the partitions that were revoked. Another reader may have them already.
OnRevoked: TypeAlias = Callable[[frozenset[int]], None]

MAX_RECORD_BYTES: Final = 1_000_000
"""The largest key and value together: just below what a Kafka broker takes by default."""


class InvalidLogUrl(TrackingError, ValueError):
    """The URL of the event log cannot be used; the message names the part that is wrong and the remedy."""


class RecordTooLarge(LogUnavailable):
    """The record can never be appended; sending it again is of no use."""


class Record(NamedTuple):
    """One record as it was read.

    ``position`` is what to store once the record is applied: a reader that starts there meets the next record
    first. ``timestamp_ms`` is when the record was appended (epoch milliseconds), by the log's clock; ``stamp`` says who
    appended it, and what time it was for them.
    """

    partition: int
    position: Position
    key: bytes
    value: bytes
    timestamp_ms: int
    stamp: Stamp = NO_STAMP


class LogWriter(ABC):
    """Appends records from an asyncio program; one a process, used from the event loop that started it."""

    @abstractmethod
    async def start(self) -> None:
        """Begin to connect, in the background; neither waits for the log nor fails when it is unavailable."""

    @property
    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the log answered last time. A hint for status pages; ``append`` is the only proof."""

    @abstractmethod
    async def wait_ready(self, *, timeout_s: float) -> bool:
        """Wait until the log can be written to; False when ``timeout_s`` was not enough."""

    @abstractmethod
    async def append_many(
        self, records: Sequence[tuple[bytes, bytes]], *, timeout_s: float
    ) -> list[LogUnavailable | None]:
        """Append ``(key, value)`` pairs in order and wait until each is durable or has failed.

        Returns
        -------
        list, same order as ``records``
            ``None`` for what is durable, else the error. A record that timed out may still arrive later.
        """

    async def append(self, key: bytes, value: bytes, *, timeout_s: float) -> None:
        """Append one record and return once it is durable.

        Raises
        ------
        LogUnavailable
            The log did not acknowledge within ``timeout_s``, or too much is on its way already.
        RecordTooLarge
            Key and value exceed ``MAX_RECORD_BYTES``.
        """
        error = (await self.append_many([(key, value)], timeout_s=timeout_s))[0]
        if error is not None:
            raise error

    @abstractmethod
    async def flush(self, *, timeout_s: float) -> bool:
        """Wait until nothing is on its way; False when ``timeout_s`` was not enough."""

    @abstractmethod
    async def close(self, *, timeout_s: float = 5.0) -> None:
        """Flush, then give up what did not get through; every waiting ``append`` ends."""


class LogReader(ABC):
    """Reads the partitions that its group assigns to it; synchronous, used from one thread.

    The callbacks run in that thread, inside ``poll`` and ``close``, never in the middle of the caller's work.
    """

    @abstractmethod
    def poll(self, timeout_s: float, max_records: int) -> dict[int, list[Record]]:
        """Return the next records by partition, in order; waits up to ``timeout_s`` when there are none.

        Also keeps the membership of the group alive: call it at least every few seconds, even when paused.

        Raises
        ------
        LogUnavailable
            The log cannot be reached; call again.
        """

    @abstractmethod
    def assignment(self) -> frozenset[int]:
        """Return the partitions this reader reads now."""

    @abstractmethod
    def seek(self, partition: int, position: Position) -> None:
        """Go on reading ``partition`` at ``position``, or refuse it."""

    @abstractmethod
    def refused(self) -> dict[int, ForeignPosition]:
        """Return the assigned partitions that are not read, as their position is of another log.

        Each is read once ``seek`` names a position of this log.
        """

    @abstractmethod
    def commit(self, positions: Mapping[int, Position]) -> None:
        """Tell the log how far the group has applied, for lag tools only; losing a commit loses nothing."""

    @abstractmethod
    def pause(self) -> None:
        """Read nothing until ``resume``, and stay in the group."""

    @abstractmethod
    def resume(self) -> None:
        """Read again."""

    @abstractmethod
    def lag(self) -> dict[int, int]:
        """Return how many records of each assigned partition are still unread by this reader."""

    @abstractmethod
    def close(self) -> None:
        """Leave the group, so that others take over at once."""


class EventLog(ABC):
    """One topic of a log: where its writers, readers and tools come from."""

    topic: str
    partitions: int

    @classmethod
    @abstractmethod
    def at(cls, parts: SplitResult, *, partitions: int) -> EventLog:
        """Return the log that a URL of this backend names; raises ``InvalidLogUrl`` and connects to nothing.

        ``partitions`` counts where the URL does not say how many.
        """

    @abstractmethod
    def writer(self) -> LogWriter:
        """Return a writer that is not started yet."""

    @abstractmethod
    def reader(self, group: str, *, on_assigned: OnAssigned, on_revoked: OnRevoked) -> LogReader:
        """Return a reader that joins ``group`` at its first poll; one a thread."""

    @abstractmethod
    def ensure_topic(self, *, timeout_s: float = 10.0) -> int:
        """Create the topic when it is missing; return the number of its partitions."""

    @abstractmethod
    def read_range(
        self, partition: int, *, start: Position = BEGINNING, limit: int = 1_000, timeout_s: float = 10.0
    ) -> list[Record]:
        """Return up to ``limit`` records from ``start`` on, without joining a group: for tools, replays.

        Raises
        ------
        ForeignPosition
            ``start`` is not of this log.
        """

    @abstractmethod
    def end_positions(self, *, timeout_s: float = 10.0) -> dict[int, Position]:
        """Return, for each partition, the position after its newest record."""

    @abstractmethod
    def behind(self, positions: Mapping[int, Position], *, timeout_s: float = 10.0) -> dict[int, int]:
        """Return, for each partition of ``positions``, how many records come after its position.

        Raises
        ------
        ForeignPosition
            One of them is not of this log.
        """

    @abstractmethod
    def adopt(self, positions: Mapping[int, Position], *, timeout_s: float = 10.0) -> dict[int, Position]:
        """Return those positions that name no log yet, as positions of this one; none where it has no identity."""

    @abstractmethod
    def trim(self, applied: Mapping[int, Position], *, timeout_s: float = 10.0) -> int:
        """Forget records that are applied and older than what the log keeps; return how many.

        ``applied`` holds the stored position of each partition that may be trimmed. Kafka forgets by itself
        (``retention.ms`` of the topic), so there it does nothing.
        """

    @abstractmethod
    def sibling(self, suffix: str) -> EventLog:
        """Return the log of the topic ``<topic>.<suffix>`` in the same place, such as the dead letters."""

    def read_all(self, partition: int, *, start: Position = BEGINNING, chunk: int = 1_000) -> Iterator[Record]:
        """Yield what the partition holds from ``start`` on, in chunks, up to its end."""
        while records := self.read_range(partition, start=start, limit=chunk):
            yield from records
            start = records[-1].position


def partition_for(key: bytes, partitions: int) -> int:
    """Return the partition of ``key``: what Kafka's own clients choose, so that any client may produce."""
    return (murmur2(key) & 0x7FFF_FFFF) % partitions


def murmur2(data: bytes) -> int:
    """Return the unsigned 32-bit MurmurHash2 of ``data``, with Kafka's seed.

    References
    ----------
    ``org.apache.kafka.common.utils.Utils.murmur2``
    """
    length = len(data)
    multiplier = 0x5BD1_E995
    tail = length & 3
    hashed = 0x9747_B28C ^ length
    for start in range(0, length - tail, 4):
        word = int.from_bytes(data[start : start + 4], "little") * multiplier & 0xFFFF_FFFF
        hashed = hashed * multiplier & 0xFFFF_FFFF ^ ((word ^ word >> 24) * multiplier & 0xFFFF_FFFF)
    if tail:
        rest = int.from_bytes(data[length - tail :], "little")
        hashed = (hashed ^ rest) * multiplier & 0xFFFF_FFFF
    hashed = (hashed ^ hashed >> 13) * multiplier & 0xFFFF_FFFF
    return hashed ^ hashed >> 15


def oversize(key: bytes, value: bytes) -> RecordTooLarge | None:
    """Return the error for a record that no backend takes, else ``None``."""
    size = len(key) + len(value)
    if size <= MAX_RECORD_BYTES:
        return None
    return RecordTooLarge(
        f"the record has {size} bytes; the most is {MAX_RECORD_BYTES}: send fewer events in one envelope"
    )


def only_known(positions: Mapping[int, Position], assigned: Collection[int]) -> dict[int, Position]:
    """Return the positions of ``assigned``, at the beginning where there is none."""
    return {partition: positions.get(partition, BEGINNING) for partition in assigned}
