"""How far the features and the archive are behind the log, asked from outside of the workers."""

from __future__ import annotations

from msgspec import Struct

from features import connections, keys
from tracking.log.base import BEGINNING

COUNTED_AT_MOST = 10_000


class PartitionLag(Struct, frozen=True, kw_only=True):
    """Records of a partition that are not in the features, or not in the archive; ``COUNTED_AT_MOST`` means more."""

    partition: int
    records: int
    archive_records: int


def read_lag() -> list[PartitionLag]:
    """Return the lag of each partition; one MGET a partition, and a bounded read of the log where it is behind.

    Raises
    ------
    LogUnavailable
        The event log cannot be reached.
    """
    log = connections.event_log()
    client = connections.client()
    name = connections.log_name()
    ends = log.end_positions()

    def behind(partition: int, position: bytes | str | None) -> int:
        start = position.decode() if isinstance(position, bytes) else position or BEGINNING
        if start == ends.get(partition, BEGINNING):
            return 0
        return len(log.read_range(partition, start=start, limit=COUNTED_AT_MOST))

    found = []
    for partition in range(connections.partitions()):
        applied, archived = client.mget(keys.position(partition, name), keys.archive_position(partition, name))
        found.append(
            PartitionLag(
                partition=partition, records=behind(partition, applied), archive_records=behind(partition, archived)
            )
        )
    return found
