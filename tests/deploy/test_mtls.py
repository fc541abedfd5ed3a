"""Certificates of shops' servers at a real nginx, in front of a real uvicorn that asks for a credential."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import uvicorn

from recsite.supervisor.ports import free_port
from tests.deploy.conftest import run_nginx, site_changes
from tests.services.certificates import Pair, issue
from tests.services.waiting import wait_until
from tests.tracking.conftest import OTHER, PUBLISHABLE, a_site
from tracking.access import sites
from tracking.access.certificates import read_certificate
from tracking.access.sites import KeyInfo, Keys, digest_of
from tracking.http.edge import HotPath, Reply, Request

pytestmark = pytest.mark.nginx
SECRET = "p" * 40


async def whoami(request: Request) -> Reply:
    key = request.authenticate(scope="events")
    return Reply(json.dumps({"site": key.site.slug, "kind": key.kind}).encode())


@pytest.fixture
def application_port() -> Iterator[int]:
    """Serve ``whoami`` with uvicorn in a thread."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(HotPath(whoami, name="whoami", methods=("GET",)), port=port, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    wait_until(lambda: server.started, "uvicorn")
    yield port
    server.should_exit = True
    thread.join(10)


@dataclass
class Listeners:
    plain: int
    mutual: int
    authority: Pair
    clients: dict[str, Pair]

    def ask(self, pair: Pair | None = None, *, port: int = 0, **headers: str) -> tuple[int, Any]:
        """GET with a certificate over the mTLS listener, or over ``port`` in the clear."""
        if port:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        else:
            context = ssl.create_default_context(cafile=str(self.authority.crt))
            if pair is not None:
                context.load_cert_chain(pair.crt, pair.key)
            connection = http.client.HTTPSConnection("localhost", self.mutual, timeout=5, context=context)
        try:
            connection.request("GET", "/v1/whoami", headers={k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            body = answer.read()
            is_json = answer.headers.get("content-type", "").startswith("application/json")
            return answer.status, json.loads(body) if is_json else body.decode()
        finally:
            connection.close()


@pytest.fixture
def listeners(tmp_path: Path, application_port: int, settings: Any, monkeypatch: Any) -> Iterator[Listeners]:
    settings.PROXY_SECRET = SECRET
    authority = issue(tmp_path, "authority", is_authority=True)
    stranger = issue(tmp_path, "stranger", is_authority=True)
    server = issue(tmp_path, "server", by=authority)
    clients = {name: issue(tmp_path, name, by=authority) for name in ("shop", "other", "unregistered")}
    clients["expired"] = issue(tmp_path, "expired", by=authority, days=-1)
    clients["foreign"] = issue(tmp_path, "foreign", by=stranger)
    install(monkeypatch, clients)
    (tmp_path / "proxy_secret.conf").write_text(f'proxy_set_header X-Recsite-Proxy-Secret "{SECRET}";\n')
    plain, mutual = free_port(), free_port()
    files = {
        "recsite.conf": site_changes(tmp_path, [application_port], f"listen 127.0.0.1:{plain};"),
        "mtls.conf": {
            "listen 8443 ssl;": f"listen 127.0.0.1:{mutual} ssl;",
            "/etc/nginx/tls/server.crt": str(server.crt),
            "/etc/nginx/tls/server.key": str(server.key),
            "/etc/nginx/tls/clients.crt": str(authority.crt),
            "/etc/nginx/proxy_secret.conf": str(tmp_path / "proxy_secret.conf"),
        },
    }
    for _ in run_nginx(tmp_path, files, port=plain):
        yield Listeners(plain, mutual, authority, clients)


def install(monkeypatch: Any, clients: dict[str, Pair]) -> None:
    """Put two sites into memory, each with a registered certificate and a publishable key."""
    shop, other = a_site(), a_site(id=2, slug="other")

    def opens(site: Any, id: str, kind: Any = "sk") -> KeyInfo:
        return KeyInfo(id=id, kind=kind, prefix=id, site=site, expires_at=None)

    certificates = {
        read_certificate(clients[name].pem).fingerprint: opens(site, f"certificate-{site.id}")
        for name, site in (("shop", shop), ("other", other))
    }
    by_digest = {digest_of(PUBLISHABLE): opens(shop, "1", "pk"), digest_of(OTHER): opens(other, "2", "pk")}
    live = Keys(by_digest=by_digest, by_slug={"shop": shop, "other": other}, certificates=certificates)
    monkeypatch.setattr(sites.keys, "_value", live)


@pytest.mark.parametrize("name", ["shop", "other"])
def test_a_registered_certificate_opens_its_site(listeners: Listeners, name: str) -> None:
    assert listeners.ask(listeners.clients[name]) == (200, {"site": name, "kind": "sk"})


def test_a_certificate_nobody_registered_opens_nothing(listeners: Listeners) -> None:
    for key in ({}, {"X_Api_Key": PUBLISHABLE}):
        status, answer = listeners.ask(listeners.clients["unregistered"], **key)
        assert (status, answer["error"]) == (401, "unknown_certificate")


@pytest.mark.parametrize("name", [None, "expired", "foreign"])
def test_nginx_lets_nobody_in_without_a_certificate_of_the_authority(listeners: Listeners, name: str | None) -> None:
    status, answer = listeners.ask(listeners.clients[name] if name else None)
    assert status == 400
    assert "SSL certificate" in answer  # nginx' own words: the application was not asked


def test_a_certificate_and_a_key_must_be_of_one_site(listeners: Listeners) -> None:
    assert listeners.ask(listeners.clients["shop"], X_Api_Key=PUBLISHABLE)[0] == 200
    status, answer = listeners.ask(listeners.clients["shop"], X_Api_Key=OTHER)
    assert (status, answer["error"]) == (401, "unknown_key")


def test_what_a_client_says_of_itself_is_stripped(listeners: Listeners) -> None:
    said = {
        "X_Recsite_Client_Cert": quote(listeners.clients["shop"].pem),
        "X_Recsite_Proxy_Secret": SECRET,  # even if it leaked
    }
    status, answer = listeners.ask(port=listeners.plain, **said)
    assert (status, answer["error"]) == (401, "missing_key")
    assert listeners.ask(listeners.clients["other"], **said) == (200, {"site": "other", "kind": "sk"})


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.pop("X_Recsite_Proxy_Secret"),
        lambda said: said.update(X_Recsite_Proxy_Secret="q" * 40),
        lambda said: said.update(X_Recsite_Proxy_Secret=""),
    ],
)
def test_without_the_secret_no_certificate_counts_beside_nginx(
    listeners: Listeners, application_port: int, change: Callable[[dict[str, str]], Any]
) -> None:
    said = {"X_Recsite_Client_Cert": quote(listeners.clients["shop"].pem), "X_Recsite_Proxy_Secret": SECRET}
    assert listeners.ask(port=application_port, **said)[0] == 200
    change(said)
    status, answer = listeners.ask(port=application_port, **said)
    assert (status, answer["error"]) == (401, "missing_key")


