"""Reports from the roll-ups: any days, grouping and attribution; kept as views, as CSV, by e-mail."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from recommendations.admin.fields import LinesField
from recommendations.models import Placement, ReportState, SavedView
from recommendations.reports.credit import ATTRIBUTIONS
from recommendations.reports.figures import GRAINS
from recommendations.reports.mails import next_due
from recommendations.reports.query import SPANS, InvalidReport, ReportQuery, as_csv, named
from tracking.admin.decorators import action, display
from tracking.admin.screens import get_or_404, screen, site_choice
from tracking.admin.spreadsheets import spreadsheet_text
from tracking.models import Site
from tracking.staff.sites import may, sees_everything

VIEW_REPORT: Final = "tracking.view_report"
SPAN_WORDS: Final = {
    "7": gettext_lazy("7 days"),
    "28": gettext_lazy("28 days"),
    "month": gettext_lazy("This month"),
    "last_month": gettext_lazy("Last month"),
}


class ChooseForm(forms.Form):
    """Placement and attribution; all else are links."""

    placement = forms.ChoiceField(label=gettext_lazy("Placement"), required=False, widget=UnfoldAdminSelectWidget)
    attribution = forms.ChoiceField(
        label=gettext_lazy("Attribution"),
        choices=lambda: [(key, one.label) for key, one in ATTRIBUTIONS.items()],
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, query: ReportQuery, *, names: list[str]) -> None:
        super().__init__(initial={"placement": query.placement, "attribution": query.attribution})
        chosen = [query.placement] if query.placement and query.placement not in names else []
        self.fields["placement"].choices = [  # type: ignore[attr-defined]
            ("", _("every placement")),
            *((name, name) for name in (*names, *chosen)),
        ]


class SavedViewForm(forms.ModelForm):  # type: ignore[type-arg]  # only typed stubs are generic
    """A view's name, who sees it, and to whom it is mailed."""

    recipients = LinesField(
        label=gettext_lazy("Recipients"), required=False, help_text=gettext_lazy("E-mail addresses, one a line.")
    )

    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        choices=settings.LANGUAGES,
        required=False,
        initial=lambda: (get_language() or settings.LANGUAGE_CODE)[:2],
        help_text=gettext_lazy("In which the e-mail is written."),
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = SavedView
        fields = ("site", "name", "is_shared", "schedule", "hour", "recipients", "language")

    def clean_language(self) -> str:
        """Return the chosen language, else that of whoever saves the view."""
        return str(self.cleaned_data["language"] or (get_language() or settings.LANGUAGE_CODE)[:2])


