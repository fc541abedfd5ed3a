"""The Celery application: ordinary tasks, and the stream worker as a bootstep of its own queue."""

from __future__ import annotations

import os

from celery import Celery

from features.worker import StreamStep
from recsite import worker_metrics  # noqa: F401  (connects its signal)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")

app = Celery("recsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(StreamStep)
