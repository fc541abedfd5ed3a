from django.apps import AppConfig


class RecsiteConfig(AppConfig):
    """The project itself: wiring, supervisor, importers and the demo shop."""

    name = "recsite"
    verbose_name = "Recsite"

    def ready(self) -> None:
        """Register the system checks, and the Celery application, so that every process can send tasks."""
        from recsite import (
            celery,  # noqa: F401  (the default application from its import on)
            checks,  # noqa: F401  (registers on import)
        )
