"""Hold-outs: what a rule, a campaign, or all of recommendations bring, against those who are kept without."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from features.exceptions import StoreUnavailable
from features.store import connections
from features.store.arm_sums import read_arm_sums
from recommendations.admin.experiments.shown import arms_of, client, interval, number, rows_of
from recommendations.experiments import lifecycle
from recommendations.experiments.results import IN_WORDS, Results
from recommendations.models import HoldOut, Metric
from tracking.admin.decorators import action, display
from tracking.admin.screens import get_or_404, screen


@admin.register(HoldOut)
class HoldOutAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Hold-outs of all sites; what is saved holds within a few seconds."""

    list_display = ("what", "site", "percent", "metric", "effect", "state", "started_at")
    list_filter = ("site", "is_active")
    list_select_related = ("site", "rule", "campaign")
    search_fields = ("rule__name", "campaign__name")
    search_help_text = gettext_lazy("Name of the rule or campaign")
    fields = ("site", "rule", "campaign", "percent", "metric", "ends_itself", "is_active")
    autocomplete_fields = ("rule", "campaign")
    actions_detail = ("show_results",)
    empty_state = (
        gettext_lazy("No hold-outs yet"),
        gettext_lazy(
            "A hold-out keeps a few shoppers without a rule, or without all recommendations, and so shows "
            "what it brings."
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: HoldOut | None = None) -> tuple[str, ...]:
        """Keep what is held out: another rule is another hold-out."""
        return ("site", "rule", "campaign") if obj is not None else ()

    @display(description=gettext_lazy("Without"))
    def what(self, held: HoldOut) -> str:
        """Return what is held out."""
        return str(held)

    @display(description=gettext_lazy("State"), label={"on": "success", "ended by itself": "danger", "off": "warning"})
    def state(self, held: HoldOut) -> str:
        """Return whether it runs."""
        if held.is_active:
            return _("on")
        return _("ended by itself") if held.ended_at else _("off")

    @display(description=gettext_lazy("Brings"))
    def effect(self, held: HoldOut) -> str:
        """Return the interval of the effect."""
        try:
            reading = _found(held).readings[0][Metric(held.metric)]
        except StoreUnavailable:
            return _("the feature store is unavailable")
        if not reading.is_known:
            return _("too early")
        return interval(reading)

    @action(description=gettext_lazy("Results"), url_path="show-results")
    def show_results(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Go to the results page."""
        return redirect(reverse("admin:recommendations_holdout_results", args=[object_id]))

    def get_urls(self) -> list[URLPattern]:
        """Add the results page."""
        own = path(
            "<int:hold_out_id>/results/",
            self.admin_site.admin_view(lambda request, hold_out_id: results_page(self, request, hold_out_id)),
            name="recommendations_holdout_results",
        )
        urls: list[URLPattern] = [own, *super().get_urls()]
        return urls


def results_page(model_admin: ModelAdmin, request: HttpRequest, hold_out_id: int) -> HttpResponse:
    """Show what is brought, by every metric."""
    held: HoldOut = get_or_404(model_admin, request, hold_out_id)
    metric, names = Metric(held.metric), [_("without it"), _("with it")]
    context: dict[str, Any] = {"held": held}
    try:
        found = _found(held)
    except StoreUnavailable as error:
        context["store_error"] = str(error).rstrip(".")  # a sentence goes on after it
    else:
        context |= {
            "found": found,
            "sentence": words_of(found, str(held), metric),
            "rows": rows_of(found, names, currency=held.site.currency, decided_by=metric),
            "arm_rows": arms_of(found, names),
        }
    title = _("What “%(held)s” brings") % {"held": held}
    return screen(model_admin, request, "admin/recommendations/experiment/hold_out.html", title=title, **context)


def words_of(found: Results, name: str, metric: Metric) -> str:
    """Return the effect in one sentence."""
    reading, what = found.readings[0][metric], IN_WORDS[metric]
    if found.has_wrong_split:
        return _("Shoppers are not split as planned, so that nothing here can be trusted.")
    if not reading.is_known:
        return _("Too early: too few shoppers have been kept without “%(name)s” to say what it brings.") % {
            "name": name
        }
    span = _("between %(value)s %% and %(value2)s %% of %(what)s") % {
        "value": number(100 * reading.lower),
        "value2": number(100 * reading.upper),
        "what": what,
    }
    if reading.verdict == "better":
        return _("“%(name)s” brings %(span)s, against those who are kept without.") % {"name": name, "span": span}
    if reading.verdict == "worse":
        return _("“%(name)s” costs: %(span)s. Withdraw it.") % {"name": name, "span": span}
    return _("Not certain yet: “%(name)s” brings %(span)s.") % {"name": name, "span": span}


def _found(held: HoldOut) -> Results:
    totals = read_arm_sums(client(), held.site.slug, held.key, partitions=connections.partitions())
    return lifecycle.hold_out_results(held, totals)
