"""Where records go that cannot be applied: to the log beside the log, before their batch is written.

``<topic>.dead-letters`` carries a ``DeadLetterRecord`` with reason, position and raw bytes; ``<topic>.parked`` carries
records of a newer schema as they came, to be appended again after an upgrade. Both may hold a record twice when a
worker dies at the wrong moment: ``fingerprint`` says so.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from features import metrics
from features.exceptions import StoreUnavailable
from features.state.batch import POISON, Refused
from tracking.log import EventLog, LogUnavailable, LogWriter, RecordTooLarge
from tracking.metrics import DEAD_LETTERS

if TYPE_CHECKING:
    from tracking.dead_letters.letter import DeadLetterRecord

DEAD_LETTERS_TOPIC: Final = "dead-letters"
PARKED_TOPIC: Final = "parked"
TIMEOUT_S: Final = 5.0

T = TypeVar("T")

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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._writers: dict[str, LogWriter] = {}

    def put(self, refused: Sequence[Refused]) -> None:
        """Append records and return once they are durable.

        Raises
        ------
        StoreUnavailable
            The log did not take them: write nothing of the batch and try again.
        """
        now_ms = time.time_ns() // 1_000_000
        parked = [(one.record.key, one.record.value) for one in refused if one.is_parked]
        dead = [
            (one.record.key, _ENCODE(as_dead_letter(one, topic=self._log.topic, now_ms=now_ms)))
            for one in refused
            if not one.is_parked
        ]
        for topic, records in ((PARKED_TOPIC, parked), (DEAD_LETTERS_TOPIC, dead)):
            if records:
                self._run(self._append(topic, records))
        for one in refused:
            DEAD_LETTERS.labels(reason=one.reason).inc()
            if one.reason == POISON:
                _announce_poison(one)

    def close(self) -> None:
        """Close what was opened."""
        if self._loop is None or self._thread is None:
            return
        for writer in self._writers.values():
            self._run(writer.close(timeout_s=TIMEOUT_S))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.close()
        self._loop = None
        self._writers.clear()

    async def _append(self, topic: str, records: list[tuple[bytes, bytes]]) -> None:
        writer = self._writers.get(topic)
        if writer is None:
            sibling = self._log.sibling(topic)
            await asyncio.to_thread(sibling.ensure_topic, timeout_s=TIMEOUT_S)
            writer = sibling.writer()
            await writer.start()
            self._writers[topic] = writer
        for error in await writer.append_many(records, timeout_s=TIMEOUT_S):
            if error is not None and not isinstance(error, RecordTooLarge):
                raise error

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="dead-letters", daemon=True)
            self._thread.start()
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(3 * TIMEOUT_S)
        except (LogUnavailable, TimeoutError) as error:
            raise StoreUnavailable(f"the log takes no dead letters: {error}") from error
