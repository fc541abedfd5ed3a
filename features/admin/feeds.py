"""Feeds: an upload with its report, addresses that are fetched on a schedule, and what became of each load."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from features.feed_files.readers import FORMATS
from features.feeds.runs import load_address, load_file
from features.models import Feed, FeedRun, feed_format_choices
from tracking.admin.decorators import action, display
from tracking.admin.screens import get_or_404, screen
from tracking.models import Site

MAX_UPLOAD_BYTES: Final = 200 << 20
_LABELS: Final = {"done": "success", "running": "info", "failed": "danger"}


class UploadForm(forms.Form):
    """A file of items."""

    site = forms.ModelChoiceField(Site.objects.all(), widget=UnfoldAdminSelectWidget, empty_label=None)
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"{', '.join(one.words for one in FORMATS)}, packed with gzip or not; at most 200 MB.",
    )
    file_format = forms.ChoiceField(
        label="Format", choices=feed_format_choices, required=False, widget=UnfoldAdminSelectWidget
    )
    complete = forms.BooleanField(
        label="This is the whole catalogue",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Items that are not in the file leave every list until a feed brings them back. Off: a file with "
        "some of the items.",
    )

    def clean_file(self) -> Any:
        """Refuse what is too large."""
        file = self.cleaned_data["file"]
        if file.size > MAX_UPLOAD_BYTES:
            raise forms.ValidationError(
                f"Has {file.size / 1e6:,.0f} MB; the most is {MAX_UPLOAD_BYTES >> 20} MB. "
                "Pack it with gzip, or load it with `manage.py import_items`."
            )
        return file


@admin.register(Feed)
class FeedAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Addresses that are fetched again and again."""

    empty_state = (
        "No feed yet",
        "Add the address of the shop's product feed, and it is fetched again and again; or upload a file once with the "
        "button above.",
    )
    list_display = ("name", "site", "shows_host", "every_minutes", "shows_last_run", "due_at", "is_active")
    list_filter = ("site", "is_active")
    list_select_related = ("site",)
    search_fields = ("name", "url")
    fields = ("site", "name", "url", "file_format", "every_minutes", "is_complete", "is_active", "due_at")
    actions_list = ("upload",)
    actions_detail = ("fetch_now",)

    def get_urls(self) -> list[URLPattern]:
        """Add the upload."""
        upload = path("file/", self.admin_site.admin_view(self.upload_view), name="features_feed_file")
        return [upload, *super().get_urls()]

    @display(description="Host")
    def shows_host(self, feed: Feed) -> str:
        """Show the address without what may be secret in it."""
        return feed.url.partition("://")[2].rpartition("@")[2].partition("/")[0]

    @display(description="Last run", label=_LABELS)
    def shows_last_run(self, feed: Feed) -> str:
        """Show how the newest run ended."""
        run = feed.runs.first()
        return run.status if run else ""

    @action(description="Upload a file", url_path="upload-file", icon="upload")
    def upload(self, request: HttpRequest) -> HttpResponse:
        """Go to the upload."""
        return HttpResponseRedirect(reverse("admin:features_feed_file"))

    @action(description="Fetch now", url_path="fetch-now", icon="download")
    def fetch_now(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Fetch the address and show what became of it."""
        feed: Feed = get_or_404(self, request, object_id, change=True)
        run = load_address(feed)
        return HttpResponseRedirect(reverse("admin:features_feedrun_change", args=[run.pk]))

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Take a file, load it, and show the report."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            chosen = form.cleaned_data
            run, report = load_file(
                chosen["site"],
                chosen["file"].file,
                source=chosen["file"].name,
                file_format=chosen["file_format"],
                complete=chosen["complete"],
            )
            level = messages.ERROR if run.error else messages.WARNING if report.rejected else messages.SUCCESS
            self.message_user(request, f"{run.source}: {report.summary()}.", level)
            return HttpResponseRedirect(reverse("admin:features_feedrun_change", args=[run.pk]))
        return screen(self, request, "admin/features/upload.html", title="Upload a feed", form=form)


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
        "No feed was loaded yet",
        "Upload a file under Feeds, or add an address there that is fetched on a schedule; each load reports here.",
    )
    readonly_fields = (
        "source", "site", "feed", "status", "started_at", "finished_at", "error", "created_items", "updated_items",
        "unchanged_items", "deactivated_items", "rejected_rows",
    )  # fmt: skip
    change_form_after_template = "admin/features/bad_rows.html"

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

    @display(description="Status", label=_LABELS)
    def shows_status(self, run: FeedRun) -> str:
        """Show the status with its colour."""
        return run.status
