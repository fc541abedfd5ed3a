"""Append a source's records to the event log: in batches, validated like live traffic, resumable, never twice."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from recsite.importing.base import RefusedRow, Source, Unit
from recsite.importing.checkpoint import Checkpoint, Progress
from tracking.contract.events import EventRecord, log_key
from tracking.contract.parsing import encode_record, parse_record
from tracking.exceptions import InvalidEvent
from tracking.log import EventLog, LogUnavailable, LogWriter, RecordTooLarge

BATCH = 2_000
"""Units between two checkpoints; each costs a question for the log's end, over Kafka 0.12 s."""

APPEND_TIMEOUT_S: Final = 10.0
TRIES: Final = 6
"""With the pauses between them about a minute: a broker that restarts is waited for."""

MAX_REASONS: Final = 50
_VALUES: Final = re.compile(r"'[^']*'|\[\d+\]|\d+")

P = ParamSpec("P")
Answer = TypeVar("Answer")
OnProgress = Callable[[Progress], None]


class ImportFailed(RuntimeError):
    """The log stayed unavailable; the import can be resumed later."""


class Importer:
    """One import of one source into one log.

    Parameters
    ----------
    source : Source
    log : EventLog
    checkpoint : Checkpoint
    report_path : Path
        Receives one line a refused row: line, reason, the row itself, separated by tabs.
    on_progress : callable
        Called after each batch.
    """

    def __init__(
        self, source: Source, log: EventLog, *, checkpoint: Checkpoint, report_path: Path, on_progress: OnProgress
    ) -> None:
        self._source = source
        self._log = log
        self._checkpoint = checkpoint
        self._report_path = report_path
        self.on_progress = on_progress
        self.progress = checkpoint.load()

    def run(self) -> Progress:
        """Append what is not appended yet and return the final progress.

        Raises
        ------
        ImportFailed
            The log did not take a batch within about a minute. Run again: it resumes from there.
        """
        if not self.progress.done:
            asyncio.run(self._run())
        return self.progress

    async def _run(self) -> None:
        progress = self.progress
        self._cut_report()
        await asyncio.to_thread(self._log.ensure_topic)
        writer = self._log.writer()
        await writer.start()
        try:
            units = self._source.units()
            next(islice(units, progress.units, progress.units), None)  # skips what is done already
            for batch in _batches(units):
                await self._append(writer, batch)
                self.on_progress(progress)
            progress.done = True
            self._checkpoint.save(progress)
        finally:
            await writer.close()

    async def _append(self, writer: LogWriter, batch: list[Unit]) -> None:
        progress = self.progress
        encoded, refusals, n_events = _encoded(batch)
        present: set[str] = set()
        if progress.intent is not None and progress.intent_units == progress.units:
            present = await _patiently(self._already_in_log, progress.intent, encoded)
        else:
            progress.intent = await _patiently(self._log.end_positions)
            progress.intent_units = progress.units
            self._checkpoint.save(progress)
        pending = [pair for event_id, pair in encoded if event_id not in present]
        await self._append_durably(writer, pending)
        self._write_refusals([refusal for refusal in refusals if refusal.is_loss or refusal.raw])
        progress.units += len(batch)
        rows = sum(unit.rows for unit in batch)
        progress.rows += rows
        progress.appended += rows - len(refusals)
        for refusal in refusals:
            kind = kind_of(refusal.reason)
            kind = kind if kind in progress.left_out or len(progress.left_out) < MAX_REASONS else "other reasons"
            progress.left_out[kind] = progress.left_out.get(kind, 0) + 1
        progress.records += len(encoded)
        progress.events += n_events
        progress.refused += sum(refusal.is_loss for refusal in refusals)
        progress.oldest_ms = progress.oldest_ms or _first_time_ms(batch)
        progress.newest_ms = max(progress.newest_ms, _last_time_ms(batch))
        progress.intent = None
        self._checkpoint.save(progress)

    async def _append_durably(self, writer: LogWriter, pending: list[tuple[bytes, bytes]]) -> None:
        """Append; what failed is tried again, so a record that timed out may stand twice, with one event id."""
        for attempt in range(TRIES):
            outcome = await writer.append_many(pending, timeout_s=APPEND_TIMEOUT_S)
            errors = [error for error in outcome if error is not None]
            if not errors:
                return
            if attempt == TRIES - 1 or isinstance(errors[0], RecordTooLarge):
                reason = f"the event log did not take all records ({errors[0]})"
                raise ImportFailed(f"{reason}; run the command again to resume")
            pending = [pair for pair, error in zip(pending, outcome, strict=True) if error is not None]
            await asyncio.sleep(2**attempt)

    def _already_in_log(self, intent: dict[int, str], encoded: list[tuple[str, tuple[bytes, bytes]]]) -> set[str]:
        """Return which of the batch's first event ids stand in the log behind the positions of the intent."""
        wanted = {event_id for event_id, _ in encoded}
        found: set[str] = set()
        for partition, position in intent.items():
            for entry in self._log.read_all(partition, start=position):
                try:
                    event_id = first_event_id(parse_record(entry.value))
                except InvalidEvent:
                    continue  # somebody else's; the stream worker will name it
                if event_id in wanted:
                    found.add(event_id)
        return found

    def _cut_report(self) -> None:
        """Remove refusals that were written after the last checkpoint: they will be written again."""
        if self._report_path.exists():
            os.truncate(self._report_path, min(self.progress.report_bytes, self._report_path.stat().st_size))

    def _write_refusals(self, refusals: list[RefusedRow]) -> None:
        if not refusals:
            return
        self._report_path.parent.mkdir(parents=True, exist_ok=True)
        with self._report_path.open("ab") as handle:
            for refusal in refusals:
                raw = " ".join(refusal.raw.split())[:500]
                where = f"{refusal.shard}:{refusal.line}" if refusal.shard else f"{refusal.line}"
                handle.write(f"{where}\t{refusal.reason}\t{raw}\n".encode("utf-8", "replace"))
            handle.flush()
            os.fsync(handle.fileno())
            self.progress.report_bytes = handle.tell()


