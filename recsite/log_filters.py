"""What logs must not say of shoppers."""

from __future__ import annotations

import logging
import re
from typing import Final

_USER_PATH: Final = re.compile(r"/v1/users/[^/?\s]+")
_KEY: Final = re.compile(r"\b(pk|sk|ot)_[0-9A-Za-z._-]{6,}")


class HidePersonal(logging.Filter):
    """Takes user ids out of addresses, and the value of keys and tokens out of everything; in all handlers."""

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
    """Return ``text`` without user ids in addresses, and of keys only what they begin with."""
    if "/v1/users/" in text:
        text = _USER_PATH.sub("/v1/users/-", text)
    return _KEY.sub(r"\1_…", text)
