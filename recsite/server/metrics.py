"""``/metrics`` for Prometheus: the metrics of all processes of a machine together.

With ``PROMETHEUS_MULTIPROC_DIR`` every process (web, stream worker, task worker) keeps its metrics in files of that
folder and any web process answers for all. Without it, a process answers for itself alone.
"""

from __future__ import annotations

import hmac
import ipaddress
import os

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector


def collect_metrics() -> bytes:
    """Return the metrics in Prometheus' text format."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
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
