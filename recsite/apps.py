import gc
import logging

from django.apps import AppConfig
from django.conf import settings

logger = logging.getLogger(__name__)


class RecsiteConfig(AppConfig):
    """The project itself: wiring, supervisor, importers and the demo shop."""

    name = "recsite"
    verbose_name = "Recsite"

    def ready(self) -> None:
        """Register the system checks, and the Celery application, so that every process can send tasks."""
        from recsite import (
            celery,  # noqa: F401  (the default application from its import on)
            checks,
        )
        from recsite.backoffice.names import translate_names

        translate_names()

        if settings.SENTRY_DSN:
            from recsite.server.error_reports import report_errors

            report_errors(settings.SENTRY_DSN, environment=settings.SENTRY_ENVIRONMENT)
        if settings.OTLP_ENDPOINT:
            from recsite.server.traces import send_traces

            send_traces(settings.OTLP_ENDPOINT, share=settings.TRACE_SHARE)
        for name, nearest in settings.UNKNOWN_SETTINGS.items():
            logger.warning("settings.unknown name=%s hint=%s", name, checks.hint_of(nearest))
        gc.freeze()  # what was imported stays: no collection looks at it again
        gc.enable()
