"""uvicorn's WebSocket protocol with limits of its own: ``uvicorn --ws recsite.server.uvicorn_ws:BoundedSocket``.

Pings, pongs and pieces of messages never reach the application, so its limits do not count them; uvicorn answers as
many as come, all that were read at once before anybody else has a turn. One client that sent 450,000 pings a second
made every other wait for four seconds. What a page has to say is far below these limits.
"""

from __future__ import annotations

from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from recommendations.metrics import LIVE_CLOSED

BYTES_AT_ONCE: Final = 32 * 1024
BYTES_A_SECOND: Final = 64 * 1024.0
FRAMES_AT_ONCE: Final = 40
FRAMES_A_SECOND: Final = 10.0
"""Of frames that carry no message; the application counts the others."""

SLICE_BYTES: Final = 512
"""Read before frames are counted again; the smallest has six bytes."""

POLICY_VIOLATION: Final = 1008
GONE_WITHIN_S: Final = 1.0


class BoundedSocket(WebSocketsSansIOProtocol):
    """Closes a socket with 1008 that sends faster than a page could, before it costs others their turn."""

    def connection_made(self, transport: Any) -> None:
        """Begin with full allowances."""
        super().connection_made(transport)
        self._bytes, self._frames = float(BYTES_AT_ONCE), float(FRAMES_AT_ONCE)
        self._filled_at = self.loop.time()
        self._is_refused = False

    def data_received(self, data: bytes) -> None:
        """Take what came as far as it is allowed; the request of the handshake is counted, too."""
        now = self.loop.time()
        passed_s, self._filled_at = now - self._filled_at, now
        self._bytes = min(BYTES_AT_ONCE, self._bytes + passed_s * BYTES_A_SECOND) - len(data)
        self._frames = min(FRAMES_AT_ONCE, self._frames + passed_s * FRAMES_A_SECOND)
        if self._bytes < 0:
            self._refuse()
        for start in range(0, len(data), SLICE_BYTES):
            if self._is_refused or self.transport.is_closing():
                return
            super().data_received(data[start : start + SLICE_BYTES])

    def handle_ping(self) -> None:
        """Count a ping, and answer it."""
        self._count()
        if not self._is_refused:
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """Count a pong."""
        self._count()
        super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        """Count a piece of a message."""
        self._count()
        if not self._is_refused:
            super().handle_cont(event)

    def _count(self) -> None:
        self._frames -= 1
        if self._frames < 0:
            self._refuse()

    def _refuse(self) -> None:
        if self._is_refused:
            return
        self._is_refused = True
        self.stop_keepalive()
        if self.handshake_complete and not self.close_sent:
            LIVE_CLOSED.labels(str(POLICY_VIOLATION)).inc()
            self.close_sent = True
            self.conn.send_close(POLICY_VIOLATION, "sends too much at once")
            self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()
        # Who reads nothing keeps what was written from leaving, and the socket open.
        self.loop.call_later(GONE_WITHIN_S, self.transport.abort)
