"""A stream worker process for the benchmark: the worker's loop without Celery around it."""

from __future__ import annotations

import os
import signal
import threading


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    from features.stream.worker import make_stream_worker  # takes long; the handler comes before
    from tracking.log import kafka_reader, redis_leases

    if session_ms := int(os.environ.get("RECSITE_BENCH_SESSION_MS", "0")):
        kafka_reader.SESSION_TIMEOUT_MS = kafka_reader.MAX_POLL_GAP_MS = session_ms  # type: ignore[misc]
        redis_leases.LEASE_MS = session_ms  # type: ignore[misc]
    make_stream_worker(with_profiles=False).run(stop)


if __name__ == "__main__":
    main()
