"""An archive worker in a process of its own, to be killed: ``python -m tests.features.archive.run_archiver``."""

from __future__ import annotations

import threading


def main() -> None:
    from features.archive.writer import ArchiveFolder, ArchiveWorker
    from features.stream import worker
    from tracking.log import kafka_reader, redis_leases

    # So that a killed worker's partitions are soon free, and files are many.
    redis_leases.LEASE_MS = 300  # type: ignore[misc]
    kafka_reader.SESSION_TIMEOUT_MS = 1_500  # type: ignore[misc]
    from django.conf import settings

    archiver = ArchiveWorker(
        worker.connections.event_log(), worker.connections.store(), ArchiveFolder(settings.ARCHIVE_URL), flush_s=0.1
    )
    archiver.run(threading.Event())


if __name__ == "__main__":
    main()
