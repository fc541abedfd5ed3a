"""Feeds: an upload with its report, addresses that are fetched on a schedule, and what became of each load."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from features.feed_files.readers import FORMATS
from features.feeds.columns import CHOICES, WANTED
from features.feeds.public_address import NotFetched, checked_address
from features.feeds.runs import NotWaiting, approve, load_address, load_file, options_of, separator_of
from features.feeds.writer import LoadOptions
from features.models import Feed, FeedRun, feed_format_choices
from tracking.admin.decorators import action, display
from tracking.admin.screens import get_or_404, screen
from tracking.models import Site
from tracking.staff.sites import may, seen
from tracking.templatetags.written import whole

MAX_UPLOAD_BYTES: Final = 200 << 20
_LABELS: Final = {"done": "success", "running": "info", "waits for approval": "warning", "failed": "danger"}
_UNUSED: Final = "-"


class UploadForm(forms.Form):
    """A file of items."""

    site = forms.ModelChoiceField(
        Site.objects.all(), label=gettext_lazy("Site"), widget=UnfoldAdminSelectWidget, empty_label=None
    )
    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=UnfoldAdminFileFieldWidget,
        help_text=format_lazy(
            gettext_lazy(
                "{formats}, packed or not; at most 200 MB. Exports of Shopify, WooCommerce, Magento, Akeneo, Google "
                "Merchant and Facebook are understood as they are."
            ),
            formats=format_lazy(", ".join("{}" for _one in FORMATS), *(gettext_lazy(one.words) for one in FORMATS)),
        ),
    )
    feed = forms.ModelChoiceField(
        Feed.objects.all(),
        label=gettext_lazy("Read it as this feed"),
        required=False,
        empty_label=gettext_lazy("as it looks"),
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("With the columns, the decimal separator and the language that the feed names."),
    )
    file_format = forms.ChoiceField(
        label=gettext_lazy("Format"), choices=feed_format_choices, required=False, widget=UnfoldAdminSelectWidget
    )
    decimal = forms.ChoiceField(
        label=gettext_lazy("Decimal separator"),
        choices=Feed.Decimal.choices,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    complete = forms.BooleanField(
        label=gettext_lazy("This is the whole catalogue"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy(
            "Items that are not in the file leave every list until a feed brings them back. Off: a file "
            "with some of the items."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("site", "feed"):
            field = self.fields[name]
            field.queryset = seen(field.queryset)  # type: ignore[attr-defined]

    def clean_file(self) -> Any:
        """Refuse what is too large."""
        file = self.cleaned_data["file"]
        if file.size > MAX_UPLOAD_BYTES:
            raise forms.ValidationError(
                _(
                    "Has %(size)s MB; the most is %(MAX_UPLOAD_BYTES)s MB. Pack it with gzip, or load it with "
                    "`manage.py import_items`."
                )
                % {"size": whole(file.size / 1_000_000), "MAX_UPLOAD_BYTES": MAX_UPLOAD_BYTES >> 20}
            )
        return file

    def clean(self) -> dict[str, Any]:
        """Refuse a feed of another site."""
        cleaned: dict[str, Any] = super().clean() or {}
        feed, site = cleaned.get("feed"), cleaned.get("site")
        if feed is not None and site is not None and feed.site_id != site.pk:
            self.add_error(
                "feed", _("Belongs to %(site)s; choose a feed of %(site2)s.") % {"site": feed.site, "site2": site}
            )
        return cleaned

    def options(self) -> LoadOptions:
        """Return how the file is read: as the feed says, then as the form does."""
        chosen = self.cleaned_data
        options = options_of(chosen["feed"]) if chosen["feed"] else LoadOptions(is_strict=False)
        return replace(
            options,
            file_format=chosen["file_format"] or options.file_format,
            decimal=separator_of(chosen["decimal"]) or options.decimal,
            complete=chosen["complete"] or options.complete,
        )


class ColumnsForm(forms.Form):
    """What each column of a feed means; a column that is left as it is keeps its own meaning."""

    def __init__(self, columns: list[dict[str, Any]], mapping: dict[str, str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.columns = columns
        for index, column in enumerate(columns):
            automatic = column["field"] if not column["is_chosen"] else ""
            own = CHOICES.get(automatic) or automatic.replace("attributes.", "attribute ") or _("not used")
            choices = [("", _("as it is: %(own)s") % {"own": own}), *CHOICES.items(), (_UNUSED, _("do not use"))]
            if column["is_chosen"]:
                choices[0] = ("", _("as its name says"))
            chosen = mapping.get(column["name"])
            self.fields[f"column-{index}"] = forms.ChoiceField(
                label=column["name"],
                choices=choices,
                required=False,
                initial="" if chosen is None else chosen or _UNUSED,
                widget=forms.Select(attrs={"class": "rs-input", "aria-label": f"Meaning of {column['name']}"}),
            )

    def rows(self) -> list[tuple[dict[str, Any], forms.BoundField]]:
        """Return each column beside its choice."""
        return [(column, self[f"column-{index}"]) for index, column in enumerate(self.columns)]

    def clean(self) -> dict[str, Any]:
        """Refuse one field for two columns."""
        cleaned: dict[str, Any] = super().clean() or {}
        taken: dict[str, str] = {}
        for index, column in enumerate(self.columns):
            field = cleaned.get(f"column-{index}") or ""
            if field in ("", _UNUSED):
                continue
            if field in taken:
                self.add_error(
                    f"column-{index}",
                    _("%(CHOICES)s is %(taken)s already; choose one of them.")
                    % {"CHOICES": CHOICES[field], "taken": f"{taken[field]!r}"},
                )
            taken.setdefault(field, column["name"])
        return cleaned

    def mapping(self) -> dict[str, str]:
        """Return column to field, for the columns that were chosen for."""
        chosen = {column["name"]: self.cleaned_data[f"column-{index}"] for index, column in enumerate(self.columns)}
        return {name: "" if field == _UNUSED else field for name, field in chosen.items() if field}


class FeedForm(forms.ModelForm):  # type: ignore[type-arg]
    """A feed, whose address is looked at when it is written and not first when it is fetched."""

    def clean_url(self) -> str:
        """Refuse an address that would never be fetched."""
        url: str = self.cleaned_data["url"]
        if url:
            try:
                checked_address(url)
            except NotFetched as error:
                raise forms.ValidationError(f"{error}.") from error
        return url


@admin.register(Feed)
class FeedAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Addresses that are fetched again and again."""

    empty_state = (
        gettext_lazy("No feed yet"),
        gettext_lazy(
            "Add the address of the shop's product feed, and it is fetched again and again; or upload a "
            "file once with the button above."
        ),
    )
    form = FeedForm
    list_display = ("name", "site", "shows_host", "every_minutes", "shows_last_run", "due_at", "is_active")
    list_filter = ("site", "is_active")
    list_select_related = ("site",)
    search_fields = ("name", "url")
    fieldsets = (
        (None, {"fields": (("site", "name"), "url", "every_minutes", "due_at", "is_active")}),
        (gettext_lazy("How it is read"), {"fields": (("file_format", "decimal"), "locale")}),
        (gettext_lazy("The whole catalogue"), {"fields": ("is_complete", "most_deactivated_percent")}),
    )
    actions_list = ("upload",)
    actions_detail = ("go_to_columns", "fetch_now")

    def get_urls(self) -> list[URLPattern]:
        """Add the upload, and the columns of a feed."""
        view = self.admin_site.admin_view
        return [
            path("file/", view(self.upload_view), name="features_feed_file"),
            path("<int:object_id>/columns/", view(self.columns_view), name="features_feed_columns"),
            *super().get_urls(),
        ]

    @display(description=gettext_lazy("Host"))
    def shows_host(self, feed: Feed) -> str:
        """Show the address without what may be secret in it."""
        return feed.url.partition("://")[2].rpartition("@")[2].partition("/")[0] or _("uploaded by hand")

    @display(description=gettext_lazy("Last run"), label=_LABELS)
    def shows_last_run(self, feed: Feed) -> str:
        """Show how the newest run ended."""
        run = feed.runs.first()
        return str(run.get_status_display()) if run else ""

    @action(description=gettext_lazy("Upload a file"), url_path="upload-file", icon="upload")
    def upload(self, request: HttpRequest) -> HttpResponse:
        """Go to the upload."""
        return HttpResponseRedirect(reverse("admin:features_feed_file"))

    @action(description=gettext_lazy("Columns"), url_path="go-to-columns", icon="view_column")
    def go_to_columns(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Go to what the columns mean."""
        return HttpResponseRedirect(reverse("admin:features_feed_columns", args=[object_id]))

    def columns_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Show what each column of the newest load means, and take another meaning."""
        feed: Feed = get_or_404(self, request, object_id, change=True)
        run = feed.runs.exclude(report__columns=[]).first()
        found: list[dict[str, Any]] = run.report.get("columns", []) if run else []
        form = ColumnsForm(found, feed.mapping, request.POST or None)
        if request.method == "POST" and form.is_valid():
            kept = {name: field for name, field in feed.mapping.items() if name not in {one["name"] for one in found}}
            feed.mapping = {**kept, **form.mapping()}
            feed.save(update_fields=["mapping"])
            self.message_user(request, _("Saved. The next load of this feed reads its columns so."), messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:features_feed_columns", args=[feed.pk]))
        named = {_field_of(column, feed.mapping) for column in found}
        return screen(
            self, request, "admin/features/columns.html", title=_("Columns of %(feed)s") % {"feed": feed.name},
            form=form,
            feed=feed, run=run,
            missing=[(CHOICES[field], why) for field, why in WANTED.items() if field not in named] if found else [],
            unused=[column["name"] for column in found if not _field_of(column, feed.mapping)],
        )  # fmt: skip

    @action(description=gettext_lazy("Fetch now"), url_path="fetch-now", icon="download", permissions=["change"])
    def fetch_now(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask, and with the answer, a POST, fetch the address and show what became of it."""
        feed: Feed = get_or_404(self, request, object_id, change=True)
        if not feed.url:
            self.message_user(
                request, _("%(feed)s has no address; upload its file.") % {"feed": feed.name}, messages.WARNING
            )
            return HttpResponseRedirect(reverse("admin:features_feed_file") + f"?feed={feed.pk}")
        if request.method != "POST":  # a link, a picture or a page that looks ahead must not fetch anything
            return screen(
                self, request, "admin/features/fetch.html", title=_("Fetch %(feed)s") % {"feed": feed.name}, feed=feed
            )
        run = load_address(feed)
        return HttpResponseRedirect(reverse("admin:features_feedrun_change", args=[run.pk]))

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Take a file, load it, and show the report."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        asked_for = request.GET.get("feed", "")
        chosen_feed = seen(Feed.objects.all()).filter(pk=asked_for).first() if asked_for.isdecimal() else None
        initial = {"feed": chosen_feed, "site": chosen_feed.site} if chosen_feed else {}
        form = UploadForm(request.POST or None, request.FILES or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            chosen = form.cleaned_data
            if not may(request.user, "features.add_feed", chosen["site"].pk):
                raise PermissionDenied
            run, report = load_file(
                chosen["site"],
                chosen["file"].file,
                source=chosen["file"].name,
                options=form.options(),
                feed=chosen["feed"],
            )
            self.log_change(
                request, run, _("Loaded %(source)s: %(summary)s.") % {"source": run.source, "summary": report.summary()}
            )
            is_clean = not report.rejected and not report.missing_ids
            level = messages.ERROR if run.error else messages.SUCCESS if is_clean else messages.WARNING
            self.message_user(request, f"{run.source}: {report.summary()}.", level)
            return HttpResponseRedirect(reverse("admin:features_feedrun_change", args=[run.pk]))
        return screen(self, request, "admin/features/upload.html", title=_("Upload a feed"), form=form)


@admin.register(FeedRun)
class FeedRunAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """What became of each load."""

    list_display = (
        "source", "site", "shows_status", "created_items", "updated_items", "unchanged_items", "rejected_rows",
        "started_at",
    )  # fmt: skip
    list_filter = ("site", "status")
    list_select_related = ("site",)
    empty_state = (
        gettext_lazy("No feed was loaded yet"),
        gettext_lazy(
            "Upload a file under Feeds, or add an address there that is fetched on a schedule; each load reports here."
        ),
    )
    readonly_fields = (
        "source", "site", "feed", "status", "started_at", "finished_at", "error", "created_items", "updated_items",
        "unchanged_items", "deactivated_items", "rejected_rows",
    )  # fmt: skip
    change_form_outer_after_template = "admin/features/bad_rows.html"

    def get_urls(self) -> list[URLPattern]:
        """Add what a person may do with a load."""
        view = self.admin_site.admin_view
        return [
            path("<int:object_id>/approve/", view(require_POST(self.approve_view)), name="features_feedrun_approve"),
            path("<int:object_id>/map/", view(require_POST(self.map_view)), name="features_feedrun_map"),
            *super().get_urls(),
        ]

    def approve_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Deactivate the items that a whole catalogue did not name, as a person says."""
        run: FeedRun = get_or_404(self, request, object_id)
        if not may(request.user, "features.change_item", run.site_id):
            raise PermissionDenied
        try:
            n_items = approve(run)
            said = ngettext("%(n)s item was deactivated.", "%(n)s items were deactivated.", n_items)
            self.message_user(request, said % {"n": whole(n_items)}, messages.SUCCESS)
        except NotWaiting as error:
            self.message_user(request, str(error), messages.WARNING)
        return HttpResponseRedirect(reverse("admin:features_feedrun_change", args=[run.pk]))

    def map_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Go to the columns of the load's feed; an upload without one gets a feed of its own, without an address."""
        run: FeedRun = get_or_404(self, request, object_id)
        if not may(request.user, "features.add_feed", run.site_id):
            raise PermissionDenied
        if run.feed is None:
            name = run.source[:100]
            run.feed, _made = Feed.objects.get_or_create(site=run.site, name=name, defaults={"is_active": False})
            run.save(update_fields=["feed"])
        return HttpResponseRedirect(reverse("admin:features_feed_columns", args=[run.feed.pk]))

    def get_fields(self, request: HttpRequest, obj: FeedRun | None = None) -> Any:
        """Leave out what has nothing to say."""
        error: list[Any] = ["error"] if obj is not None and obj.error else []
        return [
            ("source", "site"), ("status", "finished_at"), *error,
            ("created_items", "updated_items"), ("unchanged_items", "deactivated_items"), "rejected_rows",
        ]  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: runs come from loads."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: FeedRun | None = None) -> bool:
        """Refuse: a run is what happened."""
        return False

    @display(description=gettext_lazy("Status"), label=_LABELS)
    def shows_status(self, run: FeedRun) -> str:
        """Show the status with its colour."""
        return str(run.get_status_display())


def _field_of(column: dict[str, Any], mapping: dict[str, str]) -> str:
    """Return the field of a column of a report as it is now; the report knows what it was then."""
    if column["name"] in mapping:
        return mapping[column["name"]]
    return "" if column["is_chosen"] else str(column["field"])
