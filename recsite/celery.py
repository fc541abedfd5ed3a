"""The Celery application: ordinary tasks, and the stream worker as a bootstep of its own queue."""

from __future__ import annotations

from recsite.server import stop_signals

if stop_signals.is_celery_program():  # Celery's own handlers come after all that follows
    stop_signals.exit_on_sigterm()

import logging
import os
from functools import cached_property
from typing import Any

import django
from celery import Celery, signals
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
if not apps.models_ready:  # `celery -A recsite` begins here, and the stream step reaches models
    django.setup()

from features.stream.worker import StreamStep
from recsite.server import worker_metrics  # noqa: F401  (connects its signal)


class Application(Celery):  # type: ignore[misc]  # celery ships no types
    """Celery's application, with our own beat."""

    @cached_property
    def Beat(self) -> Any:
        """The program of ``celery beat``."""
        return self.subclass_with_self("recsite.server.beat:Beat")


app = Application("recsite")
app.set_default()  # "current" is for one thread only, and requests run in others
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["features.feeds"])
app.steps["worker"].add(StreamStep)
app.conf.beat_schedule = {
    **app.conf.beat_schedule,
    # A run that comes too late is of no use: the next one does the same work.
    "merge-item-stats": {"task": "features.merge_item_stats", "schedule": 5.0, "options": {"expires": 5}},
    "recompute-segments": {"task": "features.recompute_segments", "schedule": 300.0, "options": {"expires": 240}},
    "store-profiles": {"task": "features.store_profiles", "schedule": 600.0, "options": {"expires": 540}},
    "import-dead-letters": {"task": "features.import_dead_letters", "schedule": 10.0, "options": {"expires": 9}},
    "forget-dead-letters": {"task": "tracking.forget_dead_letters", "schedule": 86_400.0},
    "forget-expired-tokens": {
        "task": "tracking.forget_expired_tokens",
        "schedule": 3600.0,
        "options": {"expires": 3000},
    },
    "trim-log": {"task": "features.trim_log", "schedule": 60.0, "options": {"expires": 50}},
    "fetch-due-feeds": {"task": "features.fetch_due_feeds", "schedule": 60.0, "options": {"expires": 50}},
    "sweep-erased": {"task": "features.sweep_erased", "schedule": 86_400.0, "options": {"expires": 43_200}},
    "keep-archive": {"task": "features.keep_archive", "schedule": 3600.0, "options": {"expires": 3000}},
    "train-due-sites": {"task": "recommendations.train_due_sites", "schedule": 600.0, "options": {"expires": 540}},
    "roll-up-reports": {"task": "recommendations.roll_up_reports", "schedule": 60.0, "options": {"expires": 50}},
    "refresh-content": {"task": "recommendations.refresh_content", "schedule": 300.0, "options": {"expires": 240}},
    "watch-experiments": {"task": "recommendations.watch_experiments", "schedule": 900.0, "options": {"expires": 600}},
    "mail-reports": {"task": "recommendations.mail_reports", "schedule": 300.0, "options": {"expires": 240}},
    "check-health": {"task": "recommendations.check_health", "schedule": 3600.0, "options": {"expires": 3000}},
}


@signals.setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]  # celery ships no types
def keep_logging(loglevel: int | None = None, **kwargs: object) -> None:
    """Keep the handlers of the settings, which hide users' ids; workers and beat would set up their own instead."""
    if loglevel:
        logging.getLogger().setLevel(loglevel)
