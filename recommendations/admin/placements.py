"""Placements: what fills a slot, how, and what it would show to whom."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin

from recommendations.admin.fields import LinesField
from recommendations.admin.preview import preview
from recommendations.admin.report import report
from recommendations.live_models import watch_models
from recommendations.models import Placement
from recommendations.retrieval.registry import SOURCES
from recommendations.strategies import STRATEGIES
from tracking.admin.decorators import action, display

LINES = ("sources", "editorial_items")


class PlacementForm(forms.ModelForm):  # type: ignore[type-arg]  # only typed stubs are generic
    """The form of a placement; the segments' strategies are chosen, not typed as JSON."""

    class Meta:
        model = Placement
        fields = (
            "site", "name", "heading", "is_active", "strategy", "window", "size", "segment_strategies", "sources",
            "condition", "repeats", "diversity", "max_per_category", "max_per_brand", "exploration",
            "fallback", "editorial_items",
        )  # fmt: skip

    def clean_sources(self) -> list[str]:
        """Refuse sources that nobody offers."""
        chosen: list[str] = self.cleaned_data["sources"]
        known = set(SOURCES) | {name for strategy in STRATEGIES.values() for name in strategy.weights}
        site = self.cleaned_data.get("site") or getattr(self.instance, "site", None)
        if site is not None and (models_of_site := watch_models(site.slug)).is_loaded:
            live = models_of_site.current().live
            known |= set(live.model_set.sources) if live is not None else set()
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise forms.ValidationError(f"{unknown[0]!r} is not one of {', '.join(sorted(known))}.")
        return chosen


@admin.register(Placement)
class PlacementAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Placements of all sites."""

    form = PlacementForm
    list_display = ("name", "site", "strategy", "size", "n_rules", "is_live", "updated_at")
    list_filter = ("site", "strategy", "is_active")
    list_select_related = ("site",)
    search_fields = ("name", "heading")
    actions_detail = ("show_preview",)
    fieldsets = (
        (None, {"fields": ("site", "name", "heading", "is_active")}),
        ("What fills it", {"fields": ("strategy", "window", "size", "segment_strategies", "sources")}),
        ("Which items", {"fields": ("condition", "repeats")}),
        ("Variety", {"fields": ("diversity", "max_per_category", "max_per_brand", "exploration")}),
        ("When there is too little", {"fields": ("fallback", "editorial_items")}),
    )

    def formfield_for_dbfield(self, db_field: models.Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        """Show lists as lines."""
        if db_field.name in LINES:
            return LinesField(label=db_field.verbose_name, help_text=db_field.help_text, required=False)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Placement | None = None) -> tuple[str, ...]:
        """Keep the name once pages may use it."""
        return ("site", "name") if obj is not None else ()

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return placements with the number of rules that name them."""
        return super().get_queryset(request).annotate(rule_count=models.Count("rules"))

    @display(description="Rules", ordering="rule_count")
    def n_rules(self, placement: Any) -> int:
        """Return how many rules name the placement."""
        return int(placement.rule_count)

    @display(description="Status", label={"live": "success", "off": "warning"})
    def is_live(self, placement: Placement) -> str:
        """Return whether it is served."""
        return "live" if placement.is_active else "off"

    @action(description="Preview", url_path="show-preview")
    def show_preview(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Go to the preview page."""
        return redirect(reverse("admin:recommendations_placement_preview", args=[object_id]))

    def get_urls(self) -> list[URLPattern]:
        """Add the preview page and the report."""
        own = [
            path(
                "<int:placement_id>/preview/",
                self.admin_site.admin_view(lambda request, placement_id: preview(self, request, placement_id)),
                name="recommendations_placement_preview",
            ),
            path(
                "report/",
                self.admin_site.admin_view(lambda request: report(self, request)),
                name="recommendations_placement_report",
            ),
        ]
        urls: list[URLPattern] = [*own, *super().get_urls()]
        return urls
