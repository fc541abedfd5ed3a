"""Browser → https → the shipped nginx → a real web process, with the settings that compose gives both."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from recsite.supervisor.installation import Installation
from recsite.supervisor.ports import free_port
from tests.deploy.conftest import ROOT, compose, filled_in, run_nginx, site_changes
from tests.services.certificates import Pair, issue
from tests.services.redis_server import RedisServer
from tests.services.waiting import COMMAND_S, wait_until

pytestmark = [pytest.mark.nginx, pytest.mark.redis, pytest.mark.slow]
TOKEN = "metrics-" + "m" * 40
SECRETS = dict.fromkeys(("POSTGRES_PASSWORD", "REDIS_PASSWORD", "KAFKA_PASSWORD", "ALERT_WEBHOOK_URL"), "not-used")
LOCKED_OUT = 429
SITE = """
import json
from features.models import Item
from recommendations.models import Placement
from tracking.models import Site
from tracking.access.sites import create_key
site, _ = Site.objects.get_or_create(slug="default", defaults={"name": "Shop"})
Item.objects.bulk_create([
    Item(site=site, item_id=f"I{number}", title=f"Item {number}", category="Shoes", price_minor=1000,
         currency="EUR", url=f"/p/{number}")
    for number in range(20)
])
Placement.objects.get_or_create(site=site, name="home_trending", defaults={"strategy": "trending", "size": 8})
print(json.dumps({"pk": create_key(site, "pk", "test")[1], "sk": create_key(site, "sk", "test")[1]}))
"""


@dataclass
class Behind:
    """A database with one shop, and what a web process is started with."""

    environment: dict[str, str]
    pk: str
    sk: str

    def command(self, port: int) -> list[str]:
        """Return the command line of the image's web process, on another port."""
        place = Installation(
            project=ROOT, data=Path(self.environment["RECSITE_DATA_DIR"]), host="127.0.0.1", port=port, web_workers=1,
            demo=False,
        )  # fmt: skip
        return list(next(process for process in place.processes({}) if process.name == "web").command)


def environment_of_web(folder: Path, redis_url: str) -> dict[str, str]:
    """Return the environment that compose gives ``web-1``; only databases and folders are of this machine."""
    given = compose()["services"]["web-1"]["environment"]
    variables = {**SECRETS, "RECSITE_DOMAIN": "localhost", "METRICS_TOKEN": TOKEN}
    shipped = {name: filled_in(value, **variables) for name, value in given.items()}
    return {
        **os.environ, **shipped, "RECSITE_SECRET_KEY": "only-for-tests-" + "h" * 50, "RECSITE_DATA_DIR": str(folder),
        "RECSITE_STATIC_ROOT": str(folder / "static"), "PROMETHEUS_MULTIPROC_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/recsite.sqlite3", "REDIS_URL": redis_url,
        "EVENT_LOG_URL": f"{redis_url}?stream=https.events&partitions=2",
    }  # fmt: skip


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp("https")
    with RedisServer() as redis_server:
        environment = environment_of_web(folder, redis_server.url)

        def manage(*arguments: str) -> str:
            done = subprocess.run(
                [sys.executable, str(ROOT / "manage.py"), *arguments], env=environment, capture_output=True, text=True,
                timeout=COMMAND_S, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        manage("migrate", "--no-input", "--verbosity", "0")
        keys = json.loads(manage("shell", "-v", "0", "-c", SITE).splitlines()[-1])
        yield Behind(environment, keys["pk"], keys["sk"])


def is_ready(port: int) -> bool:
    """Return whether the web process on ``port`` may get traffic."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def web_process(behind: Behind, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a web process until the end of the block."""
    with log.open("ab") as out:
        process = subprocess.Popen(behind.command(port), cwd=ROOT, env=behind.environment, stdout=out, stderr=out)
    try:
        wait_until(lambda: process.poll() is not None or is_ready(port), "the web process")
        assert process.poll() is None, log.read_text()[-3_000:]
        yield process
    finally:
        process.terminate()
        process.wait(40)


@dataclass
class Edge:
    """Where nginx listens, and how to ask it as a browser does."""

    port: int
    plain: int
    web: int
    authority: Pair
    pk: str

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.crt))

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, *, source: str = "127.0.0.1", **headers: str
    ) -> tuple[int, dict[str, list[str]], bytes]:
        connection = HTTPSConnection("localhost", self.port, timeout=20, context=self.tls, source_address=(source, 0))
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            found: dict[str, list[str]] = {}
            for name, value in answer.getheaders():
                found.setdefault(name.lower(), []).append(value)
            return answer.status, found, answer.read()
        finally:
            connection.close()


