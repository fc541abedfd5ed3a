"""Where records go that cannot be applied: to the log beside the log, before their batch is written.

``<topic>.dead-letters`` carries a ``DeadLetterRecord`` with reason, position and raw bytes; ``<topic>.parked`` carries
records of a newer schema as they came, to be appended again after an upgrade. Both may hold a record twice when a
worker dies at the wrong moment: ``fingerprint`` says so.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from features import metrics
from features.state.batch import POISON, Refused
from features.stream.outgoing.appending import Appender
from tracking.log import EventLog
from tracking.metrics import DEAD_LETTERS

if TYPE_CHECKING:
    from tracking.dead_letters.letter import DeadLetterRecord

DEAD_LETTERS_TOPIC: Final = "dead-letters"
PARKED_TOPIC: Final = "parked"

logger = logging.getLogger(__name__)

MAX_NAMED: Final = 50
"""Records that a process names in its metrics; those beyond share a name, so that a flood costs Prometheus nothing."""
MORE: Final = "more"
_named: set[tuple[str, str, str]] = set()

_ENCODE: Final = msgspec.json.Encoder().encode


def as_dead_letter(refused: Refused, *, topic: str, now_ms: int) -> DeadLetterRecord:
    """Return the dead letter of a record; the same record gives the same fingerprint."""
    # Not at the top: it needs Django's models, and Celery imports this before Django is set up.
    from tracking.dead_letters.letter import MAX_RAW_BYTES, DeadLetterRecord

    record = refused.record
    origin = f"{topic}/{record.partition}/{record.position}".encode()
    return DeadLetterRecord(
        reason=refused.reason,
        field=refused.field,
        detail=refused.detail[:1_000],
        origin="stream",
        site=record.key.partition(b"/")[0].decode(errors="replace"),
        partition=record.partition,
        position=record.position,
        key=record.key,
        raw=record.value[:MAX_RAW_BYTES],
        occurred_at_ms=now_ms,
        fingerprint=hashlib.sha256(origin + b"\0" + record.value).hexdigest(),
    )


def _announce_poison(refused: Refused) -> None:
    record = refused.record
    name = (record.key.partition(b"/")[0].decode(errors="replace"), str(record.partition), record.position)
    logger.error("stream.quarantined site=%s partition=%s position=%s error=%s", *name, refused.detail)
    if name not in _named and len(_named) >= MAX_NAMED:
        name = (MORE, MORE, MORE)
    _named.add(name)
    site, partition, position = name
    metrics.QUARANTINED_AT.labels(site=site, partition=partition, position=position).set_to_current_time()


class DeadLetterSink:
    """Appends refused records from a synchronous program; connects when the first one comes."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._parked = Appender(log, sibling=PARKED_TOPIC)
        self._dead = Appender(log, sibling=DEAD_LETTERS_TOPIC)

    def put(self, refused: Sequence[Refused]) -> None:
        """Append records and return once they are durable.

        Raises
        ------
        StoreUnavailable
            The log did not take them: write nothing of the batch and try again.
        """
        now_ms = time.time_ns() // 1_000_000
        self._parked.append([(one.record.key, one.record.value) for one in refused if one.is_parked])
        self._dead.append(
            [
                (one.record.key, _ENCODE(as_dead_letter(one, topic=self._log.topic, now_ms=now_ms)))
                for one in refused
                if not one.is_parked
            ]
        )
        for one in refused:
            DEAD_LETTERS.labels(reason=one.reason).inc()
            if one.reason == POISON:
                _announce_poison(one)

    def close(self) -> None:
        """Close what was opened."""
        self._parked.close()
        self._dead.close()
