"""Where each reader of the log stands, whether that is in the log that is there, and how to begin again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

from msgspec import Struct

from features import keys
from features.exceptions import FeatureError, Fenced
from features.store import connections
from features.store.online import PositionKey
from tracking.log import BEGINNING, EventLog, ForeignPosition, Position

Group = Literal["features", "archive"]
POSITION_KEYS: Final[dict[Group, PositionKey]] = {"features": keys.position, "archive": keys.archive_position}


class ReaderPosition(Struct, frozen=True, kw_only=True):
    """Where a reader stands in a partition.

    ``records`` are those that it has not read: all that the log holds where ``problem`` says that the position is not
    of this log.
    """

    group: Group
    partition: int
    position: Position
    records: int
    problem: str = ""


class NothingToBegin(FeatureError):
    """Every position is of the log that is there, so nothing was changed."""


def read_positions(groups: Collection[Group] = ("features", "archive")) -> list[ReaderPosition]:
    """Return where the readers stand, by partition.

    Raises
    ------
    LogUnavailable, StoreUnavailable
        Something is unavailable.
    """
    log, store = connections.event_log(), connections.store()
    found: list[ReaderPosition] = []
    for group in groups:
        stored = {
            partition: store.stored_position(POSITION_KEYS[group], partition)
            for partition in range(connections.partitions())
        }
        records, problems = behind(log, stored)
        found += [
            ReaderPosition(
                group=group,
                partition=partition,
                position=position,
                records=records[partition],
                problem=problems.get(partition, ""),
            )
            for partition, position in stored.items()
        ]
    return sorted(found, key=lambda one: one.partition)


def behind(log: EventLog, positions: dict[int, Position]) -> tuple[dict[int, int], dict[int, str]]:
    """Return how many records come after each position, and what is wrong with those that are not of this log.

    Raises
    ------
    LogUnavailable
        The log cannot be reached.
    """
    problems: dict[int, str] = {}
    asked = dict(positions)
    while True:
        try:
            return log.behind(asked), problems
        except ForeignPosition as error:
            problems[error.partition] = str(error)
            asked[error.partition] = BEGINNING


def begin_again(groups: Collection[Group] = ("features", "archive")) -> list[ReaderPosition]:
    """Let readers whose position is not of this log begin at its beginning; return which, as they stood.

    What was counted stays. A partition whose position is of this log is not touched, so nothing is read twice.

    Raises
    ------
    NothingToBegin
        There is no such reader.
    LogUnavailable, StoreUnavailable
        Something is unavailable.
    """
    foreign = [one for one in read_positions(groups) if one.problem]
    if not foreign:
        raise NothingToBegin("every position is of the log that is there; nothing was changed")
    store = connections.store()
    begun: list[ReaderPosition] = []
    for one in foreign:
        try:
            store.advance(POSITION_KEYS[one.group], one.partition, expected=one.position, position=BEGINNING)
        except Fenced:
            continue  # somebody else begins it at the same time
        begun.append(one)
    return begun
