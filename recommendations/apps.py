from django.apps import AppConfig


class RecommendationsConfig(AppConfig):
    """From a request to a ranked list."""

    name = "recommendations"
    verbose_name = "Recommendations"

    def ready(self) -> None:
        """Register the checks and the signals, and tell the features who knows placements and the ids of replies."""
        from features.catalogue.known import use_placement_names
        from features.state.attribution import use_rec_id_reader
        from recommendations import checks, signals  # noqa: F401  (register on import)
        from recommendations.serving.origins import read_origin
        from recommendations.state.placements import placement_names

        use_rec_id_reader(read_origin)
        use_placement_names(placement_names)
