from django.apps import AppConfig


class RecsiteConfig(AppConfig):
    """The project itself: wiring, supervisor, importers and the demo shop."""

    name = "recsite"
    verbose_name = "Recsite"
