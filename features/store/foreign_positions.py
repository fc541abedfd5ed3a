"""Positions and the log they are of: adopted where they name none, and watched where a reader refuses them.

A partition whose position is of another log waits for a person; the others go on. It is read again by itself once the
position that is stored is of the log (``manage.py stream begin``), or the log has come back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from features import metrics
from features.exceptions import Fenced
from features.store.online import OnlineStore, PositionKey
from tracking.log import EventLog, LogReader, Position

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 2.0


class ForeignPositions:
    """The partitions of one reader that wait because their position is of another log.

    Parameters
    ----------
    group : str
        Whose reader it is, for metrics.
    name_key : callable
        Spells the key under which the reader's positions are stored.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self, store: OnlineStore, *, group: str, name_key: PositionKey, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._group = group
        self._name_key = name_key
        self._clock = clock
        self._next_look_at = 0.0
        self.errors: dict[int, str] = {}

    def look(self, reader: LogReader) -> dict[int, Position]:
        """Note what the reader refuses, and let it try the stored positions from time to time; return those it takes.

        Raises
        ------
        StoreUnavailable, LogUnavailable
            Something is unavailable; the next call tries again.
        """
        taken: dict[int, Position] = {}
        refused = reader.refused()
        if refused and self._clock() >= self._next_look_at:
            self._next_look_at = self._clock() + LOOK_EVERY_S
            for partition in refused:
                stored = self._store.stored_position(self._name_key, partition)
                reader.seek(partition, stored)
                if partition not in reader.refused():
                    taken[partition] = stored
            refused = reader.refused()
        for partition in self.errors.keys() | refused.keys():
            metrics.LOG_FOREIGN.labels(group=self._group, partition=str(partition)).set(int(partition in refused))
        self.errors = {partition: str(error) for partition, error in refused.items()}
        return taken


def adopt(
    events: EventLog, store: OnlineStore, name_key: PositionKey, positions: Mapping[int, Position]
) -> dict[int, Position]:
    """Return the positions, those of version 0.1 as positions of the log that is there; these are stored, too.

    Raises
    ------
    StoreUnavailable, LogUnavailable
        Something is unavailable.
    """
    found = dict(positions)
    for partition, position in events.adopt(positions).items():
        try:
            store.advance(name_key, partition, expected=positions[partition], position=position)
        except Fenced:
            continue  # another worker has moved it, and says so when this one writes
        logger.info("log.position_adopted partition=%s position=%s", partition, position)
        found[partition] = position
    return found
