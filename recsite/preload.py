"""Import what every process of an installation needs; the fork server imports this once, and forks come after it."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
django.setup()

import recsite.asgi  # noqa: E402  (Django is set up before models are imported)
import recsite.celery  # noqa: E402
import recsite.urls  # noqa: E402

recsite.celery.app.loader.import_default_modules()
recsite.celery.app.finalize()
gc.freeze()  # pages that no collection writes to stay shared
if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    for path in Path(folder).glob(f"*_{os.getpid()}.db"):  # this process counts nothing, and its zeros are no values
        path.unlink()
