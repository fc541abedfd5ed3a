"""uvicorn's HTTP protocol with a time-out for request heads: ``--http recsite.server.uvicorn_http:TimedProtocol``.

uvicorn waits without end for a head that comes a byte at a time, and holds the socket. Bodies have a time-out of their
own in ``edge.py``, idle connections uvicorn's ``timeout_keep_alive``. Behind nginx this is a second fence.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tracking.error_codes import ErrorCode

HEAD_TIMEOUT_S: Final = 5.0
_PROBLEM: Final = json.dumps(
    {
        "error": ErrorCode.HEAD_TIMEOUT,
        "message": f"the head did not arrive within {HEAD_TIMEOUT_S:g} s",
        "field": "head",
    }
)
_LATE: Final = (
    "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-type: application/json\r\n"
    f"content-length: {len(_PROBLEM)}\r\n\r\n{_PROBLEM}"
).encode()


class TimedProtocol(HttpToolsProtocol):
    """Closes connections whose request head has not fully arrived within ``HEAD_TIMEOUT_S``."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait_for_head()

    def on_message_begin(self) -> None:
        """Begin to wait for the head of the next request of the connection."""
        super().on_message_begin()
        if self._head_timer is None:
            self._wait_for_head()

    def on_headers_complete(self) -> None:
        """Stop the timer: the head has arrived."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(_LATE)
            self.transport.close()
