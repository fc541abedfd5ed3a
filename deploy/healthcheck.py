"""Say whether a process of the image is well: ``python deploy/healthcheck.py web|worker|beat``; exit status 0 or 1.

web: ``/readyz``, so that a restart one by one goes on only when lists are served. worker: its metrics port answers.
beat: it sent something within ten minutes: merges go out every few seconds, and it writes that down every third minute.
"""

from __future__ import annotations

import os
import sys
import urllib.request

TIMEOUT_S = 4
QUIET_S = 600


def check_web() -> None:
    """Raise unless the process may get traffic."""
    urllib.request.urlopen("http://127.0.0.1:8000/readyz", timeout=TIMEOUT_S).close()


def check_worker() -> None:
    """Raise unless the worker's metrics answer."""
    port = os.environ.get("RECSITE_METRICS_PORT", "9100")
    urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT_S).close()


def check_beat() -> None:
    """Raise unless beat sent a task lately."""
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=TIMEOUT_S) as connection:
        row = connection.execute(
            "SELECT extract(epoch FROM now() - max(last_run_at)) FROM django_celery_beat_periodictask"
        ).fetchone()
    if row is None or row[0] is None or row[0] > QUIET_S:
        raise RuntimeError(f"beat sent nothing for {row[0] if row else None} s")


CHECKS = {"web": check_web, "worker": check_worker, "beat": check_beat}


def main(arguments: list[str]) -> int:
    """Run the check of one role."""
    if len(arguments) != 1 or arguments[0] not in CHECKS:
        print(f"usage: healthcheck.py {'|'.join(CHECKS)}", file=sys.stderr)
        return 2
    try:
        CHECKS[arguments[0]]()
    except Exception as error:  # whatever it is, Docker shows this line
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
