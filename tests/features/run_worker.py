"""A stream worker in a process of its own, to be killed: ``python -m tests.features.run_worker``."""

from __future__ import annotations

import signal
import threading

from features.stream.worker import make_stream_worker
from tracking.log import kafka_reader, redis_leases


def main() -> None:
    # So that a killed worker's partitions are soon free.
    redis_leases.LEASE_MS = 1_000  # type: ignore[misc]
    kafka_reader.SESSION_TIMEOUT_MS = 1_500  # type: ignore[misc]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    make_stream_worker(with_profiles=False).run(stop)


if __name__ == "__main__":
    main()
