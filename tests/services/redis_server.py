"""A real Redis with its append-only file, so that what it acknowledged survives a kill."""

from __future__ import annotations

import socket

from tests.services.process import Server, find_program, free_port


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


class RedisClusterServer(RedisServer):
    """A Redis Cluster of one server that holds all slots: every rule of a Cluster applies."""

    def __init__(self) -> None:
        super().__init__("--cluster-enabled", "yes", "--cluster-port", str(free_port()), "--databases", "1")

    @property
    def url(self) -> str:
        """The URL of the Cluster."""
        return f"redis+cluster://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        """Return whether all slots are served; takes them at the first start."""
        if not super().answers():
            return False
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(b"CLUSTER ADDSLOTSRANGE 0 16383\r\n")
            connection.recv(256)  # an error when it has them already
            connection.sendall(b"CLUSTER INFO\r\n")
            return b"cluster_state:ok" in connection.recv(4096)
