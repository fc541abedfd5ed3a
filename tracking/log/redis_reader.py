"""The Redis Streams reader: reads the streams whose leases it holds, from the positions its caller stored."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

import redis

from tracking import redis_client
from tracking.exceptions import ForeignPosition
from tracking.log.base import LogReader, OnAssigned, OnRevoked, Position, Record, only_known
from tracking.log.identity import check_identity, identity_of, offset_of, position_in
from tracking.log.redis_leases import Leases
from tracking.log.redis_topic import (
    RedisAddress,
    agree_on_partitions,
    check_position,
    read_identity,
    sequence,
    to_record,
    unavailable,
    unread,
)

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 2.0
MAX_BLOCK_S: Final = 0.5
"""One blocking read; shorter than the time-out, and often enough to notice what the leases did."""
CLUSTER_STEP_S: Final = 0.02
"""Streams of a Cluster are on several servers, so no read can wait for all of them."""
MAX_POLL_BYTES: Final = 16 * 1024 * 1024


class RedisStreamsReader(LogReader):
    """Reads one topic as a member of a group."""

    def __init__(self, address: RedisAddress, group: str, on_assigned: OnAssigned, on_revoked: OnRevoked) -> None:
        self._address = address
        self._group = group
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._client: redis.Redis | None = None
        self._leases: Leases | None = None
        self._last_read: dict[int, Position] = {}
        self._identities: dict[int, str] = {}  # of the streams that ``_last_read`` is in
        self._refused: dict[int, ForeignPosition] = {}
        self._record_bytes = 1_024.0  # moving average, for the bound of a poll
        self._is_paused = False
        self._is_closed = False
        self._must_verify = False

    def poll(self, timeout_s: float, max_records: int) -> dict[int, list[Record]]:
        """Return the next records by partition; joins the group at the first call."""
        if self._is_closed:
            raise RuntimeError("the reader is closed; make a new one")
        give_up_at = time.monotonic() + timeout_s
        client, leases = self._join()
        while True:
            try:
                with unavailable():
                    self._tell_caller(client, leases)
                    leases.raise_failure()
                    left_s = max(0.0, give_up_at - time.monotonic())
                    found = self._read(client, max_records, min(left_s, MAX_BLOCK_S))
            except Exception:
                self._must_verify = True
                raise
            if found or time.monotonic() >= give_up_at:
                return found

    def assignment(self) -> frozenset[int]:
        """Return the partitions this reader reads now."""
        return frozenset(self._last_read.keys() | self._refused.keys())

    def seek(self, partition: int, position: Position) -> None:
        """Go on reading ``partition`` after ``position``."""
        if partition not in self.assignment():
            raise ValueError(f"partition {partition} is not assigned; assigned are {sorted(self.assignment())}")
        client, _ = self._join()
        with unavailable():
            self._start_at(client, partition, position)

    def refused(self) -> dict[int, ForeignPosition]:
        """Return the partitions whose position is of another stream."""
        return dict(self._refused)

    def commit(self, positions: Mapping[int, Position]) -> None:
        """Do nothing: no tool reads the lag of a group from Redis."""

    def pause(self) -> None:
        """Read nothing until ``resume``."""
        self._is_paused = True

    def resume(self) -> None:
        """Read again."""
        self._is_paused = False

    def lag(self) -> dict[int, int]:
        """Return how many records of each assigned partition are unread."""
        client = self._client
        if client is None:
            return {}
        with unavailable():
            return {
                partition: unread(client, self._address, partition, position)
                for partition, position in self._last_read.items()
            }

    def close(self) -> None:
        """Leave the group; its other members take over at once."""
        if self._is_closed:
            return
        self._is_closed = True
        lost = self.assignment()
        self._last_read.clear()
        self._refused.clear()
        if lost:
            self._on_revoked(lost)
        try:
            if self._leases is not None:
                self._leases.close()
        except redis_client.UNAVAILABLE as error:
            logger.warning("log.reader_close_failed reason=%s: the leases run out by themselves", error)
        if self._client is not None:
            self._client.close()

    def _join(self) -> tuple[redis.Redis, Leases]:
        if self._client is not None and self._leases is not None:
            return self._client, self._leases
        with unavailable():
            client = redis_client.connect(self._address.redis_url, timeout_s=TIMEOUT_S)
            leases = Leases(
                client,
                self._address,
                group=self._group,
                member=secrets.token_hex(8),
                partitions=agree_on_partitions(client, self._address),
            )
            leases.start()
        self._client, self._leases = client, leases
        return client, leases

    def _tell_caller(self, client: redis.Redis, leases: Leases) -> None:
        """Tell the caller what was lost, is to be handed on, and was given."""
        held = leases.held()
        surplus = leases.surplus() & held
        gone = (self.assignment() - held) | (self.assignment() & surplus)
        if gone:
            for partition in gone:
                self._last_read.pop(partition, None)
                self._refused.pop(partition, None)
            logger.info("log.partitions_revoked topic=%s partitions=%s", self._address.topic, sorted(gone))
            self._on_revoked(frozenset(gone))
        if surplus:
            leases.release(surplus)
        if given := held - surplus - self.assignment():
            positions = only_known(self._on_assigned(given), given)
            for partition, position in positions.items():
                self._start_at(client, partition, position)
            logger.info("log.partitions_assigned topic=%s partitions=%s", self._address.topic, sorted(given))
        if self._must_verify:
            for partition, position in list(self._last_read.items()):
                self._start_at(client, partition, position)
            self._must_verify = False

    def _start_at(self, client: redis.Redis, partition: int, position: Position) -> None:
        """Read on after ``position``, or refuse the partition when it is not of this stream."""
        try:
            check_position(client, self._address, partition, position)
        except ForeignPosition as error:
            self._refuse(partition, error)
            return
        if partition in self._refused:
            logger.warning("log.position_accepted topic=%s partition=%s", self._address.topic, partition)
        self._refused.pop(partition, None)
        self._last_read[partition] = position
        # At the beginning any stream will do; it may not even be there yet.
        self._identities[partition] = identity_of(position)
        oldest: Any = client.xrange(self._address.stream(partition), count=1) if position else None
        if oldest and sequence(oldest[0][0].decode()) > sequence(position) + 1:
            logger.error(
                "log.records_gone topic=%s partition=%s stored=%s oldest=%s",
                self._address.topic, partition, position, oldest[0][0].decode(),
            )  # fmt: skip

    def _refuse(self, partition: int, error: ForeignPosition) -> None:
        if partition not in self._refused:
            logger.error("log.position_foreign topic=%s partition=%s: %s", self._address.topic, partition, error)
        self._refused[partition] = error
        self._last_read.pop(partition, None)

    def _read(self, client: redis.Redis, max_records: int, block_s: float) -> dict[int, list[Record]]:
        if self._is_paused or not self._last_read:
            time.sleep(min(block_s, CLUSTER_STEP_S))
            return {}
        names = {self._address.stream(index): index for index in self._last_read}
        streams: dict[Any, Any] = {name: offset_of(self._last_read[index]) or "0" for name, index in names.items()}
        most = min(max_records, int(MAX_POLL_BYTES / self._record_bytes))
        count = max(1, -(-most // len(streams)))
        if self._address.is_cluster:
            answers: list[Any] = []
            for name, start in streams.items():
                answers += client.xread({name: start}, count=count) or []
            if not answers:
                time.sleep(min(block_s, CLUSTER_STEP_S))
        else:
            block_ms = int(block_s * 1000) or None  # 0 would mean for ever
            answers = client.xread(streams, count=count, block=block_ms) or []  # type: ignore[assignment]
        found = {}
        for name, entries in answers:
            partition = names[name.decode()]
            try:
                identity = self._identity_of(client, partition)
            except ForeignPosition as error:
                self._refuse(partition, error)
                continue
            records = found[partition] = [to_record(partition, entry, identity) for entry in entries]
            self._last_read[partition] = records[-1].position
            newest = len(records[-1].key) + len(records[-1].value) + 64
            self._record_bytes += 0.1 * (newest - self._record_bytes)
        return found

    def _identity_of(self, client: redis.Redis, partition: int) -> str:
        """Return the identity of the stream that was just read; raises ``ForeignPosition`` when it was made again.

        Asked after the records were read: a stream that is made again in between is refused with records of the old.
        """
        identity = read_identity(client, self._address, partition)
        if known := self._identities[partition]:
            last_read = position_in(offset_of(self._last_read[partition]) or "0-0", known)
            check_identity(last_read, identity, topic=self._address.topic, partition=partition)
        self._identities[partition] = identity
        return identity
