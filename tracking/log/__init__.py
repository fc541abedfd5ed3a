"""A partitioned, durable event log with interchangeable backends: ``open_log(settings.EVENT_LOG_URL)``."""

from tracking.log.base import (
    BEGINNING,
    EventLog,
    ForeignPosition,
    InvalidLogUrl,
    LogReader,
    LogUnavailable,
    LogWriter,
    OnAssigned,
    OnRevoked,
    Position,
    Record,
    RecordTooLarge,
    partition_for,
)
from tracking.log.urls import open_log

__all__ = [
    "BEGINNING",
    "EventLog",
    "ForeignPosition",
    "InvalidLogUrl",
    "LogReader",
    "LogUnavailable",
    "LogWriter",
    "OnAssigned",
    "OnRevoked",
    "Position",
    "Record",
    "RecordTooLarge",
    "open_log",
    "partition_for",
]
