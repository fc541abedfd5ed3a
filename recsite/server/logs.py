"""Where logs go, and which personal data they must not hold."""

from __future__ import annotations

import logging
import re
from typing import Any, Final

_PRIVATE_PATH: Final = re.compile(r"(/v1/(?:users|items|explanations)/).+")
_KEY: Final = re.compile(r"\b(pk|sk|ot)_[0-9A-Za-z._-]{6,}")
_SOCKET: Final = re.compile(r'^\S+ - "WebSocket (/[^\s?"]*)[^"]*"')


def logging_config(level: str) -> dict[str, Any]:
    """Return Django's ``LOGGING``: lines on standard error, in web processes, workers, beat and commands alike."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "filters": {"personal": {"()": "recsite.server.logs.HidePersonal"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["personal"]}},
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
