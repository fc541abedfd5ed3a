"""Errors told to a service that speaks Sentry's protocol (Sentry, GlitchTip, Bugsink); off without an address.

Every line at ERROR is told with its traceback: Django logs what a request raises, Celery what a task raises, and our
own code what it could not do. Nothing else is sent: no requests, no cookies, no values of variables, no names of hosts;
the texts go through the same filter as the log. A fault that repeats is told ten times a minute and counted beyond
that, and a service that does not answer costs nothing but its own events.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from celery import current_task
from django.core.exceptions import ImproperlyConfigured

from recsite.server.logs import hide
from tracking.http.current import request_id
from tracking.token_bucket import TokenBucket

REMEDY: Final = "pip install -r requirements-errors.txt, or unset RECSITE_SENTRY_DSN"
MAX_A_MINUTE: Final = 10
MAX_KINDS: Final = 500
SHUTDOWN_S: Final = 2
NOT_TOLD: Final = frozenset({"request", "user", "extra", "modules", "breadcrumbs", "server_name"})


def report_errors(dsn: str, *, environment: str) -> None:
    """Tell errors of this process from here on; ``SENTRY_RELEASE`` in the environment says which release it is.

    Parameters
    ----------
    dsn : str
        The project's address, ``https://key@host/project``.

    Raises
    ------
    ImproperlyConfigured
        The package for it is not installed, or the address is none.
    """
    try:
        import sentry_sdk
        from sentry_sdk.integrations.atexit import AtexitIntegration
        from sentry_sdk.integrations.dedupe import DedupeIntegration
        from sentry_sdk.integrations.excepthook import ExcepthookIntegration
        from sentry_sdk.integrations.logging import LoggingIntegration
        from sentry_sdk.integrations.threading import ThreadingIntegration
        from sentry_sdk.utils import BadDsn, Dsn
    except ImportError as error:
        raise ImproperlyConfigured(f"RECSITE_SENTRY_DSN is set, but sentry-sdk is not installed: {REMEDY}") from error
    try:
        Dsn(dsn)
    except BadDsn as error:
        raise ImproperlyConfigured(f"RECSITE_SENTRY_DSN is no address of a project: {error}") from error
    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        server_name="",
        send_default_pii=False,
        include_local_variables=False,
        max_breadcrumbs=0,
        max_request_body_size="never",
        shutdown_timeout=SHUTDOWN_S,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None, event_level=logging.ERROR, sentry_logs_level=None),
            ExcepthookIntegration(),
            ThreadingIntegration(propagate_scope=False),
            DedupeIntegration(),
            AtexitIntegration(callback=lambda pending, timeout: None),
        ],
        before_send=Reporter(),
    )


@dataclass(slots=True)
class _Kind:
    """What one kind of error may still say, and how often it was not told since it last was."""

    bucket: TokenBucket = field(default_factory=lambda: TokenBucket(rate_per_s=MAX_A_MINUTE / 60, burst=MAX_A_MINUTE))
    left_out: int = 0


class Reporter:
    """Decides what is told of an error: nothing personal, and not the same kind again and again. Thread-safe."""

    def __init__(self) -> None:
        self._kinds: OrderedDict[tuple[str, ...], _Kind] = OrderedDict()  # the one that was seen last is the last
        self._lock = threading.Lock()

    def __call__(self, event: Any, hint: Any) -> Any:
        """Return the event as it is sent, or None."""
        with self._lock:
            kind = self._kinds.setdefault(key := kind_of(event), _Kind())
            self._kinds.move_to_end(key)
            while len(self._kinds) > MAX_KINDS:
                self._kinds.popitem(last=False)
            if not kind.bucket.take(time.monotonic()):
                kind.left_out += 1
                return None
            left_out, kind.left_out = kind.left_out, 0
        told = {name: value for name, value in event.items() if name not in NOT_TOLD}
        tags = {"request_id": request_id(), "task": current_task.name if current_task else None, "left_out": left_out}
        return _hidden({**told, "tags": {name: str(value) for name, value in tags.items() if value}})


def kind_of(event: Any) -> tuple[str, ...]:
    """Return what tells one fault from another: the logger, the line's format, and the exception's class."""
    said = event.get("logentry") or {}
    raised = (event.get("exception") or {}).get("values") or [{}]
    return (
        str(event.get("logger", "")), str(said.get("message", "")),
        *(str(one.get("type", "")) for one in raised[-2:] if one),
    )  # fmt: skip


def _hidden(value: Any) -> Any:
    """Return a tree of values with every text as the log would show it."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {key: _hidden(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(each) for each in value]
    return value
