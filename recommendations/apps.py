from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class RecommendationsConfig(AppConfig):
    """From a request to a ranked list."""

    name = "recommendations"
    verbose_name = gettext_lazy("Recommendations")

    def ready(self) -> None:
        """Register the checks and the signals, and tell the features who knows placements and the ids of replies."""
        from django.db.models.signals import post_migrate
        from django.utils import formats, timezone, translation

        from features.catalogue.known import use_placement_names
        from features.state.attribution import use_rec_id_reader
        from recommendations import checks, signals  # noqa: F401  (register on import)
        from recommendations.core import words
        from recommendations.serving.origins import read_origin
        from recommendations.state.placements import placement_names
        from tracking.staff.roles import ensure_roles
        from tracking.templatetags.written import in_zone

        words.use(
            words.Tongue(
                gettext=translation.gettext,
                ngettext=translation.ngettext,
                number=lambda value, decimals: formats.number_format(value, decimals, force_grouping=True),
                moment=lambda at: in_zone(at, at.tzinfo or timezone.get_current_timezone()),
            )
        )
        use_rec_id_reader(read_origin)
        use_placement_names(placement_names)
        # Once, after the last application whose models belong to sites has its permissions.
        post_migrate.connect(ensure_roles, sender=self, dispatch_uid="ensure-roles")
