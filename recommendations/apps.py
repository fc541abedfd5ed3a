from django.apps import AppConfig


class RecommendationsConfig(AppConfig):
    """From a request to a ranked list."""

    name = "recommendations"
    verbose_name = "Recommendations"

    def ready(self) -> None:
        """Register the system checks."""
        from recommendations import checks  # noqa: F401  (registers on import)