@admin.register(SavedView)
class SavedViewAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Reports, and the views of them that people keep: one's own and those that others share."""

    form = SavedViewForm
    list_display = ("name", "site", "owner", "is_shared", "schedule", "shows_sent")
    list_filter = ("site", "schedule", "is_shared")
    search_fields = ("name",)
    list_select_related = ("site", "owner")
    actions_list = ("open_reports",)
    actions_detail = ("open_view",)
    empty_state = (
        gettext_lazy("No saved views yet"),
        gettext_lazy("Open Reports, choose days, grouping and attribution, and keep what you see under a name."),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[SavedView]:
        """Return one's own views and shared ones."""
        views: QuerySet[SavedView] = super().get_queryset(request)
        return views if sees_everything(request.user) else views.filter(Q(owner=request.user) | Q(is_shared=True))

    def has_change_permission(self, request: HttpRequest, obj: SavedView | None = None) -> bool:
        """Let people change their own."""
        return bool(super().has_change_permission(request, obj)) and self._is_own(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: SavedView | None = None) -> bool:
        """Let people delete their own."""
        return bool(super().has_delete_permission(request, obj)) and self._is_own(request, obj)

    def _is_own(self, request: HttpRequest, obj: SavedView | None) -> bool:
        return obj is None or obj.owner_id is None or obj.owner_id == request.user.pk or request.user.is_superuser

    @display(description=gettext_lazy("Last e-mail"))
    def shows_sent(self, view: SavedView) -> str:
        """Return when it was mailed last, or why it was not."""
        if view.problem:
            return _("failed: %(why)s") % {"why": view.problem}
        return date_format(view.sent_at, "SHORT_DATETIME_FORMAT") if view.sent_at else ""

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Return the site of the report that is to be kept."""
        slug = dict(parse_qsl(request.GET.get("query", ""))).get("site", "")
        site = Site.objects.filter(slug=slug).first()
        return {"site": site.pk} if site is not None else {}

    def save_model(self, request: HttpRequest, obj: SavedView, form: Any, change: bool) -> None:
        """Keep what the report showed, whose it is, and when it is due."""
        if not change:
            obj.owner = request.user  # type: ignore[assignment]
            try:
                obj.query = ReportQuery.parse(dict(parse_qsl(request.GET.get("query", "")))).as_dict()
            except InvalidReport as error:
                messages.warning(request, _("The usual report is kept: %(why)s.") % {"why": error})
                obj.query = ReportQuery().as_dict()
        obj.due_at = next_due(obj, timezone.now())
        super().save_model(request, obj, form, change)

    @action(description=gettext_lazy("Reports"), url_path="open-reports", icon="bar_chart")
    def open_reports(self, request: HttpRequest) -> HttpResponse:
        """Go to the reports."""
        return redirect(reverse("admin:recommendations_savedview_report"))

    @action(description=gettext_lazy("Open"), url_path="open-view", icon="bar_chart")
    def open_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Go to the report that is kept."""
        view: SavedView = get_or_404(self, request, object_id)
        address = ReportQuery.parse(view.query).address(view.site)
        return redirect(reverse("admin:recommendations_savedview_report") + address)

    def get_urls(self) -> list[URLPattern]:
        """Add the report itself."""
        page = self.admin_site.admin_view(lambda request: report_page(self, request))
        return [path("report/", page, name="recommendations_savedview_report"), *super().get_urls()]


def report_page(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """Show one report, or answer it as CSV."""
    if not request.user.has_perm(VIEW_REPORT):
        raise PermissionDenied
    context = site_choice(request)
    site = context["site"]
    if site is not None and not may(request.user, VIEW_REPORT, site.pk):
        raise PermissionDenied
    if site is not None:
        try:
            query = ReportQuery.parse(request.GET)
        except InvalidReport as error:
            context["problem"] = str(error)
            query = ReportQuery()
        rows = named(site, query.by, query.rows(site))
        if request.GET.get("format") == "csv" and "problem" not in context:
            return _csv(site, query, as_csv(site, query.by, rows, spreadsheet_text))
        context |= _context(request, site, query, rows)
    return screen(model_admin, request, "admin/recommendations/reports.html", title=_("Reports"), **context)


def _context(request: HttpRequest, site: Site, query: ReportQuery, rows: list[Any]) -> dict[str, Any]:
    names = list(Placement.objects.filter(site=site).order_by("name").values_list("name", flat=True))
    first, last = query.days(site)
    views = SavedView.objects.filter(Q(owner=request.user) | Q(is_shared=True), site=site)
    state = ReportState.objects.filter(site=site).first()
    own = query.address(site)
    return {
        "query": query,
        "form": ChooseForm(query, names=names),
        "rows": rows,
        "total": query.total(site),
        "first": first,
        "last": last,
        "is_empty": not any(row.impressions or row.clicks or row.orders or row.carts for row in rows),
        "by_title": GRAINS[query.by],
        "span_links": [(query.address(site, span=key), SPAN_WORDS[key], key == query.span) for key in SPANS],
        "by_links": [(query.address(site, by=key), words, key == query.by) for key, words in GRAINS.items()],
        "csv_link": f"{own}&format=csv",
        "save_link": reverse("admin:recommendations_savedview_add") + "?" + _as_query(own),
        "views": [(ReportQuery.parse(view.query).address(site), view.name) for view in views[:20]],
        "rolled_up_at": state.made_at if state else None,
        "is_by_item": query.by == "item",
    }


def _as_query(address: str) -> str:
    return urlencode({"query": address.removeprefix("?")})


def _csv(site: Site, query: ReportQuery, text: str) -> HttpResponse:
    first, last = query.days(site)
    name = f"{site.slug}-{query.by}-{query.attribution}-{first}-{last}.csv"
    return HttpResponse(
        text,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
