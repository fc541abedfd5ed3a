"""Records and events that cannot be applied: what a dead letter holds, and its way into the log's own topic.

``<topic>.dead-letters`` lies beside the topic of the events, so that nothing is lost while the database is
unavailable; a periodic task brings the letters into it (``tracking.dead_letters.rows``). ``raw`` has the form of a
record of the log: the stream's letters are the bytes as they were read, and collect's hold the one refused event as
it came, inside the head that its neighbours got. So both are sent again in the same way.

A letter is a help for people, not part of the ledger: collect has named the event in its answer already. A flood
of bad events is cut, and counted.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from tracking.background_flusher import BackgroundFlusher
from tracking.contract.events import (
    SCHEMA_VERSION,
    AnonymousIdentifier,
    Consent,
    Context,
    CustomEvent,
    Event,
    EventRecord,
    Identifier,
    Milliseconds,
    NetworkTag,
)
from tracking.contract.parsing import Rejected, check_version, encode_record, parse_event, parse_record
from tracking.exceptions import InvalidEvent
from tracking.log.base import EventLog, LogUnavailable, LogWriter, RecordTooLarge
from tracking.metrics import DEAD_LETTERS
from tracking.records import Clock, Source

TOPIC: Final = "dead-letters"
MAX_RAW_BYTES: Final = 512 * 1024
MAX_WAITING: Final = 500
"""Letters of one process that wait for the log; beyond, they are counted and dropped."""
FLUSH_S: Final = 1.0
APPEND_TIMEOUT_S: Final = 2.0
WRITE_TIMEOUT_S: Final = 4 * APPEND_TIMEOUT_S
"""More than topic, connection and batch together may take."""


class DeadLetterRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One dead letter in the log, as JSON; ``key`` and ``raw`` in base64."""

    reason: str
    field: str
    detail: str
    origin: str  # collect or stream
    key: bytes
    raw: bytes
    occurred_at_ms: int
    fingerprint: str  # the same letter again has the same
    site: str = ""
    partition: int | None = None
    position: str = ""


class RawRecord(Struct, kw_only=True, omit_defaults=True):
    """A record of the log whose events are looked at one by one; the fields are those of ``EventRecord``."""

    v: Annotated[str, Meta(pattern=r"^\d{1,4}\.\d{1,4}$")]
    site: str
    received_at_ms: Milliseconds
    sent_at: Milliseconds | None = None  # only in collect's letters: their times are still on the sender's clock
    anonymous_id: AnonymousIdentifier | None = None
    user_id: Identifier | None = None
    consent: Consent = "granted"
    source: Source = "browser"
    ctx: Context = Context()
    events: list[msgspec.Raw] = []
    custom: list[msgspec.Raw] = []
    network: NetworkTag | None = None


_LETTERS: Final = msgspec.json.Decoder(DeadLetterRecord)
_RAW_RECORDS: Final = msgspec.json.Decoder(RawRecord)
_ENCODE: Final = msgspec.json.Encoder().encode


def from_rejected(rejected: Rejected, *, head: EventRecord, key: bytes, sent_at: int | None) -> DeadLetterRecord:
    """Return the letter of an event that collect refused; ``head`` is the record that its neighbours went into."""
    raw = _ENCODE(
        RawRecord(
            v=head.v,
            site=head.site,
            received_at_ms=head.received_at_ms,
            sent_at=sent_at,
            anonymous_id=head.anonymous_id,
            user_id=head.user_id,
            consent=head.consent,
            source=head.source,
            ctx=head.ctx,
            events=[msgspec.Raw(rejected.raw or b"null")],
            network=head.network,
        )
    )
    return DeadLetterRecord(
        site=head.site,
        reason=rejected.error,
        field=rejected.field,
        detail=rejected.message[:1_000],
        origin="collect",
        key=key,
        raw=raw[:MAX_RAW_BYTES],
        occurred_at_ms=head.received_at_ms,
        # Without the time: what a page sends again and again is one letter.
        fingerprint=hashlib.sha256(b"\0".join((key, rejected.error.encode(), rejected.raw))).hexdigest(),
    )


def encode_letter(letter: DeadLetterRecord) -> bytes:
    """Return the letter as it stands in the log."""
    return _ENCODE(letter)


def decode_letter(value: bytes) -> DeadLetterRecord:
    """Return the letter in a record of the dead-letter topic; raises ``InvalidEvent``."""
    try:
        return _LETTERS.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent("letter", f"cannot be read: {error}") from error


