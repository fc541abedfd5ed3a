"""A stream worker process for the benchmark: the worker's loop without Celery around it."""

from __future__ import annotations

import signal
import threading

from features.worker import make_stream_worker


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    make_stream_worker(with_profiles=False).run(stop)


if __name__ == "__main__":
    main()
