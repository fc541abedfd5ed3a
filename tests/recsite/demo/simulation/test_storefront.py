"""The way of simulated shoppers to the API: a shop that refuses, and one that is down."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from recsite.demo.simulation.shoppers import Shopper
from recsite.demo.simulation.storefront import HttpStorefront, NotServed
from recsite.demo.simulation.visits import (
    HOME_LISTS,
)
from recsite.supervisor.ports import free_port


class _Answers(BaseHTTPRequestHandler):
    status, answer = 200, b"{}"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (429, b'{"error": "quota_exceeded"}', "429 .*quota_exceeded"),
        (200, b"<html>", "is not what the API says"),
        (202, b'{"accepted": 0, "rejected": [{"error": "unknown_event"}]}', "unknown_event"),
    ],
)
def test_a_shop_that_refuses_is_named_with_its_answer(
    status: int, answer: bytes, said: str, shoppers: list[Shopper]
) -> None:
    handler = type("Answers", (_Answers,), {"status": status, "answer": answer})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        shop = HttpStorefront(f"http://127.0.0.1:{server.server_port}", site="s", key="pk_x", token_secret="t" * 40)
        try:
            with pytest.raises(NotServed, match=said):
                shop.tell(shoppers[0], [])
        finally:
            shop.close()
            server.shutdown()
            thread.join(5)


def test_a_shop_that_is_down_is_no_crash(shoppers: list[Shopper]) -> None:
    shop = HttpStorefront(f"http://127.0.0.1:{free_port()}", site="s", key="pk_x", token_secret="t" * 40)
    with pytest.raises(NotServed, match="ConnectionRefusedError"):
        shop.lists(shoppers[0], HOME_LISTS)
