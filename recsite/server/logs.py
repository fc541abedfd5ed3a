"""Where logs go, in which form, and which personal data they must not hold."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Any, Final

from celery import current_task
from django.core.exceptions import ImproperlyConfigured
from pythonjsonlogger.json import JsonFormatter

from tracking.http.current import request_id
from tracking.traces import spans

FORMATS: Final = ("text", "json")

_PRIVATE_PATH: Final = re.compile(r"(/v1/(?:users|items|explanations)/).+")
_KEY: Final = re.compile(r"\b(pk|sk|ot)_[0-9A-Za-z._-]{6,}")
_NAMED: Final = re.compile(r"\b(\w+)=%[-#0-9.]*[sdrfgx]")
_EVENT: Final = re.compile(r"[a-z_]+\.[a-z_]+(?: |$)")
_SOCKET: Final = re.compile(r'^\S+ - "WebSocket (/[^\s?"]*)[^"]*"')


def logging_config(level: str, line_format: str = "text") -> dict[str, Any]:
    """Return Django's ``LOGGING``: lines on standard error, in web processes, workers, beat and commands alike.

    Raises
    ------
    ImproperlyConfigured
        There is no such level or format.
    """
    if line_format not in FORMATS:
        raise ImproperlyConfigured(f"RECSITE_LOG_FORMAT={line_format!r} is none of {', '.join(FORMATS)}")
    level = level.upper()
    if level not in logging.getLevelNamesMapping():
        levels = ", ".join(logging.getLevelNamesMapping())
        raise ImproperlyConfigured(f"RECSITE_LOG_LEVEL={level!r} is no level; use one of {levels}")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
            "json": {"()": "recsite.server.logs.JsonLines"},
        },
        "filters": {
            "fields": {"()": "recsite.server.logs.NameFields"},
            "personal": {"()": "recsite.server.logs.HidePersonal"},
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": line_format,
                "filters": ["fields", "personal"] if line_format == "json" else ["personal"],
            }
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # kafka-python tells its own life line by line, and calls a topic that is about to be made an error.
            "kafka": {"level": "WARNING"},
            "kafka.cluster": {"level": "CRITICAL"},
            # Its own handlers know no filter, and it logs the address of every page that opens a socket.
            "uvicorn": {"handlers": ["console"], "level": level, "propagate": False},
            "uvicorn.access": {"handlers": [], "propagate": False},  # keys stand in queries
        },
    }


class NameFields(logging.Filter):
    """Keeps the fields of a line apart: those that its format names (``path=%s``), and whose request or task it is."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set ``record.fields``; never drop a line."""
        fields: dict[str, Any] = {}
        if isinstance(record.args, tuple) and isinstance(record.msg, str):
            # Only where each argument is named; a line with another one is told by its text alone.
            names = _NAMED.findall(record.msg)
            if len(names) == len(record.args) == record.msg.count("%") - 2 * record.msg.count("%%"):
                fields = {name: _told(value) for name, value in zip(names, record.args, strict=True)}
        if (found := request_id()) is not None:
            fields["request_id"] = found
        if (span := spans.current()) is not None:
            fields["trace_id"] = span.traceparent.split("-")[1]
        if current_task:
            fields |= {"task": current_task.name, "task_id": current_task.request.id}
        record.fields = fields
        return True


def _told(value: object) -> object:
    return value if isinstance(value, bool | int | float) or value is None else hide(str(value))


class JsonLines(JsonFormatter):
    """One JSON object a line: time, level, logger, event, message, its fields, and a traceback where there is one."""

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Fill ``log_data``; fields of a line never replace those of every line."""
        message = record.getMessage()
        log_data |= getattr(record, "fields", {})
        log_data |= {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
        }
        if _EVENT.match(message):
            log_data["event"] = message.partition(" ")[0]
        if record.exc_text:
            log_data["exception"] = record.exc_text


class HidePersonal(logging.Filter):
    """Takes ids out of paths, addresses out of the lines of uvicorn, and keys and tokens out of everything."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record's text where it says too much; never drop it."""
        message = record.getMessage()
        hidden = hide(message)
        if hidden != message:
            record.msg, record.args = hidden, None
        if record.exc_info and not record.exc_text:
            record.exc_text = hide(logging.Formatter().formatException(record.exc_info))
        return True


def hide(text: str) -> str:
    """Return ``text`` without ids in paths and addresses of sockets, and of keys only what they begin with.

    An id may hold anything, a blank, ``/`` or ``?`` among it, so a line ends where the id begins: it names the route.
    """
    if "/v1/" in text:
        text = _PRIVATE_PATH.sub(r"\1…", text)
    if "WebSocket" in text:
        text = _SOCKET.sub(r"WebSocket \1", text)
    return _KEY.sub(r"\1_…", text)
