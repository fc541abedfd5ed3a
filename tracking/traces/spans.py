"""Spans: how long each part of one event's or request's way took; nothing is made while nobody takes them.

``sender`` is None until ``recsite.server.traces`` sets it (``RECSITE_OTLP_ENDPOINT``), so that what is instrumented
asks one name and goes on. A span's attributes name routes, placements, steps and counts: never a user, an item, an
address or a text of a sender's.
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Final, Literal, ParamSpec, Protocol, TypeVar

Attributes = Mapping[str, str | int | bool]
Kind = Literal["internal", "server", "producer", "consumer"]
P = ParamSpec("P")
R = TypeVar("R")


class Span(Protocol):
    """One part of the way; it is sent once it has ended."""

    @property
    def traceparent(self) -> str:
        """How what follows names it as what it follows."""
        ...

    def child(
        self, name: str, attributes: Attributes | None = None, *, kind: Kind = "internal", start_ns: int | None = None
    ) -> Span:
        """Return a part of this part, which begins now, or began at an epoch time."""
        ...

    def end(self, attributes: Attributes | None = None, *, end_ns: int | None = None) -> None:
        """End it now, or at an epoch time."""
        ...


class SpanSender(Protocol):
    """Where spans go."""

    def request(self, name: str, traceparent: bytes | None, attributes: Attributes) -> Span | None:
        """Return the span of a request, in the caller's trace or a new one; None where this one is not sampled."""
        ...

    def follow(
        self, traceparent: str, name: str, attributes: Attributes, *, kind: Kind, start_ns: int | None = None
    ) -> Span:
        """Return a span that follows one of another process."""
        ...

    def flush(self) -> None:
        """Send what waits, within seconds, and make nothing further."""
        ...


sender: SpanSender | None = None
"""Who takes the spans of this process; None where they are off."""

_CURRENT: Final[ContextVar[Span | None]] = ContextVar("recsite_span", default=None)


def current() -> Span | None:
    """Return the span of what this task or thread does; None where it is not traced."""
    return _CURRENT.get()


def set_current(span: Span | None) -> None:
    """Let what this task does from here on be part of ``span``."""
    _CURRENT.set(span)


def begin(name: str, attributes: Attributes | None = None, *, kind: Kind = "internal") -> Span | None:
    """Return a part of what this task does; None where it is not traced."""
    span = _CURRENT.get()
    return None if span is None else span.child(name, attributes, kind=kind)


def carried(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that a thread runs as part of this task's span; the same one where there is none."""
    if _CURRENT.get() is None:
        return function
    context = contextvars.copy_context()

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.run(function, *args, **kwargs)

    return run


def add_steps(span: Span, steps: Sequence[tuple[str, int]], *, end_ns: int) -> None:
    """Add what ran one after the other as parts of ``span``.

    Parameters
    ----------
    steps : sequence of (str, int)
        Names, and when each began (``time.perf_counter_ns``); the next one's begin is its end.
    end_ns : int
        When the last one ended, on the same clock.
    """
    epoch_ns = time.time_ns() - time.perf_counter_ns()
    ends = [*(started for _, started in steps[1:]), end_ns]
    for (name, started), ended in zip(steps, ends, strict=True):
        span.child(name, start_ns=epoch_ns + started).end(end_ns=epoch_ns + ended)
