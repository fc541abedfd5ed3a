"""Placements: what fills a slot, how, and what it would show to whom."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from recommendations.admin.embed.checks import embed_checks
from recommendations.admin.fields import LinesField, LinesWidget
from recommendations.admin.gate import Verdict, judge_placement, known_segments
from recommendations.admin.own.names import own_names
from recommendations.admin.placing.by_segment import BySegmentField
from recommendations.admin.placing.learnt import learnt_words
from recommendations.admin.placing.of_arm import FilledByArm
from recommendations.admin.placing.trial import VisitForm, trial
from recommendations.admin.preview import preview
from recommendations.admin.report import report
from recommendations.admin.steering.steer import steer
from recommendations.admin.typed import understood, vocabulary
from recommendations.core.objectives import Objective
from recommendations.core.strategies import STRATEGIES
from recommendations.lint.names import unknown_in
from recommendations.models import Placement
from recommendations.retrieval.sources import SOURCES
from recommendations.state.models import watch_models
from recommendations.state.placements import ADDED
from tracking.admin.decorators import action, display


class PlacementForm(forms.ModelForm):  # type: ignore[type-arg]  # only typed stubs are generic
    """The form of a placement; lists are lines, nothing is typed as JSON.

    What is saved is live at once: a condition that leaves nothing, or names what items do not have, is not saved, and
    one that leaves less than a list is confirmed first.
    """

    sources = LinesField(
        label=gettext_lazy("Sources"),
        required=False,
        help_text=gettext_lazy(
            "For engineers: candidate sources to use, one a line, such as covisitation, or a source of the site's "
            "own. Empty: those that suit the strategy. With a plus, such as +stylist: beside those."
        ),
    )
    editorial_items = LinesField(
        label=gettext_lazy("Editorial items"),
        required=False,
        widget=LinesWidget(kind="items", placeholder=gettext_lazy("Search by title, brand or item id …")),
        help_text=gettext_lazy(
            "Items to fall back on, in order: item ids (SKU), in lines or as a spreadsheet has them."
        ),
    )
    segment_strategies = BySegmentField(
        label=gettext_lazy("Segment strategies"),
        required=False,
        segments=known_segments,
        help_text=gettext_lazy("For shoppers of these segments. Shoppers of none of them get the strategy above."),
    )

    class Media:
        js = ("recommendations/trial.js",)

    class Meta:
        model = Placement
        fields = (
            "site", "name", "heading", "layout", "is_active", "strategy", "window", "size", "segment_strategies",
            "sources", "condition", "hides_cart", "bought_days", "repeatable", "repeats", "diversity",
            "max_per_category", "max_per_brand", "exploration", "weight_click", "weight_cart", "weight_purchase",
            "weight_revenue", "weight_margin", "fallback", "editorial_items",
        )  # fmt: skip
        labels = {
            "is_active": gettext_lazy("Live"),
            "window": gettext_lazy("Counted over"),
            "size": gettext_lazy("Items in a list"),
            "hides_cart": gettext_lazy("Leave out the cart"),
            "bought_days": gettext_lazy("Leave out what was bought, days"),
            "repeatable": gettext_lazy("But not items that match"),
            "max_per_category": gettext_lazy("At most of one category"),
            "max_per_brand": gettext_lazy("At most of one brand"),
            "exploration": gettext_lazy("New items, %"),
            "diversity": gettext_lazy("Difference, %"),
            **{f"weight_{objective.value}": gettext_lazy(objective.words) for objective in Objective},
        }
        help_texts = {
            "is_active": gettext_lazy("Off: pages that ask for it get an empty list."),
            "strategy": gettext_lazy(
                "What the list is about: the shopper, the item of the page, the cart, or the whole shop."
            ),
            "window": gettext_lazy("For the strategy Trending: what it counts."),
            "repeats": gettext_lazy("Whether items may come again that this shopper has seen, or ever bought."),
            "max_per_category": gettext_lazy("Such as 3. 0: no limit."),
            "max_per_brand": gettext_lazy("Such as 3. 0: no limit."),
        }

    def clean_sources(self) -> list[str]:
        """Refuse sources that nobody offers."""
        chosen: list[str] = self.cleaned_data["sources"]
        known = set(SOURCES) | {name for strategy in STRATEGIES.values() for name in strategy.weights}
        site = self.cleaned_data.get("site") or getattr(self.instance, "site", None)
        if site is not None and (models_of_site := watch_models(site.slug)).is_loaded:
            live = models_of_site.current().live
            known |= set(live.model_set.sources) if live is not None else set()
        known |= own_names(site)
        unknown = [name for name in chosen if name.removeprefix(ADDED) not in known]
        if unknown:
            raise forms.ValidationError(
                _("%(unknown)s is not one of %(sorted)s.")
                % {"unknown": f"{unknown[0]!r}", "sorted": ", ".join(sorted(known))}
            )
        return chosen

    def clean_editorial_items(self) -> list[str]:
        """Return ids as the catalogue spells them."""
        site = self.cleaned_data.get("site") or getattr(self.instance, "site", None)
        return understood("items", self.cleaned_data["editorial_items"], site)

    @property
    def visit(self) -> VisitForm:
        """For whom the list beside the form is shown."""
        return VisitForm()

    @property
    def confirmed(self) -> str:
        """The token of the findings that she said are intended."""
        return str(self.data.get("confirms", ""))

    @property
    def verdict(self) -> Verdict:
        """What is wrong with the placement, as the form or, before anything was typed, as the database says it."""
        if self.is_bound:
            return self._verdict
        return judge_placement(self.instance) if self.instance.pk else Verdict()

    def _post_clean(self) -> None:
        """Look at the placement as a whole, once its fields are understood."""
        super()._post_clean()  # type: ignore[misc]  # Django's own step after clean(), which the stubs leave out
        self._verdict = Verdict()
        if self.errors or self.instance.site_id is None:
            return
        self._verdict = judge_placement(self.instance)
        if not {"condition", "size", "is_active", "site"} & set(self.changed_data):
            return  # the catalogue has changed, and what she edits has nothing to do with it
        for finding in self._verdict.refused:
            self.add_error(
                "condition", _("Not saved. %(why)s %(remedy)s") % {"why": finding.why, "remedy": finding.remedy}
            )
        for what, why, remedy in unknown_in(self.instance.condition, vocabulary(self.instance.site)):
            if what.startswith("the attribute "):
                self.add_error(
                    "condition",
                    _("Not saved. It names %(what)s. %(why)s %(remedy)s")
                    % {"what": what, "why": why, "remedy": remedy},
                )
        if not self.errors and self._verdict.to_confirm and self.confirmed != self._verdict.token:
            for finding in self._verdict.to_confirm:
                self.add_error(None, _("Not saved yet. %(sentence)s") % {"sentence": finding.sentence})
            self.add_error(None, _("If this is intended, tick “This is intended” above the form and save again."))


@admin.register(Placement)
class PlacementAdmin(FilledByArm, ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Placements of all sites."""

    form = PlacementForm
    change_form_before_template = "admin/recommendations/placement/beside.html"
    list_display = ("name", "heading", "site", "strategy", "size", "n_rules", "is_live")
    list_filter = ("site", "strategy", "is_active")
    list_select_related = ("site",)
    search_fields = ("name", "heading")
    actions_detail = ("show_steer", "show_preview")
    empty_state = (
        gettext_lazy("No placements yet"),
        gettext_lazy(
            "A placement is a slot on the shop's pages: its name stands in the page, what fills it is chosen here."
        ),
    )
    fieldsets = (
        (None, {"fields": ("site", "name", "heading", "layout", "is_active")}),
        (gettext_lazy("What fills it"), {"fields": ("strategy", "window", "size", "segment_strategies", "sources")}),
        (gettext_lazy("Which items"), {"fields": ("condition", "hides_cart", "bought_days", "repeatable", "repeats")}),
        (
            gettext_lazy("What it is ordered for"),
            {
                "fields": (
                    "learnt",
                    "weight_click",
                    "weight_cart",
                    "weight_purchase",
                    "weight_revenue",
                    "weight_margin",
                ),
                "description": gettext_lazy(
                    "Weights beside each other, from 0 to 100, such as 70 for clicks and 30 for margin. All 0: the "
                    "order as it was learnt. Revenue and margin are the chance of a purchase times today's price, and "
                    "what is left of it after the cost."
                ),
            },
        ),
        (gettext_lazy("Variety"), {"fields": ("diversity", "max_per_category", "max_per_brand", "exploration")}),
        (gettext_lazy("When there is too little"), {"fields": ("fallback", "editorial_items")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Placement | None = None) -> tuple[str, ...]:
        """Keep the name once pages may use it."""
        return ("site", "name", "learnt") if obj is not None else ("learnt",)

    @display(description=gettext_lazy("Counts now"))
    def learnt(self, placement: Placement) -> str:
        """Return what the live version can order a list for."""
        return learnt_words(placement) if placement.pk else _("Save the placement once, and this says what counts.")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return placements with the number of rules that name them."""
        return super().get_queryset(request).annotate(rule_count=models.Count("rules"))

    @display(description=gettext_lazy("Rules"), ordering="rule_count")
    def n_rules(self, placement: Any) -> int:
        """Return how many rules name the placement."""
        return int(placement.rule_count)

    @display(description=gettext_lazy("Status"), label={"live": "success", "off": "warning"})
    def is_live(self, placement: Placement) -> str:
        """Return whether it is served."""
        return _("live") if placement.is_active else _("off")

    @action(description=gettext_lazy("Steer by hand"), url_path="show-steer", icon="swipe")
    def show_steer(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Go to the page on which its list is steered by hand."""
        return redirect(reverse("admin:recommendations_placement_steer", args=[object_id]))

    @action(description=gettext_lazy("Preview"), url_path="show-preview")
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
                "<int:placement_id>/steer/",
                self.admin_site.admin_view(lambda request, placement_id: steer(self, request, placement_id)),
                name="recommendations_placement_steer",
            ),
            path(
                "<int:placement_id>/trial/",
                self.admin_site.admin_view(lambda request, placement_id: trial(self, request, placement_id)),
                name="recommendations_placement_trial",
            ),
            path(
                "report/",
                self.admin_site.admin_view(lambda request: report(self, request)),
                name="recommendations_placement_report",
            ),
            path(
                "embed-checks/<int:site_id>/",
                self.admin_site.admin_view(lambda request, site_id: embed_checks(self, request, site_id)),
                name="recommendations_placement_embed_checks",
            ),
        ]
        urls: list[URLPattern] = [*own, *super().get_urls()]
        return urls