async def _patiently(call: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> Answer:
    """Return the log's answer; while it is unavailable, try again for about a minute."""
    for attempt in range(TRIES - 1):
        try:
            return await asyncio.to_thread(call, *args, **kwargs)
        except LogUnavailable:
            await asyncio.sleep(2**attempt)
    return await asyncio.to_thread(call, *args, **kwargs)


def first_event_id(record: EventRecord) -> str:
    """Return the id that stands for a record: that of its first event."""
    return (record.events or record.custom)[0].event_id


def _encoded(batch: list[Unit]) -> tuple[list[tuple[str, tuple[bytes, bytes]]], list[RefusedRow], int]:
    """Return the log entries of a batch, each with its first event id; what the contract refuses; how many events."""
    encoded: list[tuple[str, tuple[bytes, bytes]]] = []
    refusals: list[RefusedRow] = []
    n_events = 0
    for unit in batch:
        refusals.extend(unit.refusals)
        for record in unit.records:
            value = encode_record(record)
            try:
                checked = parse_record(value)  # structs built in Python are not checked; what stands in the log is
            except InvalidEvent as error:
                lost = RefusedRow(line=unit.line, reason=f"{error.field}: {error.reason}", raw=value.decode())
                refusals.extend([lost] * _rows_of(record, unit))
                continue
            n_events += len(checked.events) + len(checked.custom)
            encoded.append((first_event_id(checked), (log_key(checked.site, checked.user_key), value)))
    return encoded, refusals, n_events


def _rows_of(record: EventRecord, unit: Unit) -> int:
    """Return how many rows of a unit are in one of its records."""
    if len(unit.records) == 1:
        return unit.rows - len(unit.refusals)
    return len(record.events) + len(record.custom)


def kind_of(reason: str) -> str:
    """Return a reason without the values in it, so that equal ones are counted together."""
    return _VALUES.sub("…", reason)[:200]


def _last_time_ms(batch: list[Unit]) -> int:
    times = (event.occurred_at_ms for unit in batch for record in unit.records for event in record.events)
    return max(times, default=0)


def _first_time_ms(batch: list[Unit]) -> int:
    return next((event.occurred_at_ms for unit in batch for record in unit.records for event in record.events), 0)


def _batches(units: Iterator[Unit]) -> Iterator[list[Unit]]:
    while batch := list(islice(units, BATCH)):
        yield batch


__all__ = ["ImportFailed", "Importer", "LogUnavailable", "first_event_id"]
