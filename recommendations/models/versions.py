"""Trained versions: what was measured, what the gate said, and how well the live one still fits."""

from __future__ import annotations

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tracking.models import Site


class ModelVersion(models.Model):
    """A trained model set of a site: a folder under MODEL_DIR, and its way through the gate."""

    class Status(models.TextChoices):
        CANDIDATE = "candidate", gettext_lazy("candidate")
        REFUSED = "refused", gettext_lazy("refused by the gate")
        SHADOW = "shadow", gettext_lazy("shadow")
        CANARY = "canary", gettext_lazy("canary")
        LIVE = "live", gettext_lazy("live")
        RETIRED = "retired", gettext_lazy("retired")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="model_versions")
    version = models.CharField(
        max_length=64, help_text=gettext_lazy("Name of the folder, such as 20260131T020000Z-1a2b3c4d.")
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.CANDIDATE)
    canary_percent = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(100)])
    metrics = models.JSONField(default=dict, blank=True)
    manifest = models.JSONField(default=dict, blank=True)
    gate_report = models.JSONField(
        default=list, blank=True, help_text=gettext_lazy("Each check of the gate, its result and its reason.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    live_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["site", "version"], name="one_version_name_per_site"),
            models.UniqueConstraint(
                fields=["site"], condition=models.Q(status="live"), name="one_live_version_per_site"
            ),
        ]

    def __str__(self) -> str:
        return self.version


class HealthReport(models.Model):
    """What one check of the live version found: its age, its catalogue, and how far users moved on from it."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="health_reports")
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, null=True, blank=True, related_name="health_reports"
    )
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    checks = models.JSONField(
        default=list, help_text=gettext_lazy("Each check: its name, value, limit, verdict and what to do.")
    )

    class Meta:
        ordering = ["-made_at"]
        indexes = [models.Index(fields=["model_version", "-made_at"], name="health_version_made_at")]

    def __str__(self) -> str:
        return f"{self.site}, {date_format(self.made_at, 'SHORT_DATETIME_FORMAT')}"


class DriftReference(models.Model):
    """What users did, and how sure the version was, in the time that it was trained on; kept with the version."""

    model_version = models.OneToOneField(ModelVersion, on_delete=models.CASCADE, related_name="drift_reference")
    profile = models.JSONField(
        help_text=gettext_lazy("Counts by bin of each distribution, and how many sessions they are from.")
    )
    made_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return _("reference of %(model_version)s") % {"model_version": self.model_version}
