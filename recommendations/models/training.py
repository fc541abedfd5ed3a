"""When a site trains and what for, and what became of each training."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recommendations.models.versions import ModelVersion
from tracking.models import Site


class TrainingPolicy(models.Model):
    """When a site trains by itself, how old its version may become, and whether a new one is promoted by itself."""

    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="training_policy")
    auto_train = models.BooleanField(gettext_lazy("train every day"), default=True)
    hour = models.PositiveSmallIntegerField(
        gettext_lazy("from hour (UTC)"),
        default=2,
        validators=[MaxValueValidator(23)],
        help_text=gettext_lazy("0 to 23; sites train in turn."),
    )
    auto_promote = models.BooleanField(
        gettext_lazy("promote automatically"),
        default=False,
        help_text=gettext_lazy(
            "A new version answers everybody as soon as the gate lets it pass. Off: promote it here, by hand."
        ),
    )
    counts_products = models.BooleanField(
        gettext_lazy("count products, not variants"),
        default=False,
        help_text=(
            gettext_lazy(
                "Popularity, trends and what goes with what are counted by group id: the sizes of a shoe are "
                "one shoe. Popularity follows at once, what goes with what with the next training."
            )
        ),
    )
    margin_weight = models.FloatField(
        gettext_lazy("weight of margins"),
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text=(
            gettext_lazy(
                "From 0 to 1. 0: every view, cart and sale counts alike when the ranker learns. 1: by the "
                "margin of the item; the catalogue needs costs for that."
            )
        ),
    )
    position_clip = models.FloatField(
        gettext_lazy("position correction, at most"),
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(100.0)],
        help_text=(
            gettext_lazy(
                "Clicks follow the list as well as the shopper. 10: a click further down counts up to ten "
                "times, as rarely as its position is looked at. 0: no correction."
            )
        ),
    )
    tune_minutes = models.FloatField(
        gettext_lazy("minutes to search parameters"),
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(60.0)],
        help_text=gettext_lazy(
            "How long a training looks for better parameters of the ranker; 0 takes the usual ones."
        ),
    )
    latency_ms = models.FloatField(
        gettext_lazy("milliseconds a version may take"),
        default=30.0,
        validators=[MinValueValidator(0.1), MaxValueValidator(1000.0)],
        help_text=(
            gettext_lazy(
                "The gate refuses a version whose sources take longer than this for a request, at the "
                "median; half of a request's budget is usual."
            )
        ),
    )
    max_age_hours = models.PositiveIntegerField(
        default=48,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 365)],
        help_text=gettext_lazy("A live version older than this raises the alert ModelStale."),
    )
    memory_mb = models.PositiveIntegerField(
        gettext_lazy("memory limit in MB"),
        default=8_192,
        validators=[MinValueValidator(512)],
        help_text=(
            gettext_lazy(
                "As much of the newest traffic is trained on as fits. A training that needs more all the "
                "same is ended and reported; for larger logs there is manage.py train_spark."
            )
        ),
    )
    keep_versions = models.PositiveSmallIntegerField(
        default=7,
        validators=[MinValueValidator(2)],
        help_text=gettext_lazy(
            "Versions whose files are kept, besides those that answer; older ones are deleted after a training."
        ),
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = gettext_lazy("training policies")

    def __str__(self) -> str:
        return _("training of %(site)s") % {"site": self.site}

    def clean(self) -> None:
        """Refuse a correction that training would refuse."""
        if self.position_clip is not None and self.position_clip != 0 and self.position_clip <= 1:
            raise ValidationError({"position_clip": _("Give 0 for no correction, or a factor above 1; 10 is usual.")})


class TrainingRun(models.Model):
    """One training of a site: how far it is, and what became of it."""

    class Trigger(models.TextChoices):
        SCHEDULE = "schedule", gettext_lazy("schedule")
        ADMIN = "admin", gettext_lazy("admin")

    class Status(models.TextChoices):
        RUNNING = "running", gettext_lazy("running")
        DONE = "done", gettext_lazy("done")
        FAILED = "failed", gettext_lazy("failed")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="training_runs")
    trigger = models.CharField(max_length=16, choices=Trigger.choices, default=Trigger.SCHEDULE)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.RUNNING)
    step = models.CharField(max_length=64, blank=True)
    step_done = models.PositiveIntegerField(default=0)
    step_total = models.PositiveIntegerField(default=0)
    peak_memory_mb = models.PositiveIntegerField(null=True, blank=True)
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.SET_NULL, null=True, blank=True, related_name="training_runs"
    )
    error = models.TextField(blank=True, help_text=gettext_lazy("Why there is no version, and what to do."))
    started_at = models.DateTimeField(default=timezone.now, db_index=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return f"{self.site}, {date_format(self.started_at, 'SHORT_DATETIME_FORMAT')}"
