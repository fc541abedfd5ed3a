"""Experiments: set up in a form, started, watched and decided on one page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin, StackedInline
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from features.exceptions import StoreUnavailable
from features.store import connections
from recommendations.admin.experiments.shown import arms_of, chart_of, client, guards_of, rows_of
from recommendations.admin.fields import LinesField
from recommendations.core.visit import Device
from recommendations.experiments import lifecycle
from recommendations.experiments.guardrails import alarms_of, guardrails_of
from recommendations.experiments.results import days_to_go, sentence
from recommendations.experiments.served import read_served, slow_ms
from recommendations.experiments.statistics.power import Plan, days_needed, visitors_needed
from recommendations.models import Arm, Experiment, Metric
from recommendations.models.merchandising import WEIGHT_FIELDS
from tracking.admin.decorators import action, display
from tracking.admin.screens import get_or_404, screen
from tracking.templatetags.written import short

CONVERSION: float = 0.03
"""What visitors are taken to buy where nothing is known of the site yet."""


class ExperimentForm(forms.ModelForm):  # type: ignore[type-arg]  # only typed stubs are generic
    """The form of an experiment; lists are lines."""

    segments = LinesField(
        label=gettext_lazy("Segments"),
        required=False,
        help_text=gettext_lazy("Only shoppers of these segments, one a line; empty: any."),
    )
    devices = LinesField(
        label=gettext_lazy("Devices"),
        required=False,
        help_text=gettext_lazy("desktop, mobile, tablet or app, one a line; empty: any."),
    )
    locales = LinesField(
        label=gettext_lazy("Locales"),
        required=False,
        help_text=gettext_lazy("Such as de or de-AT, one a line; empty: any."),
    )

    class Meta:
        model = Experiment
        fields = (
            "site", "name", "hypothesis", "placements", "metric", "minimum_lift", "share", "audience", "segments",
            "devices", "locales", "group", "group_share",
        )  # fmt: skip
        widgets = {
            "placements": UnfoldAdminCheckboxSelectMultipleWidget,
            "hypothesis": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        }

    def clean_devices(self) -> list[str]:
        """Refuse devices that requests never name."""
        chosen: list[str] = self.cleaned_data["devices"]
        known = [device.value for device in Device]
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise forms.ValidationError(
                _("%(unknown)s is no device; choose of %(known)s.")
                % {"unknown": f"{unknown[0]!r}", "known": ", ".join(known)}
            )
        return chosen

    def clean(self) -> dict[str, Any]:
        """Refuse placements of another site, and a share that shrinks while it runs."""
        cleaned: dict[str, Any] = super().clean() or {}
        site = cleaned.get("site") or getattr(self.instance, "site", None)
        others = [one.name for one in cleaned.get("placements", ()) if site is not None and one.site_id != site.pk]
        if others:
            self.add_error(
                "placements",
                _("%(others)s belongs to another site; choose placements of %(site)s.")
                % {"others": others[0], "site": site},
            )
        share = cleaned.get("share")
        if share is not None and self.instance.status == Experiment.Status.RUNNING and share < self.initial["share"]:
            self.add_error(
                "share",
                _("Is less than %(initial)s: a share can only grow while it runs.")
                % {"initial": self.initial["share"]},
            )
        return cleaned


class ArmForm(forms.ModelForm):  # type: ignore[type-arg]  # only typed stubs are generic
    """What an arm sets."""

    class Meta:
        model = Arm
        fields = ("name", "weight", "heading", "layout", "strategy", "model", "size", "diversity", *WEIGHT_FIELDS,
                  "rules_off")  # fmt: skip
        labels = {
            "weight_click": gettext_lazy("Order for clicks"),
            "weight_cart": gettext_lazy("Order for add-to-carts"),
            "weight_purchase": gettext_lazy("Order for purchases"),
            "weight_revenue": gettext_lazy("Order for revenue"),
            "weight_margin": gettext_lazy("Order for margin"),
        }
        help_texts = {
            WEIGHT_FIELDS[0]: gettext_lazy(
                "Weights from 0 to 100 beside each other; one that is set sets all five. Empty: as the placement says."
            )
        }


class ArmInline(StackedInline):  # type: ignore[misc]  # unfold ships no types
    """The arms of an experiment; the first is the control."""

    model = Arm
    extra = 0
    min_num = 2
    form = ArmForm
    fields = (
        *(("name", "weight"), ("heading", "layout"), ("strategy", "model"), ("size", "diversity")),
        *(("weight_click", "weight_cart"), ("weight_purchase", "weight_revenue"), "weight_margin"),
        "rules_off",
    )
    autocomplete_fields = ("rules_off",)

    def has_add_permission(self, request: HttpRequest, obj: Any) -> bool:
        """Keep the arms of what has begun: to change one would mix two experiments."""
        return bool(super().has_add_permission(request, obj)) and _is_draft(obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow changes of drafts alone."""
        return bool(super().has_change_permission(request, obj)) and _is_draft(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow it for drafts alone."""
        return bool(super().has_delete_permission(request, obj)) and _is_draft(obj)


def _is_draft(experiment: Any) -> bool:
    return experiment is None or experiment.status == Experiment.Status.DRAFT


@admin.register(Experiment)
class ExperimentAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Experiments of all sites."""

    form = ExperimentForm
    list_display = ("name", "state", "placement_names", "metric", "share", "started_at", "ended_at")
    list_filter = ("site", "status")
    list_select_related = ("site",)
    search_fields = ("name", "hypothesis")
    search_help_text = gettext_lazy("Name or hypothesis")
    inlines = (ArmInline,)
    any_when_empty = ("segments", "devices", "locales")
    actions_detail = ("show_results",)
    empty_state = (
        gettext_lazy("No experiments yet"),
        gettext_lazy(
            "An experiment shows two or more ways to fill a list to shoppers by chance, and says which one sells more."
        ),
    )
    fieldsets = (
        (None, {"fields": ("site", "name", "hypothesis", "placements")}),
        (gettext_lazy("How it is decided"), {"fields": ("metric", "minimum_lift")}),
        (
            gettext_lazy("Who takes part"),
            {"fields": ("share", "audience", "segments", "devices", "locales", "group", "group_share")},
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Experiment | None = None) -> tuple[str, ...]:
        """Let only the share of a running experiment grow: anything else would be another experiment."""
        if obj is None:
            return ()
        if _is_draft(obj):
            return ("site",)
        kept = ("site", "placements", "metric", "audience", "segments", "devices", "locales", "group", "group_share")
        return kept if obj.status == Experiment.Status.RUNNING else (*kept, "share", "minimum_lift")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Experiment]:
        """Return experiments with their placements."""
        rows: QuerySet[Experiment] = super().get_queryset(request).prefetch_related("placements")
        return rows

    @display(
        description=gettext_lazy("Status"),
        ordering="status",
        label={"draft": "info", "running": "success", "stopped": "warning", "shipped": "success"},
    )
    def state(self, experiment: Experiment) -> str:
        """Return the status in words."""
        return str(experiment.get_status_display())

    @display(description=gettext_lazy("Placements"))
    def placement_names(self, experiment: Experiment) -> str:
        """Return where the arms differ."""
        return ", ".join(placement.name for placement in experiment.placements.all())

    @action(description=gettext_lazy("Results"), url_path="show-results")
    def show_results(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Go to the results page."""
        return redirect(reverse("admin:recommendations_experiment_results", args=[object_id]))

    def response_add(self, request: HttpRequest, obj: Experiment, post_url_continue: str | None = None) -> HttpResponse:
        """Go on to the page where it is started."""
        if "_continue" in request.POST or "_addanother" in request.POST:
            return super().response_add(request, obj, post_url_continue)  # type: ignore[no-any-return]
        return redirect(reverse("admin:recommendations_experiment_results", args=[obj.pk]))

    def get_urls(self) -> list[URLPattern]:
        """Add the results page."""
        own = path(
            "<int:experiment_id>/results/",
            self.admin_site.admin_view(lambda request, experiment_id: results_page(self, request, experiment_id)),
            name="recommendations_experiment_results",
        )
        urls: list[URLPattern] = [own, *super().get_urls()]
        return urls


def results_page(model_admin: ModelAdmin, request: HttpRequest, experiment_id: int) -> HttpResponse:
    """Show what the arms bring, and start, stop or ship the experiment."""
    experiment: Experiment = get_or_404(model_admin, request, experiment_id)
    arms = list(experiment.arms.all())
    names = [arm.name for arm in arms]
    metric = Metric(experiment.metric)
    context: dict[str, Any] = {"experiment": experiment, "arms": arms, "plan": None}
    try:
        totals = lifecycle.read_totals(client(), experiment, partitions=connections.partitions())
        served = read_served(client(), experiment.site.slug, experiment.key)
    except StoreUnavailable as error:
        return _page(model_admin, request, experiment, {**context, "store_error": str(error).rstrip(".")})
    if request.method == "POST":
        return _decide(model_admin, request, experiment, arms, totals)
    if len(arms) >= 2 and experiment.status != Experiment.Status.DRAFT:
        found = lifecycle.results(experiment, totals)
        days = _days(experiment)
        guards = guardrails_of(totals, served, n_arms=len(arms))
        left = days_to_go(found, metric=metric, minimum_lift=experiment.minimum_lift / 100, days=days)
        context |= {
            "found": found,
            "sentence": sentence(found, names, metric, days_left=left),
            "rows": rows_of(found, names, currency=experiment.site.currency, decided_by=metric),
            "arm_rows": arms_of(found, names),
            "alarms": alarms_of(guards, names),
            "guard_rows": guards_of(guards, names),
            "slow_ms": slow_ms(),
            "chart": chart_of(list(experiment.days.all()), metric),
            "days": round(days, 1),
        }
    elif experiment.status == Experiment.Status.DRAFT:
        context["plan"] = _plan(experiment, arms)
    return _page(model_admin, request, experiment, context)


def _decide(
    model_admin: ModelAdmin, request: HttpRequest, experiment: Experiment, arms: list[Arm], totals: Any
) -> HttpResponse:
    if not model_admin.has_change_permission(request, experiment):
        raise PermissionDenied
    wanted = request.POST.get("do", "")
    if wanted == "start":
        try:
            lifecycle.start(experiment)
        except lifecycle.CannotStart as error:
            messages.error(request, _("Not started: %(error)s.") % {"error": error})
        else:
            model_admin.log_change(request, experiment, _("Started."))
            messages.success(request, _("Started: shoppers are in its arms within a few seconds."))
    elif experiment.status != Experiment.Status.RUNNING:
        messages.error(request, _("It does not run, so that there is nothing to stop or ship."))
    elif wanted == "stop":
        lifecycle.stop(experiment, totals)
        model_admin.log_change(request, experiment, _("Stopped."))
        messages.success(request, _("Stopped: everybody gets what the placements say. The figures stay."))
    elif wanted == "ship":
        winner = next((arm for arm in arms if str(arm.pk) == request.POST.get("arm")), None)
        if winner is None:
            messages.error(request, _("Choose the arm to ship."))
        else:
            lifecycle.stop(experiment, totals, winner=winner)
            model_admin.log_change(request, experiment, _("Shipped %(winner)s.") % {"winner": winner})
            for placement in experiment.placements.all():
                model_admin.log_change(
                    request,
                    placement,
                    _("Set as the arm %(winner)s of the experiment %(experiment)s.")
                    % {"winner": winner, "experiment": experiment},
                )
            messages.success(
                request, _("Shipped: %(winner)s is what the placements say for everybody now.") % {"winner": winner}
            )
    return redirect(reverse("admin:recommendations_experiment_results", args=[experiment.pk]))


def _page(
    model_admin: ModelAdmin, request: HttpRequest, experiment: Experiment, context: dict[str, Any]
) -> HttpResponse:
    return screen(
        model_admin,
        request,
        "admin/recommendations/experiment/results.html",
        title=str(experiment),
        may_decide=model_admin.has_change_permission(request, experiment),
        **context,
    )


def _days(experiment: Experiment) -> float:
    if experiment.started_at is None:
        return 0.0
    return ((experiment.ended_at or timezone.now()) - experiment.started_at).total_seconds() / 86_400


def _plan(experiment: Experiment, arms: list[Arm]) -> dict[str, Any] | None:
    """Return how long it will take: by what other experiments of the site saw, else by a usual conversion."""
    total = sum(arm.weight for arm in arms)
    if len(arms) < 2 or not total:
        return None
    plan = Plan.of_share(CONVERSION, lift=experiment.minimum_lift / 100)
    needed = visitors_needed(plan)
    daily = [(1_000, days_needed(plan, daily=1_000)), (10_000, days_needed(plan, daily=10_000))]
    return {"needed": needed * len(arms), "conversion": f"{short(100 * CONVERSION)} %", "daily": daily}