def test_without_a_secret_in_the_settings_no_certificate_counts(
    listeners: Listeners, application_port: int, settings: Any
) -> None:
    settings.PROXY_SECRET = None
    said = {"X_Recsite_Client_Cert": quote(listeners.clients["shop"].pem), "X_Recsite_Proxy_Secret": ""}
    assert listeners.ask(port=application_port, **said)[1]["error"] == "missing_key"
    assert listeners.ask(listeners.clients["shop"])[1]["error"] == "missing_key"


@pytest.mark.parametrize("said", ["x", "%", "-----BEGIN CERTIFICATE-----%0A", "A" * 60_000])
def test_what_is_no_certificate_is_refused(listeners: Listeners, application_port: int, said: str) -> None:
    headers = {"X_Recsite_Client_Cert": said, "X_Recsite_Proxy_Secret": SECRET}
    status, answer = listeners.ask(port=application_port, **headers)
    assert (status, answer["error"]) == (401, "unknown_certificate")


def test_the_mtls_listener_serves_shops_servers_only(listeners: Listeners) -> None:
    context = ssl.create_default_context(cafile=str(listeners.authority.crt))
    shop = listeners.clients["shop"]
    context.load_cert_chain(shop.crt, shop.key)
    connection = http.client.HTTPSConnection("localhost", listeners.mutual, timeout=5, context=context)
    for path in ("/admin/", "/metrics", "/"):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 404
    connection.close()
