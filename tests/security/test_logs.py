"""No key, token or shopper stands in a log line or a metric of a whole installation at work."""

from __future__ import annotations

import json
import logging
import re
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from websockets.sync.client import connect

from recsite.server.logs import HidePersonal, JsonLines, NameFields, hide, logging_config
from tests.end_to_end.conftest import Running, start_installation, stop_installation
from tests.services.redis_server import RedisServer
from tests.services.waiting import wait_until
from tests.tracking.asgi_client import call
from tests.tracking.traces.test_spans import Sender
from tracking.access.identity import sign_token
from tracking.http.current import request_id
from tracking.http.edge import HotPath
from tracking.http.request import Reply
from tracking.traces import spans

USER, ANONYMOUS, MAIL = "customer-4711", "feedfacefeedfacefeedfacefeedface", "anna@shop.example"
#: Celery logs the whole message of a task that it does not know.
UNKNOWN_TASK = """
from recsite.celery import app
app.send_task("nobody.knows", args=["/v1/users/{user}/history", "{key}"], queue="stream")
"""


def get(running: Running, path: str, **headers: str) -> int:
    request = urllib.request.Request(running.address + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
@pytest.mark.redis
def test_an_installation_at_work_writes_nothing_down_of_keys_and_shoppers(tmp_path: Path) -> None:
    with RedisServer() as redis_server:
        log_url = f"{redis_server.url}?partitions=2"
        running = start_installation(tmp_path, redis_url=redis_server.url, log_url=log_url, database_url=None)
        token = sign_token("s" * 48, site="default", user_id=USER)
        now_ms = int(time.time() * 1000)
        event = {
            "event": "view_item", "event_id": f"{ANONYMOUS}-1", "ts": now_ms,
            "params": {"items": [{"item_id": "tent01"}], "note": MAIL},
        }  # fmt: skip
        poison = {**event, "event_id": "9" * 32, "params": {"items": [{"item_id": True}], "mail": MAIL}}
        body = {"v": "1.0", "sent_at": now_ms, "anonymous_id": ANONYMOUS, "user_id": USER, "user_token": token}
        try:
            for key in (running.pk, running.sk, "sk_" + "w" * 24, "pk_" + MAIL):
                running.post("/v1/events", {**body, "key": key, "events": [event, poison]})
                running.post("/v1/events", {**body, "key": key, "v": "2.0", "events": [event]})
                running.post("/v1/events", b"{" + MAIL.encode(), **{"X-Api-Key": key})
                running.post("/v1/recommendations", {"key": key, "user_id": USER, "placement": MAIL})
                get(running, f"/v1/recommendations/home_for_you?key={key}")
                bearer = {"Authorization": f"Bearer {key}"}
                for path in (f"/v1/users/{USER}", f"/v1/users/{MAIL}/history?limit=x", f"/v1/users/{USER}/features/x"):
                    get(running, path, **bearer)
                get(running, "/admin/login/?next=/" + MAIL)
                with connect(f"{running.address.replace('http', 'ws')}/v1/live?key={key}") as page:
                    page.send(json.dumps({"type": "hello", "key": key, "user_id": USER, "user_token": token}))
                    page.recv(5)
            running.manage("shell", "-v", "0", "-c", UNKNOWN_TASK.format(user=USER, key=running.sk))
            wait_until(lambda: "nobody.knows" in str(running.processes["stream"].last_lines(1_000)))
            wait_until(lambda: json.loads(running.manage("stream_lag", "--json").splitlines()[-1])["records"] == 0)
            with urllib.request.urlopen(running.address + "/metrics", timeout=10) as answer:
                metrics = answer.read().decode()
        finally:
            stop_installation(running)
        logs = {name: process.last_lines(100_000) for name, process in running.processes.items()}

    assert "recsite_hot_path_replies_total" in metrics
    secrets = [running.pk, running.sk, "w" * 24, token, token.rpartition(".")[2], USER, ANONYMOUS, MAIL, "tent01"]
    for where, text in {**logs, "metrics": metrics}.items():
        assert [secret for secret in secrets if secret in str(text)] == [], where
    assert "127.0.0.1:" not in str(logs["web"]).replace("http://127.0.0.1:", ""), "nor the address of a page"
    assert "/v1/users/…" in str(logs["web"]), "the refusals are logged, without the user"
    assert "/v1/users/…" in str(logs["stream"]), "so is what a Celery worker says"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Not Found: /v1/users/anna@shop.example/history", "Not Found: /v1/users/…"),
        ("Not Found: /v1/users/an na/of/?shop", "Not Found: /v1/users/…"),
        ("Gone: /v1/items/tent 01/2", "Gone: /v1/items/…"),
        ("Not Found: /v1/explanations/r1.abc", "Not Found: /v1/explanations/…"),
        ("key='sk_0123456789abcdefABCDEFGH' is odd", "key='sk_…' is odd"),
        ("token ot_1.1764000000.1764000900.e.abc-_d.ef", "token ot_…"),
        ('203.0.113.7:5000 - "WebSocket /v1/live?key=abc" [accepted]', "WebSocket /v1/live [accepted]"),
        ("stream.stopped is_clean=True", "stream.stopped is_clean=True"),
    ],
)
def test_what_libraries_log_is_cleaned(said: str, kept: str) -> None:
    assert hide(said) == kept
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, "%s", (said,), None)
    assert HidePersonal().filter(record)
    assert record.getMessage() == kept


