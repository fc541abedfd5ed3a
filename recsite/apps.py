from django.apps import AppConfig


class RecsiteConfig(AppConfig):
    """The project itself: wiring, supervisor, importers and the demo shop."""

    name = "recsite"
    verbose_name = "Recsite"

    def ready(self) -> None:
        """Register the system checks."""
        from recsite import checks  # noqa: F401  (registers on import)
