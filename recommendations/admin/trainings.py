"""Training: when a site trains by itself, and what became of it."""

from __future__ import annotations

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from kombu.exceptions import OperationalError
from unfold.admin import ModelAdmin

from recommendations.models import TrainingPolicy, TrainingRun
from recommendations.tasks import train_site
from tracking.admin.decorators import action, display
from tracking.templatetags.written import decimal, whole

WAIT_S = 3600


@admin.register(TrainingPolicy)
class TrainingPolicyAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """One row a site; made with its first check."""

    empty_state = (
        gettext_lazy("No training policy yet"),
        gettext_lazy(
            "It says when a site trains by itself and whether a better version is promoted without "
            "asking. One is made with the first hourly check; or add one now."
        ),
    )
    list_display = ("site", "auto_train", "hour", "auto_promote", "max_age_hours", "last_run")
    list_select_related = ("site",)
    fieldsets = (
        (None, {"fields": ("site", "auto_train", "hour", "auto_promote", "max_age_hours")}),
        (
            gettext_lazy("What to learn for"),
            {"fields": ("counts_products", "margin_weight", "position_clip", "tune_minutes")},
        ),
        (gettext_lazy("Limits"), {"fields": ("latency_ms", "memory_mb", "keep_versions")}),
    )
    actions_submit_line = ("train_now",)

    def get_readonly_fields(self, request: HttpRequest, obj: TrainingPolicy | None = None) -> tuple[str, ...]:
        """Fix the site once there is a policy."""
        return ("site",) if obj is not None else ()

    @display(description=gettext_lazy("Last training"))
    def last_run(self, policy: TrainingPolicy) -> str:
        """Return when the site was last trained, and what became of it."""
        run = TrainingRun.objects.filter(site_id=policy.site_id).first()
        return (
            _("%(started_at)s UTC: %(get_status_display)s")
            % {
                "started_at": date_format(run.started_at, "SHORT_DATETIME_FORMAT"),
                "get_status_display": run.get_status_display(),
            }
            if run
            else "-"
        )

    @action(description=gettext_lazy("Save and train now"))
    def train_now(self, request: HttpRequest, policy: TrainingPolicy) -> None:
        """Ask a task worker for a training."""
        try:
            train_site.apply_async((policy.site.slug, TrainingRun.Trigger.ADMIN), expires=WAIT_S, retry=False)
        except OperationalError:
            messages.error(
                request, _("The task queue does not answer; nothing was started. Try again when it is back.")
            )
        else:
            messages.success(request, _("A task worker begins within seconds, unless another training runs."))


@admin.register(TrainingRun)
class TrainingRunAdmin(ModelAdmin):  # type: ignore[misc]
    """Trainings of all sites, newest first; nothing here can be changed."""

    empty_state = (
        gettext_lazy("No training has run by itself yet"),
        gettext_lazy(
            "Sites train every night at the hour of their policy; “Save and train now” under Training "
            "starts one at once."
        ),
    )
    list_display = ("started_at", "site", "state", "progress", "model_version", "duration", "peak_memory_mb", "error")
    list_filter = ("site", "status", "trigger")
    list_select_related = ("site", "model_version")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: the schedule and the policy's button make runs."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: TrainingRun | None = None) -> bool:
        """Refuse: a run is a record."""
        return False

    @display(
        description=gettext_lazy("Status"),
        ordering="status",
        label={"done": "success", "running": "info", "failed": "danger"},
    )
    def state(self, run: TrainingRun) -> str:
        """Return the status in words."""
        return str(run.get_status_display())

    @display(description=gettext_lazy("Step"))
    def progress(self, run: TrainingRun) -> str:
        """Return how far it is."""
        return f"{run.step} {whole(run.step_done)}/{whole(run.step_total)}" if run.step else "-"

    @display(description=gettext_lazy("Minutes"))
    def duration(self, run: TrainingRun) -> str:
        """Return how long it took."""
        return decimal((run.finished_at - run.started_at).total_seconds() / 60) if run.finished_at else "-"
