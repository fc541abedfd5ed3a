"""A Celery worker's own metrics port, for installations where each process is scraped by itself."""

from __future__ import annotations

import logging
import os
from typing import Any

from celery.signals import worker_init
from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry, start_http_server

from recsite.server.metrics import LivingProcesses

logger = logging.getLogger(__name__)


@worker_init.connect  # type: ignore[untyped-decorator]  # celery ships no types
def serve_metrics(**kwargs: Any) -> None:
    """Listen on ``METRICS_HOST:METRICS_PORT`` from the worker's start on; a port in use is logged, not fatal."""
    if not settings.METRICS_PORT:
        return
    registry: CollectorRegistry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        LivingProcesses(registry)  # type: ignore[no-untyped-call]
    try:
        start_http_server(settings.METRICS_PORT, addr=settings.METRICS_HOST, registry=registry)
    except OSError as error:
        logger.error("metrics.port_unavailable port=%s reason=%s", settings.METRICS_PORT, error)
