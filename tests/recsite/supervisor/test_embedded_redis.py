"""The Redis that the project starts for itself."""

import os
import time
from pathlib import Path

import redis

from recsite.supervisor import embedded_redis


def test_embedded_redis_keeps_its_data_over_a_restart(tmp_path: Path) -> None:
    for expected in (None, b"kept"):
        server, url = embedded_redis.make_server(tmp_path, log_path=tmp_path / "log", environment=dict(os.environ))
        server.start()
        try:
            embedded_redis.wait_ready(server, url, pause=lambda: time.sleep(0.05))  # sleep: the step of the loop
            with redis.Redis.from_url(url, socket_timeout=2) as client:
                assert client.get("name") == expected
                client.set("name", "kept")
                assert client.config_get("appendonly") == {"appendonly": "yes"}
        finally:
            server.ask_to_stop()
            server.wait_stopped(10)
    assert (tmp_path / "password").stat().st_mode & 0o077 == 0
