"""The context of a trace as it travels: in a request's header, in a record of the log, in an announcement.

A traceparent is W3C's ``00-<trace id>-<span id>-<flags>``, of which only sampled ones travel. In a record it is the
last member of the JSON object; older workers ignore a member that they do not know.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_TRACEPARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_NO_TRACE, _NO_SPAN = b"0" * 32, b"0" * 16
_HEAD: Final = b',"trace":"'
_LENGTH: Final = 55
_TAIL: Final = len(_HEAD) + _LENGTH + 2


class Caller(NamedTuple):
    """What a caller says of the trace that its request belongs to."""

    trace_id: int
    span_id: int
    is_sampled: bool

    @property
    def traceparent(self) -> str:
        """Return it as it travels."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self.is_sampled):02x}"


def read_traceparent(value: bytes | None) -> Caller | None:
    """Return what a ``traceparent`` says; None where there is none, or none that can be read.

    References
    ----------
    W3C, "Trace Context", section 3.2.
    """
    if value is None or (match := _TRACEPARENT.fullmatch(value.strip())) is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == b"ff" or trace_id == _NO_TRACE or span_id == _NO_SPAN or (version == b"00" and more):
        return None
    return Caller(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & 1))


def with_trace(value: bytes, traceparent: str) -> bytes:
    """Return an encoded record (a JSON object that is not empty) that carries a trace."""
    return b'%b%b%b"}' % (value[:-1], _HEAD, traceparent.encode())


def trace_of(value: bytes) -> str:
    """Return the traceparent that an encoded record carries; empty where there is none. Nothing is decoded.

    No text of a sender's can stand there: without a trace, a record ends with a list, a number or another object.
    """
    if value[-_TAIL : -_LENGTH - 2] != _HEAD:
        return ""
    found = value[-_LENGTH - 2 : -2]
    return found.decode() if read_traceparent(found) is not None else ""
