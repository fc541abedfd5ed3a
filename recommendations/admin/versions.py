"""Model versions: what was measured, what the gate said, and which one answers."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from recommendations.admin.own.models import own_models
from recommendations.core.objectives import LEARNT, MIN_POSITIVES, Objective
from recommendations.core.words import told
from recommendations.exceptions import ModelUnavailable, VersionRefused
from recommendations.models import ModelVersion
from recommendations.serving.shadow import forget_report, read_report
from recommendations.versions import lifecycle
from tracking.admin.decorators import action, display
from tracking.admin.screens import NothingToSave
from tracking.templatetags.written import decimal, short, whole

MAX_PLOT_BYTES = 2_000_000
CANARY_PERCENT = 10
SHOWN_METRICS = (
    ("hr@20", "HR@20", gettext_lazy("Share of the test points whose next item was among the 20 shown")),
    ("mrr@20", "MRR@20", gettext_lazy("How high the next item stood: 1 is always first, .5 is second on average")),
    ("ndcg@10", "NDCG@10", gettext_lazy("The same over the first 10, falling more gently")),
    ("new_hr@20", gettext_lazy("New items HR@20"), gettext_lazy("HR@20 where the next item is new to the session")),
    ("coverage@20", gettext_lazy("Coverage"), gettext_lazy("Share of the catalogue that is shown to anybody")),
    (
        "popularity_share@20",
        gettext_lazy("Popularity"),
        gettext_lazy("Share of what is shown that is popular anyway; less is more personal"),
    ),
    (
        "repeat_share@20",
        gettext_lazy("Repeats"),
        gettext_lazy("Share of what is shown that the shopper has seen already"),
    ),
    ("points", gettext_lazy("Test points"), gettext_lazy("How many test points of the held-out time were measured")),
)
"""What a merchandiser compares, and what it means; the version's metrics.json holds the rest."""
SHOWN_ENTRIES: Final = {
    "n_items": gettext_lazy("Items"),
    "data_range": gettext_lazy("Trained on"),
    "sources": gettext_lazy("Candidate sources"),
    "library_versions": gettext_lazy("Libraries"),
    "seeds": gettext_lazy("Seeds"),
    "sha256": gettext_lazy("Digest (SHA-256)"),
}
"""Entries of the manifest that the page shows."""


HEALTH_CHECKS: Final = {
    "age_hours": gettext_lazy("age, hours"),
    "coverage": gettext_lazy("share of the catalogue that it can list"),
    "unknown_items": gettext_lazy("share of events of items that it does not know"),
    "missing_columns": gettext_lazy("share of its columns that are not made any more"),
    "session_length": gettext_lazy("drift: length of sessions"),
    "recency": gettext_lazy("drift: time since the visit before"),
    "price": gettext_lazy("drift: prices"),
    "kind": gettext_lazy("drift: kinds of events"),
    "category": gettext_lazy("drift: categories"),
    "scores": gettext_lazy("drift: scores of its answers"),
}
VERDICTS: Final = {
    "fine": gettext_lazy("fine"),
    "watch": gettext_lazy("watch it"),
    "act": gettext_lazy("act"),
    "unknown": gettext_lazy("unknown"),
}


