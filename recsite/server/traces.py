"""Traces sent to an OpenTelemetry collector (OTLP over HTTP); off without an address, and then nothing is imported.

A request is traced where its caller traces it (``traceparent``, as a shop's own pages and servers send it), and one of
``RECSITE_TRACE_SHARE`` else; either kind at most ``MAX_A_SECOND`` times a second and process, so that nobody can make
this cost. What is sent: names of endpoints, steps and placements, counts, times; nothing of users, items or addresses.

Spans wait in memory, at most ``MAX_WAITING``. A collector that does not answer costs them, and nobody waits for it.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from django.core.exceptions import ImproperlyConfigured

from tracking.metrics import SPANS
from tracking.token_bucket import TokenBucket
from tracking.traces import spans
from tracking.traces.context import Caller, read_traceparent
from tracking.traces.spans import Attributes, Kind

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer

logger = logging.getLogger(__name__)

REMEDY: Final = "pip install -r requirements-traces.txt, or unset RECSITE_OTLP_ENDPOINT"
PATH: Final = "/v1/traces"
MAX_A_SECOND: Final = 20
MAX_WAITING: Final = 2_048
MOST_AT_ONCE: Final = 512
EVERY_MS: Final = 1_000
TIMEOUT_S: Final = 2
SAID_EVERY_S: Final = 60.0


def send_traces(address: str, *, share: float) -> None:
    """Send spans of this process, and of those that are forked from it, from here on.

    Parameters
    ----------
    address : str
        The collector's, ``http://host:4318``; where it has a path, that is taken as it is. Headers that it asks for
        stand in ``OTEL_EXPORTER_OTLP_HEADERS``, as for every program that speaks OTLP.
    share : float
        The share of requests that are traced although their caller does not, 0 to 1.

    Raises
    ------
    ImproperlyConfigured
        The package for it is not installed.
    """
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace.export  # noqa: F401  (what the first span needs)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"RECSITE_OTLP_ENDPOINT is set, but opentelemetry is not installed: {REMEDY}"
        ) from error
    spans.sender = OtlpSpans(endpoint_of(address), share=share)


def endpoint_of(address: str) -> str:
    """Return where traces are posted to."""
    base, slashes, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return address if slash and path else f"{base}{slashes}{host}{PATH}"


class OtlpSpans:
    """Takes spans; each process begins to send at its first one, so that it may be forked before."""

    def __init__(self, endpoint: str, *, share: float) -> None:
        self._endpoint = endpoint
        self._share = share
        self._of_callers, self._own = _bucket(), _bucket()
        self._pid = 0
        self._provider: Any = None
        self._tracer: Tracer | None = None
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self._lock = threading.Lock()

    def request(self, name: str, traceparent: bytes | None, attributes: Attributes) -> spans.Span | None:
        """Return the span of a request that is sampled; its caller's word for that is taken, within bounds."""
        caller = read_traceparent(traceparent)
        if caller is None:
            if random.random() >= self._share or not self._own.take(time.monotonic()):  # noqa: S311  (which to look at)
                return None
        elif not caller.is_sampled or not self._of_callers.take(time.monotonic()):
            return None
        return self._begin(caller, name, attributes, kind="server", start_ns=None)

    def follow(
        self, traceparent: str, name: str, attributes: Attributes, *, kind: Kind, start_ns: int | None = None
    ) -> spans.Span:
        """Return a span of the trace that ``traceparent`` names."""
        return self._begin(read_traceparent(traceparent.encode()), name, attributes, kind=kind, start_ns=start_ns)

    def flush(self) -> None:
        """Send what waits, ``TIMEOUT_S`` at most for each ``MOST_AT_ONCE``; a later span begins again."""
        with self._lock:
            provider, self._provider, self._tracer = self._provider, None, None
            is_ours = self._pid == os.getpid()
        if provider is not None and is_ours:
            provider.shutdown()

    def _begin(
        self, parent: Caller | None, name: str, attributes: Attributes, *, kind: Kind, start_ns: int | None
    ) -> _OtlpSpan:
        from opentelemetry.context import Context
        from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

        context = Context()
        if parent is not None:
            before = SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=TraceFlags(1))
            context = set_span_in_context(NonRecordingSpan(before), context)
        tracer = self._own_tracer()
        begun = tracer.start_span(name, context, _kind(kind), dict(attributes), start_time=start_ns)
        return _OtlpSpan(tracer, begun)

    def _own_tracer(self) -> Tracer:
        tracer = self._tracer
        if tracer is None or self._pid != os.getpid():
            with self._lock:
                if self._tracer is None or self._pid != os.getpid():
                    self._pid = os.getpid()
                    self._provider = _provider(self._endpoint)
                    self._tracer = self._provider.get_tracer("recsite")
                tracer = self._tracer
        return tracer


