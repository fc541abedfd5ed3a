"""A site, and a server of feeds on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from features.feeds import download as download_module
from tracking.models import Site


@pytest.fixture
def site(db: None) -> Site:
    return Site.objects.create(slug="shop", name="Shop", currency="EUR")


class FeedServer(BaseHTTPRequestHandler):
    """Serves a feed, a redirect to it, a redirect elsewhere, and errors."""

    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif self.path == "/feed.jsonl":
            body = json.dumps({"item_id": "1", "title": "Mug"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        else:
            self.send_error(404)

    def log_message(self, *args: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def feed_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FeedServer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def loopback_counts_as_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "is_public", lambda address: address == "127.0.0.1")
