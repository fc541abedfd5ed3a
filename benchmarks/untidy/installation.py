"""Recsite set up over a database and a data folder of its own, in this process."""

from __future__ import annotations

import os
from pathlib import Path


def set_up(data: Path, *, redis_url: str, log_url: str) -> None:
    """Make the database; to be called once, before anything of Recsite's that needs its settings."""
    data.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "recsite.settings",
        "RECSITE_SECRET_KEY": "only-for-benchmarks-" + "x" * 50,
        "RECSITE_DATA_DIR": str(data),
        "REDIS_URL": redis_url,
        "EVENT_LOG_URL": log_url,
        "RECSITE_LOG_LEVEL": "ERROR",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
