from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class TrackingConfig(AppConfig):
    """From a browser to a record in the log."""

    name = "tracking"
    verbose_name = gettext_lazy("Tracking")

    def ready(self) -> None:
        """Register the checks, and announce changes of sites and keys from every process that makes them."""
        from tracking import checks  # noqa: F401  (registers on import)
        from tracking.access import sites  # noqa: F401  (each registers on import)
        from tracking.staff import audit

        audit.connect()