class _OtlpSpan:
    """A span of OpenTelemetry, as the rest of us sees it."""

    __slots__ = ("_span", "_tracer")

    def __init__(self, tracer: Tracer, span: OtelSpan) -> None:
        self._tracer, self._span = tracer, span

    @property
    def traceparent(self) -> str:
        context = self._span.get_span_context()
        return Caller(context.trace_id, context.span_id, is_sampled=True).traceparent

    def child(
        self, name: str, attributes: Attributes | None = None, *, kind: Kind = "internal", start_ns: int | None = None
    ) -> _OtlpSpan:
        from opentelemetry.context import Context
        from opentelemetry.trace import set_span_in_context

        context = set_span_in_context(self._span, Context())
        begun = self._tracer.start_span(name, context, _kind(kind), dict(attributes or {}), start_time=start_ns)
        return _OtlpSpan(self._tracer, begun)

    def end(self, attributes: Attributes | None = None, *, end_ns: int | None = None) -> None:
        if attributes:
            self._span.set_attributes(dict(attributes))
        self._span.end(end_ns)


def _kind(kind: Kind) -> Any:
    from opentelemetry.trace import SpanKind

    return SpanKind[kind.upper()]


def _bucket() -> TokenBucket:
    return TokenBucket(rate_per_s=MAX_A_SECOND, burst=MAX_A_SECOND)


def _provider(endpoint: str) -> Any:
    """Return what makes spans and sends them, with the thread that does; one a process."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it says the same thing each second

    class Counting(SpanExporter):
        """Sends, counts what became of it, and says once a minute why spans are lost."""

        def __init__(self) -> None:
            self._to = OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT_S)
            self._said_at = -SAID_EVERY_S

        def export(self, batch: Sequence[ReadableSpan]) -> SpanExportResult:
            result = self._to.export(batch)
            is_sent = result is SpanExportResult.SUCCESS
            SPANS.labels("sent" if is_sent else "lost").inc(len(batch))
            if not is_sent and time.monotonic() >= self._said_at + SAID_EVERY_S:
                self._said_at = time.monotonic()
                logger.warning("traces.not_sent spans=%s: is the collector of RECSITE_OTLP_ENDPOINT up?", len(batch))
            return result

        def shutdown(self) -> None:
            self._to.shutdown()  # type: ignore[no-untyped-call]

    # What the process is called, and more of it, may be said as OpenTelemetry has it (OTEL_SERVICE_NAME).
    own: dict[str, str | int] = {"service.instance.id": uuid4().hex, "process.pid": os.getpid()}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        own[SERVICE_NAME] = "recsite"
    provider = TracerProvider(sampler=ALWAYS_ON, resource=Resource.create(own))
    provider.add_span_processor(
        BatchSpanProcessor(
            Counting(), max_queue_size=MAX_WAITING, max_export_batch_size=MOST_AT_ONCE, schedule_delay_millis=EVERY_MS
        )
    )
    return provider


async def startup() -> None:
    """Nothing: the first span begins to send."""


async def shutdown() -> None:
    """Send what waits; last of all parts."""
    import asyncio

    if spans.sender is not None:
        await asyncio.to_thread(spans.sender.flush)