@given(st.text(min_size=1).filter(lambda name: len(name.strip()) > 3))
def test_no_id_in_a_path_is_logged_whatever_is_in_it(name: str) -> None:
    name = f"<{name}>".replace("\n", " ").replace("\r", " ")  # Django escapes both before it logs a path
    assert name not in hide(f"Not Found: /v1/users/{name}/history")
    assert hide(f"/v1/users/{name}") == "/v1/users/…"


def test_a_traceback_is_cleaned_too() -> None:
    try:
        raise ValueError("sk_0123456789abcdefABCDEFGH")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), info)
    HidePersonal().filter(record)
    assert "sk_0123" not in logging.Formatter().format(record)


def test_no_label_of_a_metric_names_users_or_items() -> None:
    labels: dict[str, tuple[str, ...]] = {}
    for collector in REGISTRY._collector_to_names:
        name, found = getattr(collector, "_name", ""), getattr(collector, "_labelnames", ())
        if name.startswith("recsite_"):
            labels[name] = found
    assert len(labels) > 20
    forbidden = re.compile(r"user|item|anonymous|session|key|token|address|rec_id")
    assert {name: found for name, found in labels.items() if any(forbidden.search(label) for label in found)} == {}


def test_no_log_call_of_ours_names_a_shopper() -> None:
    """Log lines are written with names for their values; none may be one of a shopper's."""
    call = re.compile(r'\blog(?:ger)?\.(?:debug|info|warning|error|exception)\(\s*"([^"]*)"')
    forbidden = re.compile(r"\b(user_id|user_key|anonymous_id|user|token|secret|address|ip|email|item_id)=")
    said: list[Any] = []
    for app in ("tracking", "features", "recommendations", "recsite"):
        for path in Path(apps.get_app_config(app).path).rglob("*.py"):
            said += [(path.name, text) for text in call.findall(path.read_text())]
    assert len(said) > 30
    assert [one for one in said if forbidden.search(one[1])] == []


def line(said: str, *args: object, error: BaseException | None = None) -> dict[str, Any]:
    """Return what stands in a log in JSON for ``logger.error(said, *args)``."""
    info = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord("tracking.log.spool", logging.ERROR, "", 0, said, args, info)
    assert NameFields().filter(record)
    assert HidePersonal().filter(record)
    written = JsonLines().format(record)
    assert "\n" not in written
    found: dict[str, Any] = json.loads(written)
    return found


def test_a_line_in_json_has_its_fields_apart() -> None:
    found = line("spool.full path=%s waiting=%d share=%.2f ok=%s", "/spool", 7, 0.5, True)

    assert {name: found[name] for name in ("event", "level", "logger", "path", "waiting", "share", "ok")} == {
        "event": "spool.full", "level": "ERROR", "logger": "tracking.log.spool", "path": "/spool", "waiting": 7,
        "share": 0.5, "ok": True,
    }  # fmt: skip
    assert found["message"] == "spool.full path=/spool waiting=7 share=0.50 ok=True"
    assert datetime.fromisoformat(found["time"]).tzinfo is not None


@given(said=st.text(), value=st.text() | st.binary() | st.floats() | st.integers())
def test_every_line_is_one_object_whatever_is_in_it(said: str, value: object) -> None:
    name = said.replace("%", "")
    assert line(f"x.y {name} thing=%s", value)["message"] == hide(f"x.y {name} thing={value}")
    assert line("x.y time=%s message=%s level=%s", value, value, value)["level"] == "ERROR"


def test_a_line_in_json_holds_no_key_in_any_field() -> None:
    found = line("edge.failed key=%s", "sk_0123456789abcdefABCDEFGH", error=ValueError("sk_0123456789abcdefABCDEFGH"))

    assert "sk_0123" not in json.dumps(found)
    assert "ValueError" in found["exception"]
    assert found["key"] == "sk_…"


async def test_a_line_names_the_request_that_it_is_about(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(request: Any) -> Reply:
        logging.getLogger("tracking.elsewhere").warning("something.odd")
        return Reply()

    caplog.handler.addFilter(NameFields())
    reply = await call(HotPath(answer, name="recommend"), b"{}", headers={"X-Request-Id": "abcdef123456"})

    assert dict(reply.headers)[b"x-request-id"] == b"abcdef123456"
    assert [record.fields["request_id"] for record in caplog.records] == ["abcdef123456"]  # type: ignore[attr-defined]


async def test_a_line_of_a_traced_request_names_its_trace(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(request: Any) -> Reply:
        logging.getLogger("tracking.elsewhere").warning("something.odd")
        return Reply()

    sender = Sender()
    monkeypatch.setattr(spans, "sender", sender)
    caplog.handler.addFilter(NameFields())
    await call(HotPath(answer, name="recommend"), b"{}", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    logging.getLogger("tracking.elsewhere").warning("something.else")

    in_request, after = (record.fields for record in caplog.records)  # type: ignore[attr-defined]
    assert in_request["trace_id"] == sender.made[0].traceparent.split("-")[1]
    assert "trace_id" not in after


def test_pages_of_django_name_their_request_too(client: Any, db: None) -> None:
    assert client.get("/admin/login/", headers={"X-Request-Id": "abcdef123456"})["X-Request-Id"] == "abcdef123456"
    assert len(client.get("/admin/login/")["X-Request-Id"]) == 16
    assert request_id() is None


@pytest.mark.parametrize(("level", "line_format", "named"), [("LOUD", "text", "LEVEL"), ("INFO", "xml", "FORMAT")])
def test_a_level_or_a_format_that_does_not_exist_is_refused(level: str, line_format: str, named: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"RECSITE_LOG_{named}"):
        logging_config(level, line_format)
