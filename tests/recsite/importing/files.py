"""Little logs as files, and what an import made of them."""

from __future__ import annotations

from pathlib import Path

from recsite.importing.base import Source
from tracking.contract.events import EventRecord
from tracking.contract.parsing import parse_record
from tracking.log import EventLog

ROOT = Path(__file__).resolve().parents[3]


HEAD = "timestamp,visitorid,event,itemid\n"


def records(source: Source) -> list[EventRecord]:
    return [record for unit in source.units() for record in unit.records]


def refusals(source: Source) -> list[tuple[int, str]]:
    return [
        (refusal.line, refusal.reason)
        for unit in source.units()
        for refusal in unit.refusals
        if refusal.is_loss or refusal.raw
    ]


def in_log(log: EventLog) -> list[EventRecord]:
    return [parse_record(entry.value) for number in range(log.partitions) for entry in log.read_all(number)]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
