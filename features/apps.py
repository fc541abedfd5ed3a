from django.apps import AppConfig


class FeaturesConfig(AppConfig):
    """From a record in the log to a value in Redis, and the catalogue."""

    name = "features"
    verbose_name = "Features"

    def ready(self) -> None:
        """Announce the catalogue whenever an item changes."""
        from features import signals  # noqa: F401  (connects on import)
