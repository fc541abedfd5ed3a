from django.apps import AppConfig


class RecommendationsConfig(AppConfig):
    """From a request to a ranked list."""

    name = "recommendations"
    verbose_name = "Recommendations"

    def ready(self) -> None:
        """Register the system checks and the signals, and tell the features who reads the ids of replies."""
        from features.state.attribution import use_rec_id_reader
        from recommendations import checks, signals  # noqa: F401  (register on import)
        from recommendations.serving.origins import read_origin

        use_rec_id_reader(read_origin)
