"""A real Kafka broker in one JVM, from the jars of Maven Central (``deploy/kafka``)."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

from tests.services.process import Missing, Server, find_program, free_port

LAUNCHER = Path(__file__).resolve().parents[2] / "deploy/kafka/run.sh"
FETCH_TIMEOUT_S = 300


class KafkaServer(Server):
    """One broker that is its own controller."""

    name = "kafka"

    def __init__(self) -> None:
        find_program("Java", "apt install openjdk-17-jre-headless", "java")
        _fetch_jars()
        super().__init__()
        self._controller_port = free_port()

    @property
    def bootstrap(self) -> str:
        """The broker's host and port."""
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """Return the command line."""
        return [str(LAUNCHER), str(self.data / "kafka"), str(self.port), str(self._controller_port)]

    def answers(self) -> bool:
        """Return whether a client gets the broker's metadata."""
        from kafka import KafkaAdminClient
        from kafka.errors import KafkaError

        try:
            admin = KafkaAdminClient(
                bootstrap_servers=self.bootstrap, bootstrap_timeout_ms=1_000, request_timeout_ms=1_000
            )
        except KafkaError:
            return False
        try:
            return bool(admin.describe_cluster()["brokers"])
        except KafkaError:
            return False
        finally:
            admin.close()


def _fetch_jars() -> None:
    target = LAUNCHER.parent / "target"
    target.mkdir(exist_ok=True)
    try:
        with (target / "fetching").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # tests that run side by side fetch once
            fetched = subprocess.run(
                [LAUNCHER, "fetch"], capture_output=True, text=True, check=False, timeout=FETCH_TIMEOUT_S
            )
    except subprocess.TimeoutExpired:
        raise Missing("Kafka", f"its jars could not be downloaded within {FETCH_TIMEOUT_S} s") from None
    if fetched.returncode:
        raise Missing("Kafka", (fetched.stderr or fetched.stdout).strip().splitlines()[-1])
