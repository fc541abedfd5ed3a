"""Who appended a record, and what time it was for them: what tells a wrong clock from a late record.

The log's own time of a record is of one clock, its server's. The stamp beside it is of the process that sent the record
a moment before; where both differ, that process' clock is off. A record that waited in a spool is stamped when it is
sent at last.
"""

from __future__ import annotations

import os
import re
import socket
import time
from typing import Final, NamedTuple

FIELD: Final = "c"
"""Name of the stamp in a record of either backend: a field of a stream's entry, a header of Kafka's."""
_HOST: Final = re.compile(r"[^A-Za-z0-9.-]").sub("-", socket.gethostname())[:64]
_STAMP: Final = re.compile(rb"(\d{1,15}) ([A-Za-z0-9.:-]{1,80})")


class Stamp(NamedTuple):
    """``sent_at_ms`` is epoch milliseconds on the sender's clock, 0 where it is not known."""

    sent_at_ms: int = 0
    sender: str = ""


NO_STAMP: Final = Stamp()


def make_stamp() -> bytes:
    """Return the stamp of this process, now."""
    return f"{time.time_ns() // 1_000_000} {_HOST}:{os.getpid()}".encode()


def read_stamp(value: bytes | None) -> Stamp:
    """Return what a stamp says; ``NO_STAMP`` for none, and for what is not of this form."""
    match = _STAMP.fullmatch(value) if value else None
    return Stamp(int(match[1]), match[2].decode()) if match else NO_STAMP