def shipped_listen(port: int, pair: Pair, **variables: str) -> str:
    """Return the ``listen.conf`` that compose writes, on this machine's port and with the test's certificate."""
    text = filled_in(compose()["configs"]["listen"]["content"], **variables)
    for old, new in {
        "listen 443 ": f"listen 127.0.0.1:{port} ",
        "/etc/nginx/certificate/server.crt": str(pair.crt),
        "/etc/nginx/certificate/server.key": str(pair.key),
    }.items():
        assert old in text
        text = text.replace(old, new)
    return text


@contextmanager
def edge_before(folder: Path, behind: Behind, webs: list[int], **variables: str) -> Iterator[Edge]:
    """Run the shipped nginx with https before web processes."""
    authority = issue(folder, "authority", is_authority=True)
    pair = issue(folder, "server", by=authority)
    port, plain = free_port(), free_port()
    changes = site_changes(folder, webs, shipped_listen(port, pair, **variables), plain=plain)
    run = run_nginx(folder, {"recsite.conf": changes}, port=port)
    next(run)
    try:
        yield Edge(port, plain, webs[0], authority, behind.pk)
    finally:
        next(run, None)


@pytest.fixture(scope="module")
def web_port(behind: Behind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    with web_process(behind, port, tmp_path_factory.mktemp("web") / "web.log"):
        yield port


@pytest.fixture(scope="module")
def edge(behind: Behind, web_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with edge_before(tmp_path_factory.mktemp("edge"), behind, [web_port]) as running:
        yield running


def test_lists_come_over_https_with_hsts_and_without_preload(edge: Edge) -> None:
    for path in (f"/v1/recommendations/home_trending?key={edge.pk}", "/admin/login/", "/nowhere", "/metrics"):
        _, headers, _ = edge.ask(path)
        (hsts,) = headers["strict-transport-security"]
        assert hsts.startswith("max-age=31536000"), path
        assert "preload" not in hsts
    assert edge.ask(f"/v1/recommendations/home_trending?key={edge.pk}")[0] == 200


def test_in_the_clear_there_is_only_the_way_to_https(edge: Edge) -> None:
    connection = HTTPConnection("127.0.0.1", edge.plain, timeout=5)
    connection.request("POST", "/v1/events?x=1", b"{}", {"Host": "rec.shop.example"})
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Location")) == (308, "https://rec.shop.example/v1/events?x=1")
    connection.close()


def test_staff_get_cookies_that_never_leave_https(edge: Edge) -> None:
    status, headers, _ = edge.ask("/admin/login/")
    assert status == 200
    assert headers["set-cookie"]
    for cookie in headers["set-cookie"]:
        assert "; Secure" in cookie


def test_a_form_is_accepted_from_this_host_alone(edge: Edge) -> None:
    _, headers, page = edge.ask("/admin/login/")
    cookie = headers["set-cookie"][0].split(";")[0]
    token = page.decode().split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    form = f"csrfmiddlewaretoken={token}&username=nobody&password=wrong".encode()
    typed = {"Content_Type": "application/x-www-form-urlencoded", "Cookie": cookie}
    own, foreign = f"https://localhost:{edge.port}", "https://evil.example"
    assert edge.ask("/admin/login/", "POST", form, Origin=own, Referer=own + "/", **typed)[0] == 200
    assert edge.ask("/admin/login/", "POST", form, Origin=foreign, Referer=foreign + "/", **typed)[0] == 403


def test_another_host_is_refused(edge: Edge) -> None:
    assert edge.ask("/admin/login/", Host="evil.example")[0] == 400
    assert edge.ask("/admin/login/", X_Forwarded_Host="evil.example")[0] == 200


def test_old_tls_is_refused(edge: Edge) -> None:
    context = edge.tls
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    connection = HTTPSConnection("localhost", edge.port, timeout=5, context=context)
    with pytest.raises(ssl.SSLError):
        connection.connect()


def fail_to_log_in(edge: Edge, name: str, *, source: str, **said: str) -> int:
    """Type a wrong password for ``name`` and return the status."""
    _, headers, page = edge.ask("/admin/login/", source=source, **said)
    token = page.decode().split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    own = f"https://localhost:{edge.port}"
    status, _, _ = edge.ask(
        "/admin/login/",
        "POST",
        f"csrfmiddlewaretoken={token}&username={name}&password=wrong".encode(),
        source=source,
        Origin=own,
        Referer=own + "/",
        Content_Type="application/x-www-form-urlencoded",
        Cookie=headers["set-cookie"][0].split(";")[0],
        **said,
    )
    return status


def is_locked_out(edge: Edge, name: str, *, source: str, **said: str) -> bool:
    """Fail to log in until the address is locked out."""
    return any(fail_to_log_in(edge, name, source=source, **said) == LOCKED_OUT for _ in range(12))


def test_recsite_knows_who_called_whatever_the_caller_says(edge: Edge) -> None:
    # The lock is by address: it holds for who failed, however the headers change, and for nobody else.
    assert is_locked_out(edge, "anna", source="127.0.7.1")
    said = {"X_Forwarded_For": "203.0.113.9", "X_Real_Ip": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    assert fail_to_log_in(edge, "anna", source="127.0.7.1", **said) == LOCKED_OUT
    assert fail_to_log_in(edge, "anna", source="127.0.8.1") == 200


def test_a_page_opens_its_socket_over_tls(edge: Edge) -> None:
    with connect(f"wss://localhost:{edge.port}/v1/live", ssl=edge.tls) as live:
        live.send(json.dumps({"type": "hello", "key": edge.pk, "anonymous_id": "a" * 32}))
        assert json.loads(live.recv(timeout=20))["type"] == "ready"
    with pytest.raises(InvalidStatus, match="403"), connect(f"wss://localhost:{edge.port}/nowhere", ssl=edge.tls):
        pass


def test_a_body_beyond_the_limit_is_refused_before_recsite(edge: Edge) -> None:
    connection = HTTPSConnection("localhost", edge.port, timeout=20, context=edge.tls)
    connection.putrequest("POST", "/v1/events")
    connection.putheader("Content-Length", str(3 * 1024 * 1024))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"nginx" in answer.read()
    connection.close()


def test_prometheus_gets_the_metrics_beside_nginx(edge: Edge) -> None:
    targets = (ROOT / "deploy/prometheus/prometheus.yml").read_text()
    connection = HTTPConnection("127.0.0.1", edge.web, timeout=20)
    for host in ("web-1:8000", "web-2:8000"):
        assert host in targets
        for token, expected in ((TOKEN, 200), ("wrong", 403)):
            connection.request("GET", "/metrics", headers={"Host": host, "Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == expected
            assert (b"recsite_" in text) == (expected == 200)
    connection.close()
    assert edge.ask("/metrics", Authorization=f"Bearer {TOKEN}")[0] == 404


def test_a_load_balancer_s_word_counts_from_its_network_alone(behind: Behind, web_port: int, tmp_path: Path) -> None:
    balancer, stranger = "127.1.0.20", "127.2.0.21"
    with edge_before(tmp_path, behind, [web_port], BALANCER_NETWORK="127.1.0.0/16") as edge:
        # By way of the balancer each client has a lock of its own; from elsewhere the header changes nothing.
        assert is_locked_out(edge, "bert", source=balancer, X_Forwarded_For="203.0.113.5, 198.51.100.1")
        assert fail_to_log_in(edge, "bert", source=balancer, X_Forwarded_For="198.51.100.1") == LOCKED_OUT
        assert fail_to_log_in(edge, "bert", source=balancer, X_Forwarded_For="198.51.100.1, 192.0.2.1") == 200
        assert is_locked_out(edge, "bert", source=stranger, X_Forwarded_For="192.0.2.7")
        assert fail_to_log_in(edge, "bert", source=stranger, X_Forwarded_For="192.0.2.8") == LOCKED_OUT


def test_the_proxy_protocol_names_the_client(behind: Behind, web_port: int, tmp_path: Path) -> None:
    variables = {"BALANCER_NETWORK": "127.0.0.0/8", "BALANCER_PROXY_PROTOCOL": "proxy_protocol"}
    with edge_before(tmp_path, behind, [web_port], **variables) as edge:
        raw = socket.create_connection(("127.0.0.1", edge.port), timeout=20)
        raw.sendall(b"PROXY TCP4 198.51.100.9 127.0.0.1 5555 443\r\n")
        with edge.tls.wrap_socket(raw, server_hostname="localhost") as secured:
            secured.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert secured.recv(100).startswith(b"HTTP/1.1 200")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            edge.ask("/livez")  # who does not speak it is no balancer
