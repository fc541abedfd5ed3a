"""Records of a newer schema come back: from the log of what is parked to the log itself, after an upgrade.

Events keep their ids, so what was sent again and not noted, because of a crash, counts once within the lateness
window. What is older than that goes to the archive alone, as any late event.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from features import keys
from features.store.online import OnlineStore
from features.stream.dead_letters import PARKED_TOPIC
from tracking.contract.parsing import parse_record
from tracking.exceptions import FutureSchema, InvalidEvent
from tracking.log import BEGINNING, EventLog, ForeignPosition, Position, Record

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
CHUNK: Final = 500


@dataclass(slots=True)
class Unparked:
    """What became of the parked records: ``waiting`` ones still are of a schema that this program cannot read."""

    sent: int = 0
    waiting: int = 0
    broken: int = 0


def unpark(log: EventLog, store: OnlineStore) -> Unparked:
    """Append the parked records that can be read now to the log, and return how many of which kind were met.

    Where to go on is stored after the records are durable. What must still wait is parked again, behind the others; a
    record that turns out to be broken is sent, too: the stream worker makes a dead letter of it.

    Raises
    ------
    LogUnavailable, StoreUnavailable
        Something is unavailable; what was sent until then is noted, and the next run goes on from there.
    Fenced
        Somebody else is unparking at the same time.
    """
    parked = log.sibling(PARKED_TOPIC)
    parked.ensure_topic(timeout_s=TIMEOUT_S)
    totals = Unparked()
    for partition, end in parked.end_positions(timeout_s=TIMEOUT_S).items():
        at = store.stored_position(keys.unparked, partition)
        # Up to where the end was at first: what is parked again comes after it.
        at = _of_this_log(parked, store, partition, at)
        left = parked.behind({partition: at}, timeout_s=TIMEOUT_S)[partition] if at != end else 0
        while left > 0:
            records = parked.read_range(partition, start=at, limit=min(CHUNK, left), timeout_s=TIMEOUT_S)
            if not records:
                break
            _send(log, parked, records, totals)
            store.advance(keys.unparked, partition, expected=at, position=records[-1].position)
            at = records[-1].position
            left -= len(records)
        parked.trim({partition: at} if at else {}, timeout_s=TIMEOUT_S)
    return totals


def _of_this_log(parked: EventLog, store: OnlineStore, partition: int, at: Position) -> Position:
    """Return where to go on: where it was, or at the beginning of a topic that was made again since."""
    try:
        parked.behind({partition: at}, timeout_s=TIMEOUT_S)
    except ForeignPosition as error:
        logger.error("unpark.log_replaced: reading from its beginning: %s", error)
        store.advance(keys.unparked, partition, expected=at, position=BEGINNING)
        return BEGINNING
    return at


def _send(log: EventLog, parked: EventLog, records: Sequence[Record], totals: Unparked) -> None:
    ready: list[tuple[bytes, bytes]] = []
    waiting: list[tuple[bytes, bytes]] = []
    broken = 0
    for record in records:
        try:
            parse_record(record.value)
        except FutureSchema:
            waiting.append((record.key, record.value))
            continue
        except InvalidEvent:
            broken += 1
        ready.append((record.key, record.value))
    for target, pairs in ((log, ready), (parked, waiting)):
        if pairs:
            asyncio.run(_append(target, pairs))
    totals.sent += len(ready) - broken
    totals.waiting += len(waiting)
    totals.broken += broken


async def _append(log: EventLog, pairs: Sequence[tuple[bytes, bytes]]) -> None:
    writer = log.writer()
    await writer.start()
    try:
        await writer.wait_ready(timeout_s=TIMEOUT_S)
        for error in await writer.append_many(pairs, timeout_s=TIMEOUT_S):
            if error is not None:
                raise error
    finally:
        await writer.close(timeout_s=TIMEOUT_S)
