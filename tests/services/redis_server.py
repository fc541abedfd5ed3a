"""A real Redis with its append-only file, so that what it acknowledged survives a kill."""

from __future__ import annotations

import socket

from tests.services.process import Server, find_program


class RedisServer(Server):
    """Debian's ``redis-server``."""

    name = "redis"

    def __init__(self, *options: str) -> None:
        super().__init__()
        self._options = options
        self._program = find_program("Redis", "apt install redis-server", "redis-server")

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """Return the command line; AOF on, no snapshots."""
        return [
            self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.data),
            "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--databases", "16",
            *self._options,
        ]  # fmt: skip

    def answers(self) -> bool:
        """Return whether it says PONG."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
