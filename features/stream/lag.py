"""How far the features and the archive are behind the log, asked from outside of the workers."""

from __future__ import annotations

from msgspec import Struct

from features import keys
from features.store import connections
from features.stream.positions import behind
from tracking.log.base import BEGINNING, Position


class PartitionLag(Struct, frozen=True, kw_only=True):
    """Records of a partition that are not in the features, or not in the archive; and why a reader waits there."""

    partition: int
    records: int
    archive_records: int
    problem: str = ""


def read_lag() -> list[PartitionLag]:
    """Return the lag of each partition; one MGET a partition, and two questions to the log.

    Raises
    ------
    LogUnavailable
        The event log cannot be reached.
    """
    log = connections.event_log()
    client = connections.client()
    name = connections.log_name()
    applied: dict[int, Position] = {}
    archived: dict[int, Position] = {}
    for partition in range(connections.partitions()):
        found = client.mget(keys.position(partition, name), keys.archive_position(partition, name))
        applied[partition], archived[partition] = map(_position, found)
    (records, problems), (archive_records, archive_problems) = behind(log, applied), behind(log, archived)
    return [
        PartitionLag(
            partition=partition,
            records=records[partition],
            archive_records=archive_records[partition],
            problem=problems.get(partition) or archive_problems.get(partition, ""),
        )
        for partition in applied
    ]


def _position(blob: bytes | str | None) -> Position:
    return blob.decode() if isinstance(blob, bytes) else blob or BEGINNING
