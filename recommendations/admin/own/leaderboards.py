"""Leaderboards: formulas over figures of items, with the items that lead by them as one writes."""

from __future__ import annotations

import time
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from recommendations.admin.own.names import placements_with, taken_by
from recommendations.filters import formula
from recommendations.models import Leaderboard
from recommendations.retrieval.leaderboard import leaders
from recommendations.state.figures import NAMES, FiguresOf
from recommendations.state.item_counts import watch_item_counts
from recommendations.state.own_sources import minor_units_of
from recommendations.state.site import watch_site
from tracking.admin.decorators import action
from tracking.admin.screens import screen, site_choice
from tracking.models import Site

SHOWN: Final = 20
MAX_NAMES: Final = 12


class LeaderboardForm(forms.ModelForm):  # type: ignore[type-arg]  # only typed stubs are generic
    """A leaderboard; its formula is read when it is written, and names position and remedy where it is none."""

    formula = forms.CharField(
        label=gettext_lazy("Formula"),
        max_length=formula.MAX_LENGTH,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=Leaderboard._meta.get_field("formula").help_text,
    )

    class Meta:
        model = Leaderboard
        fields = ("site", "name", "label", "is_active", "formula", "weight")

    def clean(self) -> dict[str, Any]:
        """Refuse what is no formula, a figure that no item has, and a name that means something already."""
        cleaned: dict[str, Any] = super().clean() or {}
        if (problem := taken_by(self.instance, cleaned)) is not None:
            self.add_error("name", problem)
        site = cleaned.get("site") or getattr(self.instance, "site", None)
        if cleaned.get("formula") and site is not None:
            try:
                read(cleaned["formula"], site)
            except formula.InvalidFormula as error:
                self.add_error("formula", str(error))
        return cleaned


@admin.register(Leaderboard)
class LeaderboardAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Leaderboards of all sites; what is saved is served within two seconds."""

    form = LeaderboardForm
    change_form_before_template = "admin/recommendations/own/leaders.html"
    list_display = ("name", "label", "site", "formula", "is_active")
    list_filter = ("site", "is_active")
    list_select_related = ("site",)
    search_fields = ("name", "label", "formula")
    search_help_text = gettext_lazy("Name or formula")
    actions_detail = ("show_try",)
    empty_state = (
        gettext_lazy("No leaderboard yet"),
        gettext_lazy(
            "A leaderboard orders items by a formula, such as purchases_7d / (views_7d + 20) * margin; placements name "
            "it under “Sources”."
        ),
    )
    fieldsets = (
        (None, {"fields": ("site", "name", "label", "is_active")}),
        (gettext_lazy("What leads"), {"fields": ("formula",)}),
        (gettext_lazy("Beside other sources"), {"fields": ("weight",)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Leaderboard | None = None) -> tuple[str, ...]:
        """Keep the name once placements may use it."""
        return ("site", "name") if obj is not None else ()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Return the form with what leads by the stored formula."""
        board = self.get_object(request, object_id) if object_id is not None else None
        own = {} if board is None else led(board.formula, board.site)
        used = [] if board is None else placements_with(board.site_id, board.name)
        whole = {**(extra_context or {}), **own, "used_by": used}
        answer: HttpResponse = super().changeform_view(request, object_id, form_url, whole)
        return answer

    @action(description=gettext_lazy("Try another formula"), url_path="show-try", icon="calculate")
    def show_try(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Go to the page on which formulas are tried."""
        board = self.get_object(request, str(object_id))
        address = reverse("admin:recommendations_leaderboard_try")
        return redirect(address if board is None else f"{address}?{_query(board)}")

    def get_urls(self) -> list[URLPattern]:
        """Add the page on which formulas are tried."""
        own = path(
            "try/",
            self.admin_site.admin_view(lambda request: try_it(self, request)),
            name="recommendations_leaderboard_try",
        )
        urls: list[URLPattern] = [own, *super().get_urls()]
        return urls


def try_it(model_admin: LeaderboardAdmin, request: HttpRequest) -> HttpResponse:
    """Show what leads by a formula; nothing is saved."""
    choice = site_choice(request)
    site: Site | None = choice["site"]
    text = request.GET.get("formula", "")[: formula.MAX_LENGTH + 1]
    context: dict[str, Any] = {**choice, "formula": text, "names": NAMES}
    if site is not None and text:
        context |= led(text, site)
    return screen(
        model_admin, request, "admin/recommendations/own/try_formula.html", title=_("Try a formula"), **context
    )


def read(text: str, site: Site) -> tuple[formula.Formula, FiguresOf]:
    """Return a formula, and the figures of a site as they stand.

    Raises
    ------
    InvalidFormula
        It is none, or names an attribute of which no item has a number.
    """
    found = formula.parse(text, known=NAMES)
    serving = watch_site(site.slug).ensure_loaded()
    counts = watch_item_counts(site.slug)
    figures = FiguresOf(serving.item_index, counts.ensure_loaded(), minor_units=minor_units_of(site))
    for name in found.names:
        if not figures.has(name):
            raise formula.InvalidFormula(
                text.index(name) + 1,
                _("no item has a number as “%(name)s”; look how the feed spells it, or load items that have it.")
                % {"name": name},
            )
    return found, figures


def led(text: str, site: Site) -> dict[str, Any]:
    """Return what a page shows of a formula: its leaders with their values and figures, or what is wrong with it."""
    try:
        found, figures = read(text, site)
    except formula.InvalidFormula as error:
        return {"problem": str(error), "before": text[: error.position - 1], "after": text[error.position - 1 :]}
    item_index = watch_site(site.slug).ensure_loaded().item_index
    began = time.perf_counter()
    ranked = leaders(found, item_index, figures)
    took_ms = (time.perf_counter() - began) * 1e3
    values = found.values(figures, n_rows=item_index.n_rows)
    named = found.names[:MAX_NAMES]
    columns = {name: figures(name) for name in named}
    cards = item_index.catalogue.cards
    return {
        "figures": named,
        "leaders": [
            {
                "card": cards[row],
                "value": float(values[row]),
                "figures": [{"name": name, "value": float(column[row])} for name, column in columns.items()],
            }
            for row in ranked.rows.tolist()[:SHOWN]
        ],
        "n_items": item_index.n_rows,
        "took_ms": took_ms,
        "price_ms": found.price_us(item_index.n_rows) / 1e3,
    }


def _query(board: Leaderboard) -> str:
    return urlencode({"site": board.site.slug, "formula": board.formula})
