"""A stream worker in a process of its own, to be killed: ``python -m tests.features.run_worker``.

What it logs goes to standard output, so that a test can wait for what it does.
"""

from __future__ import annotations

import signal
import threading

from recsite.server.stop_signals import release_sigterm


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    release_sigterm()
    import logging  # what takes long to import comes after the handler
    import sys

    from features.stream.worker import make_stream_worker
    from tracking.log import kafka_reader, redis_leases

    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    logging.getLogger("features").setLevel(logging.INFO)
    # So that a killed worker's partitions are soon free.
    redis_leases.LEASE_MS = 1_000  # type: ignore[misc]
    kafka_reader.SESSION_TIMEOUT_MS = 1_500  # type: ignore[misc]
    make_stream_worker(with_profiles=False).run(stop)


if __name__ == "__main__":
    main()
