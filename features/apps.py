from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class FeaturesConfig(AppConfig):
    """From a record in the log to a value in Redis, and the catalogue."""

    name = "features"
    verbose_name = gettext_lazy("Features")

    def ready(self) -> None:
        """Announce the catalogue whenever an item changes."""
        from features import signals  # noqa: F401  (connects on import)
