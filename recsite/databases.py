"""How Django reaches its database: SQLite in WAL mode on a laptop, PostgreSQL that may vanish in production."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dj_database_url


def databases(url: str | None, *, folder: Path, timeout_ms: int) -> dict[str, dict[str, Any]]:
    """Return Django's ``DATABASES``.

    Parameters
    ----------
    url : str, optional
        ``postgres://…`` or ``sqlite://…``; without it a SQLite file in ``folder``.
    timeout_ms : int
        Longest statement, and twice the longest wait for a lock; PostgreSQL only, 0 for no limit.
    """
    if url is None:
        return {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": folder / "recsite.sqlite3",
                "OPTIONS": {
                    "timeout": 20,
                    "transaction_mode": "IMMEDIATE",
                    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=134217728;",
                },
            }
        }
    found: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=60, conn_health_checks=True))
    if found["ENGINE"].endswith("postgresql"):
        found["ENGINE"] = "recsite.postgresql"
        found.setdefault("OPTIONS", {}).update(
            connect_timeout=3,
            options=f"-c statement_timeout={timeout_ms} -c lock_timeout={timeout_ms // 2}"
            " -c idle_in_transaction_session_timeout=60000",
            # A server that vanished is noticed by its silence.
            keepalives=1,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=10_000,
        )
    return {"default": found}
