import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client, RequestFactory, override_settings

from recsite.server.metrics import collect_metrics, may_read, metrics_view
from tracking import metrics as tracking_metrics


def test_loopback_may_read_without_a_token(rf: RequestFactory) -> None:
    assert may_read(rf.get("/metrics", REMOTE_ADDR="127.0.0.1"))


@pytest.mark.parametrize("headers", [{"REMOTE_ADDR": "198.51.100.7"}, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}])
def test_others_and_what_came_by_a_proxy_may_not(rf: RequestFactory, headers: dict[str, str]) -> None:
    response = metrics_view(rf.get("/metrics", **headers))
    assert response.status_code == 403
    assert b"RECSITE_METRICS_TOKEN" in response.content


@override_settings(METRICS_TOKEN="right")
def test_with_a_token_only_the_token_counts(rf: RequestFactory) -> None:
    assert not may_read(rf.get("/metrics"))
    assert not may_read(rf.get("/metrics", HTTP_AUTHORIZATION="Bearer wrong"))
    assert may_read(rf.get("/metrics", HTTP_AUTHORIZATION="Bearer right"))


def test_answer_is_prometheus_text(rf: RequestFactory) -> None:
    tracking_metrics.SPOOLED_RECORDS.inc(0)
    response = metrics_view(rf.get("/metrics"))
    assert response.status_code == 200
    assert b"# HELP recsite_spooled_records_total" in response.content


@pytest.mark.parametrize("host", ["10.0.0.7:8000", "web-1:8000", "[::1]:8000", "evil.example", "not a host"])
@override_settings(METRICS_TOKEN="right", ALLOWED_HOSTS=["shop.example"])
def test_prometheus_asks_a_process_by_any_name(client: Client, host: str) -> None:
    answer = client.get("/metrics", HTTP_HOST=host, HTTP_AUTHORIZATION="Bearer right")
    assert answer.status_code == 200
    assert client.get("/metrics", HTTP_HOST=host).status_code == 403
    assert client.get("/admin/login/", HTTP_HOST=host).status_code == 400


SET_AND_END = """
import sys
from prometheus_client import Counter, Gauge
Gauge("lives", "", ["who"], multiprocess_mode="livemax").labels(sys.argv[1]).set(1)
Counter("was_done", "").inc()
"""


def test_what_a_dead_process_said_of_now_ends_with_it_and_what_it_did_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    subprocess.run([sys.executable, "-c", SET_AND_END, "dead"], env={**os.environ}, check=True)
    with subprocess.Popen(
        [sys.executable, "-c", f"{SET_AND_END}\nprint('set', flush=True)\nsys.stdin.read()", "living"],
        env={**os.environ}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as living:  # fmt: skip
        assert living.stdout is not None
        living.stdout.readline()
        text = collect_metrics().decode()
        living.communicate()
    assert 'lives{who="living"} 1.0' in text
    assert 'who="dead"' not in text
    assert "was_done_total 2.0" in text
    assert 'who="living"' not in collect_metrics().decode()
