"""Import what every process of an installation needs; the fork server imports this once, and forks come after it."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
django.setup()

import celery.apps.beat  # noqa: E402  (Django is set up before models are imported)
import celery.apps.worker  # noqa: E402
import celery.bin.celery  # noqa: E402
import celery.concurrency.prefork  # noqa: E402
import celery.concurrency.thread  # noqa: E402
import celery.worker.components  # noqa: E402
import celery.worker.consumer  # noqa: E402, F401

import recsite.asgi  # noqa: E402
import recsite.celery  # noqa: E402
import recsite.urls  # noqa: E402

recsite.celery.app.loader.import_default_modules()
recsite.celery.app.finalize()
gc.freeze()  # pages that no collection writes to stay shared
if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    for path in Path(folder).glob(f"*_{os.getpid()}.db"):  # this process counts nothing, and its zeros are no values
        path.unlink()
