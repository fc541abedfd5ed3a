"""A Celery worker's own metrics port."""

from __future__ import annotations

import socket
import urllib.request
from typing import Any

import pytest

from recsite.server.worker_metrics import serve_metrics
from recsite.supervisor.ports import free_port


def test_it_listens_where_the_settings_say(settings: Any) -> None:
    settings.METRICS_HOST, settings.METRICS_PORT = "127.0.0.1", free_port()
    serve_metrics()
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.METRICS_PORT}/metrics", timeout=5) as answer:
        assert b"recsite_" in answer.read()


@pytest.mark.expects_errors(r"metrics\.port_unavailable")
def test_a_port_in_use_is_logged_and_not_fatal(settings: Any) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        settings.METRICS_HOST, settings.METRICS_PORT = "127.0.0.1", holder.getsockname()[1]
        serve_metrics()
