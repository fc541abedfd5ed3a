"""Model versions: what was measured, what the gate said, and which one answers."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from recommendations.exceptions import ModelUnavailable, VersionRefused
from recommendations.models import ModelVersion
from recommendations.serving.shadow import forget_report, read_report
from recommendations.versions import lifecycle
from tracking.admin.decorators import action, display
from tracking.admin.screens import NothingToSave

MAX_PLOT_BYTES = 2_000_000
CANARY_PERCENT = 10
SHOWN_METRICS = (
    ("hr@20", "HR@20", "Share of the questions whose right answer, the next item, was among the 20 shown"),
    ("mrr@20", "MRR@20", "How high the right answer stood: 1 is always first, .5 is second on average"),
    ("ndcg@10", "NDCG@10", "The same over the first 10, falling more gently"),
    ("new_hr@20", "New items HR@20", "HR@20 where the right answer is a new item"),
    ("coverage@20", "Coverage", "Share of the catalogue that is shown to anybody"),
    ("popularity_share@20", "Popularity", "Share of what is shown that is popular anyway; less is more personal"),
    ("repeat_share@20", "Repeats", "Share of what is shown that the shopper has seen already"),
    ("points", "Questions", "How many questions of the held-out time were asked"),
)
"""What a merchandiser compares, and what it means; the version's metrics.json holds the rest."""