def revive(raw: bytes) -> EventRecord:
    """Return the record that a letter's ``raw`` holds, now that somebody corrected it or this program can read it.

    Raises
    ------
    InvalidEvent
        It still breaks the contract.
    """
    try:
        head = _RAW_RECORDS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent("record", f"cannot be read: {error}") from error
    check_version(head.v)
    if not head.events and not head.custom:
        raise InvalidEvent("record.events", "is empty; there is nothing to send")
    clock = Clock.of(head.sent_at, received_at_ms=head.received_at_ms, source=head.source)
    events: list[Event] = []
    custom: list[CustomEvent] = []
    for number, raw_event in enumerate([*head.events, *head.custom]):
        event = parse_event(raw_event, prefix=f"record.events[{number}]")
        event = replace(event, occurred_at_ms=clock.occurred_at_ms(event.occurred_at_ms))
        if isinstance(event, CustomEvent):
            custom.append(event)
        else:
            events.append(event)
    record = EventRecord(
        v=SCHEMA_VERSION,
        site=head.site,
        received_at_ms=head.received_at_ms,
        anonymous_id=head.anonymous_id,
        user_id=head.user_id,
        consent=head.consent,
        source=head.source,
        ctx=head.ctx,
        events=tuple(events),
        custom=tuple(custom),
        network=head.network,
    )
    return parse_record(encode_record(record))  # what the stream worker will say of it


class DeadLetterOutbox:
    """Takes collect's letters without making it wait, and brings them into the log in the background.

    The log's writer belongs to the event loop of ``start``; the flusher's thread hands batches to that loop.
    """

    def __init__(self, events: EventLog) -> None:
        self._log = events.sibling(TOPIC)
        self._writer: LogWriter = self._log.writer()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_topic_there = False
        self._flusher: BackgroundFlusher[DeadLetterRecord] = BackgroundFlusher(
            "dead_letters", self._write, every_s=FLUSH_S, capacity=MAX_WAITING, retries=True
        )

    async def start(self) -> None:
        """Begin to connect; neither waits nor fails."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            await self._writer.start()
            self._flusher.start()

    def add(self, letters: Sequence[DeadLetterRecord]) -> None:
        """Note letters; beyond ``MAX_WAITING`` they are counted and dropped."""
        for letter in letters:
            DEAD_LETTERS.labels(letter.reason).inc()
            self._flusher.put(letter)

    async def append(self, letter: DeadLetterRecord) -> None:
        """Append one letter now.

        Raises
        ------
        LogUnavailable, RecordTooLarge
            The log does not have it.
        """
        await self._ensure_topic()
        [outcome] = await self._writer.append_many([(letter.key, encode_letter(letter))], timeout_s=APPEND_TIMEOUT_S)
        if outcome is not None:
            raise outcome
        DEAD_LETTERS.labels(letter.reason).inc()

    async def flush(self) -> None:
        """Bring what waits into the log now; raises ``LogUnavailable``, and what was not taken waits on."""
        await asyncio.to_thread(self._flusher.flush)

    async def close(self) -> None:
        """Bring what waits into the log, if it answers; what it does not take is counted and logged."""
        if self._loop is None:
            return
        await asyncio.to_thread(self._flusher.stop, timeout_s=WRITE_TIMEOUT_S)
        self._loop = None
        await self._writer.close(timeout_s=APPEND_TIMEOUT_S)

    async def _ensure_topic(self) -> None:
        if not self._is_topic_there:
            await asyncio.to_thread(self._log.ensure_topic, timeout_s=APPEND_TIMEOUT_S)
            self._is_topic_there = True
            await self._writer.wait_ready(timeout_s=APPEND_TIMEOUT_S)

    def _write(self, batch: deque[DeadLetterRecord]) -> None:
        """Append a batch from the flusher's thread; a batch that timed out is sent again, and may then stand twice."""
        assert self._loop is not None  # the flusher starts after it is set
        sending = asyncio.run_coroutine_threadsafe(self._append_all(list(batch)), self._loop)
        try:
            count, error = sending.result(WRITE_TIMEOUT_S)
        except TimeoutError:
            sending.cancel()
            raise
        for _ in range(count):
            batch.popleft()
        if error is not None:
            raise error

    async def _append_all(self, letters: Sequence[DeadLetterRecord]) -> tuple[int, LogUnavailable | None]:
        """Append letters in order; return how many are done with, and why the log does not take the next one."""
        await self._ensure_topic()
        pairs = [(letter.key, encode_letter(letter)) for letter in letters]
        outcomes = await self._writer.append_many(pairs, timeout_s=APPEND_TIMEOUT_S)
        for number, outcome in enumerate(outcomes):
            if outcome is not None and not isinstance(outcome, RecordTooLarge):
                return number, outcome
        return len(outcomes), None
