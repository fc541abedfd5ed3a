from django.apps import AppConfig


class RecommendationsConfig(AppConfig):
    """From a request to a ranked list."""

    name = "recommendations"
    verbose_name = "Recommendations"

    def ready(self) -> None:
        """Register the system checks and the signals."""
        from recommendations import checks, signals  # noqa: F401  (register on import)
