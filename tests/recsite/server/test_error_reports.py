"""What a service that speaks Sentry's protocol is told of errors, by real processes of ours over real HTTP."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from recsite.server.error_reports import MAX_A_MINUTE, MAX_KINDS, Reporter, kind_of, report_errors

ROOT = Path(__file__).resolve().parents[3]
FAILING = """
import logging, os, sys
import django
django.setup()
from django.test import RequestFactory
from django.core.handlers.exception import convert_exception_to_response
from recsite.celery import app

@app.task(name="tests.fails")
def fails(who):
    secret = "a value of a variable"
    raise ValueError(f"no such user at /v1/users/{who}/history")

def view(request):
    raise LookupError("a view failed for pk_live0123456789abcdef")

fails.apply(args=["anna@shop.example"])
convert_exception_to_response(view)(RequestFactory().get("/v1/items/anna?who=anna@shop.example"))
for number in range(30):
    logging.getLogger("recsite.tests").error("tests.failed number=%s", number)
logging.getLogger("recsite.tests").warning("tests.only_warned")
raise RuntimeError("nobody caught this")
"""


@contextmanager
def service() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Take envelopes as Sentry does; yield the address of a project, and the events that came."""
    told: list[dict[str, Any]] = []

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            lines = body.split(b"\n")
            told.extend(
                json.loads(item)
                for head, item in zip(lines[1::2], lines[2::2], strict=False)
                if head and json.loads(head).get("type") == "event"
            )
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Takes)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://publickey@127.0.0.1:{server.server_port}/7", told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ended(script: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {"RECSITE_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "recsite.settings", **environment}
    return subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **own}, cwd=ROOT, capture_output=True, text=True, timeout=120
    )


@pytest.mark.slow
def test_errors_of_requests_tasks_lines_and_crashes_are_told_without_anything_personal(tmp_path: Path) -> None:
    with service() as (address, told):
        run = ended(FAILING, tmp_path, RECSITE_SENTRY_DSN=address, RECSITE_SENTRY_ENVIRONMENT="staging")

    assert "RuntimeError: nobody caught this" in run.stderr
    raised = {event["exception"]["values"][-1]["type"] for event in told if event.get("exception")}
    assert raised == {"ValueError", "LookupError", "RuntimeError"}
    repeated = [event for event in told if (event.get("logentry") or {}).get("message") == "tests.failed number=%s"]
    assert len(repeated) == MAX_A_MINUTE
    assert {event["environment"] for event in told} == {"staging"}
    everything = json.dumps(told)
    for secret in ("anna", "pk_live0123456789abcdef", "a value of a variable", "only_warned", os.uname().nodename):
        assert secret not in everything
    assert "/v1/users/" in everything  # the route stays


@pytest.mark.slow
def test_a_service_that_does_not_answer_costs_its_own_events_alone(tmp_path: Path) -> None:
    run = ended(FAILING, tmp_path, RECSITE_SENTRY_DSN="http://key@127.0.0.1:9/7")

    assert "RuntimeError: nobody caught this" in run.stderr
    assert "tests.failed number=29" in run.stderr


def test_an_address_or_a_package_that_is_missing_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="RECSITE_SENTRY_DSN is no address of a project"):
        report_errors("collector.example/7", environment="production")
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install -r requirements-errors\.txt, or unset"):
        report_errors("https://key@collector.example/7", environment="production")


def event(text: str, *, raised: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"logger": "recsite", "logentry": {"message": text}, "request": {"url": "/v1/users/anna"}}
    return {**made, "exception": {"values": [{"type": raised}]}} if raised else made


def test_a_fault_that_repeats_is_told_ten_times_a_minute_and_then_how_often_it_was_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("recsite.server.error_reports.time.monotonic", lambda: now[0])
    reporter = Reporter()

    first = [reporter(event("log.failed site=%s"), {}) for _ in range(25)]
    other = reporter(event("log.failed site=%s", raised="OSError"), {})
    now[0] = 6.0
    later = reporter(event("log.failed site=%s"), {})

    assert [each is not None for each in first] == [True] * MAX_A_MINUTE + [False] * 15
    assert other["tags"] == {}
    assert later["tags"] == {"left_out": "15"}
    assert "request" not in later


def test_what_is_remembered_of_kinds_is_bounded() -> None:
    reporter = Reporter()
    for number in range(3 * MAX_KINDS):
        assert reporter(event(f"line {number}"), {}) is not None

    assert len(reporter._kinds) == MAX_KINDS
    assert kind_of({}) == ("", "")