@admin.register(ModelVersion)
class ModelVersionAdmin(NothingToSave, ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Versions of all sites; made by training, never by hand."""

    empty_state = (
        gettext_lazy("No model version yet"),
        gettext_lazy(
            "Lists show popular items until one is trained: run manage.py train, or press “Save and "
            "train now” under Training. It needs a few hundred visits in the log."
        ),
    )
    list_display = ("version", "site", "state", "quality", "created_at", "live_at")
    list_filter = ("site", "status")
    search_fields = ("version",)
    list_select_related = ("site",)
    readonly_fields = (
        *(
            "site",
            "version",
            "state",
            "created_at",
            "live_at",
            "health",
            "shadow",
            "figures",
            "objectives",
            "gate",
            "plots",
            "contents",
        ),
    )
    fields = (
        "site",
        "version",
        "state",
        "created_at",
        "live_at",
        "health",
        "shadow",
        "gate",
        "figures",
        "objectives",
        "plots",
        "contents",
    )
    actions_list = ("open_own_models",)
    actions_submit_line = ("promote_version", "canary_version", "shadow_version", "stop_version", "roll_back_site")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: ``manage.py train`` makes versions."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ModelVersion | None = None) -> bool:
        """Allow only for versions that answer nobody."""
        serving = (ModelVersion.Status.LIVE, ModelVersion.Status.CANARY, ModelVersion.Status.SHADOW)
        return bool(super().has_delete_permission(request, obj)) and (obj is None or obj.status not in serving)

    @action(description=gettext_lazy("Models of the shop's own"), url_path="open-own", icon="deployed_code")
    def open_own_models(self, request: HttpRequest) -> HttpResponse:
        """Go to the models that the shop's data scientists made."""
        return redirect("admin:recommendations_modelversion_own")

    def get_urls(self) -> list[URLPattern]:
        """Add the page of the shop's own models."""
        page = self.admin_site.admin_view(lambda request: own_models(self, request))
        return [path("own/", page, name="recommendations_modelversion_own"), *super().get_urls()]

    @display(
        description=gettext_lazy("Status"),
        ordering="status",
        label={"live": "success", "canary": "info", "shadow": "info", "refused by the gate": "danger"},
    )
    def state(self, version: ModelVersion) -> str:
        """Return the status in words."""
        return str(version.get_status_display())

    @display(description=gettext_lazy("HR@20 · MRR@20"))
    def quality(self, version: ModelVersion) -> str:
        """Return the two figures that the gate looks at."""
        best = _best(version.metrics)
        return " · ".join(decimal(best[name], 3) for name in ("hr@20", "mrr@20") if name in best) or "-"

    @display(description=gettext_lazy("Measured on the held-out time"))
    def figures(self, version: ModelVersion) -> SafeString:
        """Return a table of what was measured, one line a predictor."""
        named = {name: values for name, values in version.metrics.items() if isinstance(values, dict)}
        measured = {column for values in named.values() for column in values}
        shown = [(name, title, meaning) for name, title, meaning in SHOWN_METRICS if name in measured]
        columns = [(title, meaning) for _, title, meaning in shown]
        rows = [(name, [_number(values.get(column)) for column, _, _ in shown]) for name, values in named.items()]
        return _part("figures", columns=columns, rows=rows)

    @display(description=gettext_lazy("Gate"))
    def gate(self, version: ModelVersion) -> SafeString:
        """Return each check of the gate with its result and reason."""
        checks = [
            {**check, "name": _(check["name"]), "reason": _told(check, otherwise=check["reason"])}
            for check in version.gate_report
            if isinstance(check, dict)
        ]
        return _part("gate", checks=checks)

    @display(description=gettext_lazy("Health"))
    def health(self, version: ModelVersion) -> SafeString:
        """Return the newest check of whether the version still fits what users do, and what to do if not."""
        report = version.health_reports.first()
        checks = [
            (
                HEALTH_CHECKS.get(check["name"], check["name"]),
                _number(check["value"]),
                VERDICTS.get(check["verdict"], check["verdict"]),
                _told(check, otherwise=check["advice"]),
            )
            for check in (report.checks if report is not None else [])
        ]
        return _part("health", report=report, checks=checks)

    @display(description=gettext_lazy("Shadow comparison"))
    def shadow(self, version: ModelVersion) -> SafeString:
        """Return how far a version in the shadow agrees with the live one, and what it costs."""
        found = read_report(version.site.slug, version.version)
        if found is None:
            return _part("shadow", rows=[])
        rows = [
            (_("Lists compared"), whole(found.lists)),
            (_("Failed"), whole(found.failed)),
            (_("Items in both lists"), f"{decimal(100 * found.overlap)} %"),
            (_("Same first item"), f"{decimal(100 * found.same_first)} %"),
            (_("Positions that shared items moved"), decimal(found.moved)),
            (_("As good a stage"), f"{decimal(100 * found.same_stage)} %"),
            (_("Live version, ms a list"), f"p50 ≤ {short(found.live_ms[0])}, p99 ≤ {short(found.live_ms[1])}"),
            (_("This version, ms a list"), f"p50 ≤ {short(found.shadow_ms[0])}, p99 ≤ {short(found.shadow_ms[1])}"),
        ]
        return _part("shadow", rows=rows)

    @display(description=gettext_lazy("What placements may weigh"))
    def objectives(self, version: ModelVersion) -> SafeString:
        """Return which chances the version has learnt, from how much, and how right they were on the held-out time."""
        ranker = version.manifest.get("ranker") if isinstance(version.manifest, dict) else None
        entries = ranker.get("objectives", {}) if isinstance(ranker, dict) else {}
        rows = [
            (
                Objective(name).label,
                bool(entries[name].get("scores")),
                _number(entries[name].get("positives")),
                _chance(entries[name].get("rate")),
                _chance(entries[name].get("error")),
            )
            for name in LEARNT
            if name in entries
        ]
        return _part("objectives", rows=rows, needed=MIN_POSITIVES)

    @display(description=gettext_lazy("Plots"))
    def plots(self, version: ModelVersion) -> SafeString:
        """Return the plots of the version's folder."""
        folder = lifecycle.version_path(version.site.slug, version.version) / "plots"
        files = [file for file in sorted(folder.glob("*.png")) if file.stat().st_size <= MAX_PLOT_BYTES][:12]
        plots = [
            (base64.b64encode(file.read_bytes()).decode(), file.stem.replace("_", " ").capitalize()) for file in files
        ]
        return _part("plots", plots=plots)

    @display(description=gettext_lazy("Manifest"))
    def contents(self, version: ModelVersion) -> SafeString:
        """Return what the version was made from."""
        entries = [
            (words, rows_of_entry(version.manifest[name]))
            for name, words in SHOWN_ENTRIES.items()
            if isinstance(version.manifest, dict) and name in version.manifest
        ]
        return _part("contents", entries=entries)

    # Buttons of the form, so that they come as POST with a CSRF token; every field is read-only, nothing is saved.

    @action(
        description=gettext_lazy("Promote"),
        attrs={"data-confirm": "Shall this version answer every shopper within seconds?"},
    )
    def promote_version(self, request: HttpRequest, version: ModelVersion) -> None:
        """Promote the version."""
        self._tried(
            request,
            version,
            lambda: lifecycle.promote(version),
            _("%(version)s answers every shopper within seconds.") % {"version": version},
        )

    @action(description=format_lazy(gettext_lazy("Start canary ({percent} %)"), percent=CANARY_PERCENT))
    def canary_version(self, request: HttpRequest, version: ModelVersion) -> None:
        """Begin a canary."""
        self._tried(
            request,
            version,
            lambda: lifecycle.start_canary(version, percent=CANARY_PERCENT),
            _("%(version)s answers %(CANARY_PERCENT)s %% of the shoppers within seconds.")
            % {"version": version, "CANARY_PERCENT": CANARY_PERCENT},
        )

    @action(description=gettext_lazy("Start shadow"))
    def shadow_version(self, request: HttpRequest, version: ModelVersion) -> None:
        """Compare the version with the live one in its shadow."""

        def begin() -> None:
            forget_report(version.site.slug, version.version)
            lifecycle.start_shadow(version)

        self._tried(
            request,
            version,
            begin,
            _("%(version)s is compared with the live version; nobody sees its lists.") % {"version": version},
        )

    @action(description=gettext_lazy("Stop"))
    def stop_version(self, request: HttpRequest, version: ModelVersion) -> None:
        """End a canary or a shadow."""
        self._tried(
            request,
            version,
            lambda: lifecycle.stop(version),
            _("%(version)s is a candidate again.") % {"version": version},
        )

    @action(
        description=gettext_lazy("Roll back"),
        attrs={"data-confirm": "Shall the version that was live before answer every shopper again?"},
    )
    def roll_back_site(self, request: HttpRequest, version: ModelVersion) -> None:
        """Let the version that was live before answer again."""
        self._tried(request, version, lambda: lifecycle.roll_back(version.site_id), _("Rolled back."))

    def _tried(self, request: HttpRequest, version: ModelVersion, change: Callable[[], object], done: str) -> None:
        try:
            change()
        except (VersionRefused, ModelUnavailable) as error:
            messages.error(request, str(error))
        else:
            self.log_change(request, version, done)
            messages.success(request, done)


def _part(name: str, **context: Any) -> SafeString:
    """Return one field of the page from its template."""
    return render_to_string(f"admin/recommendations/version/{name}.html", context)


def _best(metrics: Any) -> dict[str, float]:
    for name in ("candidate", "ranker", "fusion"):
        if isinstance(metrics, dict) and isinstance(metrics.get(name), dict):
            found: dict[str, float] = metrics[name]
            return found
    return {}


def _told(check: dict[str, Any], *, otherwise: str) -> str:
    """Return the sentence of a stored check in the reader's language; what an older release stored is English."""
    return told(check.get("text", ""), check.get("values", {}), otherwise=otherwise)


def _chance(value: object) -> str:
    """Return a chance with three figures that count; most are small."""
    return f"{value:.3g}" if isinstance(value, int | float) else "-"


def rows_of_entry(value: object) -> list[tuple[str, str]]:
    """Return an entry of the manifest as rows of a table: name and value, nothing for the name of a bare value."""
    if isinstance(value, dict):
        return [(str(name), " · ".join(_pairs(each))) for name, each in value.items()]
    return [("", " · ".join(_pairs(value)))]


def _pairs(value: object) -> list[str]:
    if isinstance(value, dict):
        return [f"{name}: {', '.join(_pairs(each))}" for name, each in value.items() if each is not None]
    if isinstance(value, list | tuple):
        return [part for each in value for part in _pairs(each)]
    return [whole(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)]


def _number(value: object) -> str:
    if isinstance(value, float):
        return whole(value) if value >= 100 else decimal(value, 3)
    return whole(value) if isinstance(value, int) else "-"