@admin.register(ModelVersion)
class ModelVersionAdmin(NothingToSave, ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Versions of all sites; made by training, never by hand."""

    empty_state = (
        "No model version yet",
        "Lists show popular items until one is trained: run manage.py train, or press “Save and train now” under "
        "Training. It needs a few hundred visits in the log.",
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
        "plots",
        "contents",
    )
    actions_submit_line = ("promote_version", "canary_version", "shadow_version", "stand_down", "roll_back_site")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: ``manage.py train`` makes versions."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ModelVersion | None = None) -> bool:
        """Allow only for versions that answer nobody."""
        serving = (ModelVersion.Status.LIVE, ModelVersion.Status.CANARY, ModelVersion.Status.SHADOW)
        return bool(super().has_delete_permission(request, obj)) and (obj is None or obj.status not in serving)

    @display(
        description="Status",
        ordering="status",
        label={"live": "success", "canary": "info", "shadow": "info", "refused by the gate": "danger"},
    )
    def state(self, version: ModelVersion) -> str:
        """Return the status in words."""
        return str(version.get_status_display())

    @display(description="HR@20 · MRR@20")
    def quality(self, version: ModelVersion) -> str:
        """Return the two figures that the gate looks at."""
        best = _best(version.metrics)
        return " · ".join(f"{best[name]:.3f}" for name in ("hr@20", "mrr@20") if name in best) or "-"

    @display(description="Measured on the held-out time")
    def figures(self, version: ModelVersion) -> SafeString:
        """Return a table of what was measured, one line a predictor."""
        named = {name: values for name, values in version.metrics.items() if isinstance(values, dict)}
        measured = {column for values in named.values() for column in values}
        if not named:
            return format_html("{}", "Nothing was measured: the version was not made by manage.py train.")
        columns = [(name, title, meaning) for name, title, meaning in SHOWN_METRICS if name in measured]
        head = format_html_join(
            "",
            "<th scope='col'><abbr title='{}'>{}</abbr></th>",
            ((meaning, title) for _, title, meaning in columns),
        )
        rows = format_html_join(
            "",
            "<tr><th scope='row'>{}</th>{}</tr>",
            (
                (name, format_html_join("", "<td>{}</td>", ((_number(values.get(c)),) for c, _, _ in columns)))
                for name, values in named.items()
            ),
        )
        return format_html(
            "<p class='rs-quiet'>Each visit of the held-out time is a question: what comes next? Higher is better, but "
            "for popularity and repeats; hold the pointer over a name for its meaning.</p>"
            "<div class='rs-scroll' tabindex='0' role='region' aria-label='Measured figures'>"
            "<table class='rs-table is-wide'><thead><tr><th scope='col'>Predictor</th>{}</tr></thead>"
            "<tbody>{}</tbody></table></div>",
            head,
            rows,
        )

    @display(description="Gate")
    def gate(self, version: ModelVersion) -> SafeString:
        """Return each check of the gate with its result and reason."""
        checks = [check for check in version.gate_report if isinstance(check, dict)]
        return format_html(
            "<ul>{}</ul>",
            format_html_join(
                "",
                "<li>{} <strong>{}</strong> {}</li>",
                (
                    ("✓" if check.get("passed") else "✗", check.get("name", ""), check.get("reason", ""))
                    for check in checks
                ),
            ),
        )

    @display(description="Health")
    def health(self, version: ModelVersion) -> SafeString:
        """Return the newest check of whether the version still fits what shoppers do, and what to do if not."""
        report = version.health_reports.first()
        if report is None:
            return format_html("{}", "Not checked yet; the live version is, every hour.")
        rows = format_html_join(
            "",
            "<tr><th scope='row'>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            ((check["name"], _number(check["value"]), check["verdict"], check["advice"]) for check in report.checks),
        )
        return format_html(
            "<p>{} UTC</p><div class='rs-scroll'><table class='rs-table'><tbody>{}</tbody></table></div>",
            f"{report.made_at:%Y-%m-%d %H:%M}",
            rows,
        )

    @display(description="Beside the live version")
    def shadow(self, version: ModelVersion) -> SafeString:
        """Return how far a version in the shadow agrees with the live one, and what it costs."""
        found = read_report(version.site.slug, version.version)
        if found is None:
            return format_html("{}", "Not compared yet; press the button below to ask it beside the live version.")
        rows = (
            ("Lists compared", f"{found.lists:,}"),
            ("Failed", f"{found.failed:,}"),
            ("Items in both lists", f"{found.overlap:.1%}"),
            ("Same first item", f"{found.same_first:.1%}"),
            ("Places that shared items moved", f"{found.moved:.1f}"),
            ("As good a stage", f"{found.same_stage:.1%}"),
            ("Live version, ms a list", f"p50 ≤ {found.live_ms[0]:g}, p99 ≤ {found.live_ms[1]:g}"),
            ("This version, ms a list", f"p50 ≤ {found.shadow_ms[0]:g}, p99 ≤ {found.shadow_ms[1]:g}"),
        )
        return format_html(
            "<div class='rs-scroll'><table class='rs-table'><tbody>{}</tbody></table></div>",
            format_html_join("", "<tr><th scope='row'>{}</th><td>{}</td></tr>", rows),
        )

    @display(description="Plots")
    def plots(self, version: ModelVersion) -> SafeString:
        """Return the plots of the version's folder."""
        folder = lifecycle.version_path(version.site.slug, version.version) / "plots"
        files = [file for file in sorted(folder.glob("*.png")) if file.stat().st_size <= MAX_PLOT_BYTES][:12]
        return format_html_join(
            "",
            "<figure class='rs-plot'><img src='data:image/png;base64,{}' alt='{}'></figure>",
            (
                (base64.b64encode(file.read_bytes()).decode(), file.stem.replace("_", " ").capitalize())
                for file in files
            ),
        )

    @display(description="Manifest")
    def contents(self, version: ModelVersion) -> SafeString:
        """Return what the version was made from."""
        shown = ("sha256", "n_items", "data_range", "seeds", "library_versions", "sources")
        return format_html_join(
            "",
            "<p><strong>{}</strong> {}</p>",
            ((name, str(version.manifest[name])) for name in shown if name in version.manifest),
        )

    # Buttons of the form, so that they come as POST with a CSRF token; every field is read-only, nothing is saved.

    @action(
        description="Let it answer everybody",
        attrs={"data-confirm": "Shall this version answer every shopper within seconds?"},
    )
    def promote_version(self, request: HttpRequest, version: ModelVersion) -> None:
        """Promote the version."""
        self._tried(
            request, version, lambda: lifecycle.promote(version), f"{version} answers everybody within seconds."
        )

    @action(description=f"Let it answer {CANARY_PERCENT} %")
    def canary_version(self, request: HttpRequest, version: ModelVersion) -> None:
        """Begin a canary."""
        self._tried(
            request,
            version,
            lambda: lifecycle.start_canary(version, percent=CANARY_PERCENT),
            f"{version} answers {CANARY_PERCENT} % of the shoppers within seconds.",
        )

    @action(description="Ask it beside the live one")
    def shadow_version(self, request: HttpRequest, version: ModelVersion) -> None:
        """Put the version into the shadow."""

        def begin() -> None:
            forget_report(version.site.slug, version.version)
            lifecycle.start_shadow(version)

        self._tried(request, version, begin, f"{version} is asked beside the live version; nobody sees its lists.")

    @action(description="Stand down")
    def stand_down(self, request: HttpRequest, version: ModelVersion) -> None:
        """End a canary or a shadow."""
        self._tried(request, version, lambda: lifecycle.stand_down(version), f"{version} is a candidate again.")

    @action(
        description="Roll back to the one before",
        attrs={"data-confirm": "Shall the version that was live before answer every shopper again?"},
    )
    def roll_back_site(self, request: HttpRequest, version: ModelVersion) -> None:
        """Let the version that was live before answer again."""
        self._tried(request, version, lambda: lifecycle.roll_back(version.site_id), "Rolled back.")

    def _tried(self, request: HttpRequest, version: ModelVersion, change: Callable[[], object], done: str) -> None:
        try:
            change()
        except (VersionRefused, ModelUnavailable) as error:
            messages.error(request, str(error))
        else:
            self.log_change(request, version, done)
            messages.success(request, done)


def _best(metrics: Any) -> dict[str, float]:
    for name in ("candidate", "ranker", "fusion"):
        if isinstance(metrics, dict) and isinstance(metrics.get(name), dict):
            found: dict[str, float] = metrics[name]
            return found
    return {}


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else "-"
