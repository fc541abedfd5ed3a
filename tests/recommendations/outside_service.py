"""A shop's service on this machine, over TLS: it answers, or does what services do on a bad day."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from recommendations.retrieval.outside import connection
from tests.services.certificates import issue


class Service(ThreadingHTTPServer):
    """Remembers what it was asked, and answers as ``mode`` says.

    Attributes
    ----------
    proposes : callable
        The answer to a body, as JSON.
    may_go_on : Event
        What the modes ``hang`` and ``hold`` wait for.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.mode = "answer"
        self.proposes: Callable[[dict[str, Any]], Any] = lambda body: {"lists": [["sku1", "sku2"]] * len(body["lists"])}
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.raw: list[bytes] = []
        self.connections: set[Any] = set()
        self.may_go_on = threading.Event()
        self.was_asked = threading.Event()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server_address[1]}/candidates?shop=1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet: clients that went away are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_POST(self) -> None:
        service = self.server
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        service.raw.append(raw)
        service.bodies.append(json.loads(raw))
        service.headers.append(dict(self.headers))
        service.connections.add(self.client_address)
        service.was_asked.set()
        getattr(self, f"_{service.mode}")()

    def _answer(self, status: int = 200, body: bytes | None = None, **headers: str) -> None:
        if body is None:
            body = json.dumps(self.server.proposes(self.server.bodies[-1])).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hang(self) -> None:
        self.server.may_go_on.wait(60)

    def _hold(self) -> None:
        self.server.may_go_on.wait(60)
        self._answer()

    def _error(self) -> None:
        self._answer(500, b"{}")

    def _redirect(self) -> None:
        self._answer(302, b"", Location="http://127.0.0.1/secrets")

    def _garbage(self) -> None:
        self._answer(200, b"\xff\xfe no JSON")

    def _short(self) -> None:
        self._answer(200, b'{"lists": []}')

    def _huge(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 30))
        self.end_headers()
        while True:
            self.wfile.write(b" " * 65536)

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while not self.server.may_go_on.wait(0.002):
            self.wfile.write(b" ")

    def _noise(self) -> None:
        self.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")

    def _hangup(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _closing(self) -> None:
        self._answer(Connection="close")
        self.close_connection = True

    def _vanishing(self) -> None:
        self._answer()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *args: Any) -> None:
        """Stay quiet."""


BAD_DAYS = {
    "hang": "slow", "error": "failed", "redirect": "failed", "garbage": "wrong", "short": "wrong", "huge": "failed",
    "drip": "slow", "noise": "failed", "hangup": "failed",
}  # fmt: skip
"""What a service may do, and what comes of it."""


@contextmanager
def running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Run a service whose certificate is trusted, and whose address counts as public."""
    authority = issue(folder, "authority", is_authority=True)
    pair = issue(folder, "service", by=authority)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair.crt, pair.key)
    trusting = ssl.create_default_context(cafile=str(authority.crt))
    monkeypatch.setattr(connection, "_tls", lambda: trusting)
    monkeypatch.setattr(connection, "is_public", lambda address: address in ("127.0.0.1", "::1"))
    service = Service(tls)
    thread = threading.Thread(target=service.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.may_go_on.set()
        service.shutdown()
        service.server_close()
