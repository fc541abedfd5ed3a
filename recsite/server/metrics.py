"""``/metrics`` for Prometheus: the metrics of all processes of a machine together.

With ``PROMETHEUS_MULTIPROC_DIR`` every process (web, stream worker, task worker) keeps its metrics in files of that
folder and any web process answers for all. Without it, a process answers for itself alone. What a process says of now
(gauges of a ``live`` mode) ends with it, however it ended: else the last words of one that was killed would raise an
alarm for ever.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead


class LivingProcesses(MultiProcessCollector):
    """Adds the files of all processes up, after those of dead ones have lost what is true of living ones alone."""

    def collect(self) -> Iterable[Any]:
        """Return the metrics of all processes."""
        forget_dead_processes(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
        found: Iterable[Any] = super().collect()  # type: ignore[no-untyped-call]
        return found


def forget_dead_processes(folder: Path) -> set[int]:
    """Remove the gauges of now of processes that are not there any more; return their ids."""
    names = (path.stem.rpartition("_")[2] for path in folder.glob("gauge_live*_*.db"))
    pids = {int(name) for name in names if name.isdigit()}
    dead = {pid for pid in pids if not _is_running(pid)}
    for pid in dead:
        with suppress(FileNotFoundError):  # another process looked at the same time
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
    return dead


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def collect_metrics() -> bytes:
    """Return the metrics in Prometheus' text format."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    LivingProcesses(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def may_read(request: HttpRequest) -> bool:
    """Return whether the caller has the token, or, when none is set, sits on this machine and came by no proxy."""
    token = settings.METRICS_TOKEN
    if token:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), token.encode())
    if "X-Forwarded-For" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


@require_GET
def metrics_view(request: HttpRequest) -> HttpResponse:
    """Answer Prometheus; anyone else gets 403."""
    if not may_read(request):
        message = "metrics are for this machine, or for RECSITE_METRICS_TOKEN as a bearer token\n"
        return HttpResponse(message, status=403, content_type="text/plain")
    return HttpResponse(collect_metrics(), content_type=CONTENT_TYPE_LATEST)
