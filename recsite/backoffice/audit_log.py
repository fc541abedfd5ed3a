"""The audit log of what staff changed, to be read and nothing else."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from tracking.admin.decorators import action, display
from tracking.admin.screens import NothingToSave
from tracking.admin.spreadsheets import spreadsheet_text
from tracking.models import AuditEntry

MAX_EXPORTED: Final = 100_000


@admin.register(LogEntry)
class LogEntryAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Who changed what and when, newest first."""

    list_display = ("action_time", "user", "what", "content_type", "object_repr", "get_change_message")
    list_display_links = None
    list_filter = ("action_flag", "content_type", "user")
    search_fields = ("object_repr", "change_message", "user__username")
    list_select_related = ("user", "content_type")
    date_hierarchy = "action_time"
    show_full_result_count = False

    @admin.display(description=gettext_lazy("action"), ordering="action_flag")
    def what(self, entry: LogEntry) -> str:
        """Return what was done."""
        return str(entry.get_action_flag_display())

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: the log writes itself."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: nobody rewrites what was."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: nobody rewrites what was."""
        return False


@admin.register(AuditEntry)
class AuditEntryAdmin(NothingToSave, ModelAdmin):  # type: ignore[misc]
    """Who changed or read what, from what to what, when and from where; of the sites that one is an owner of."""

    list_display = ("at", "actor", "kind", "object_type", "object_name", "shows_change", "site", "address")
    list_filter = ("site", "kind", "object_type", "at")
    search_fields = ("actor", "object_name", "what", "address")
    search_help_text = gettext_lazy("Person, object, words or address")
    list_select_related = ("site",)
    date_hierarchy = "at"
    show_full_result_count = False
    list_per_page = 50
    actions_list = ("export",)
    fields = (
        "at",
        "actor",
        "address",
        "site",
        "kind",
        "object_type",
        "object_name",
        "what",
        "shows_values",
        "request_id",
    )
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: the log writes itself."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: nobody rewrites what was."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: nobody rewrites what was."""
        return False

    @display(description=gettext_lazy("change"))
    def shows_change(self, entry: AuditEntry) -> str:
        """Return what was done, or which fields were changed."""
        return entry.what or ", ".join(entry.changes)

    @display(description=gettext_lazy("before and after"))
    def shows_values(self, entry: AuditEntry) -> str | SafeString:
        """Return each field with both values."""
        rows = [(name, *map(_text, pair)) for name, pair in entry.changes.items()]
        return format_html_join("", "<p><b>{}</b>: <del>{}</del> <ins>{}</ins></p>", rows) if rows else ""

    def get_urls(self) -> list[URLPattern]:
        """Add the file with what the list shows."""
        view = self.admin_site.admin_view(self.as_csv)
        return [path("export.csv", view, name="tracking_auditentry_csv"), *super().get_urls()]

    @action(description=gettext_lazy("Download as CSV"), url_path="export-csv", icon="download")
    def export(self, request: HttpRequest) -> Any:
        """Go to the file, with the filters that are chosen."""
        return redirect(f"{reverse('admin:tracking_auditentry_csv')}?{request.GET.urlencode()}")

    def as_csv(self, request: HttpRequest) -> HttpResponseBase:
        """Return the entries that the list's filters choose, newest first, at most ``MAX_EXPORTED``."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).queryset[:MAX_EXPORTED]
        except IncorrectLookupParameters:  # as the list itself does: it drops what cannot be filtered by, and says so
            return redirect(f"{reverse('admin:tracking_auditentry_changelist')}?e=1")
        return StreamingHttpResponse(
            _lines(rows),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="audit-log.csv"'},
        )


class _Echo:
    def write(self, line: str) -> str:
        return line


def _lines(rows: Any) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(
        [
            "at",
            "actor",
            "address",
            "site",
            "kind",
            "object_type",
            "object_id",
            "object_name",
            "what",
            "changes",
            "request",
        ]
    )
    for row in rows.iterator(chunk_size=2_000):
        yield writer.writerow([
            row.at.isoformat(), *map(spreadsheet_text, (row.actor, row.address)), row.site.slug if row.site else "",
            row.kind, row.object_type, row.object_id, *map(spreadsheet_text, (row.object_name, row.what)),
            spreadsheet_text(json.dumps(row.changes, ensure_ascii=False)) if row.changes else "", row.request_id,
        ])  # fmt: skip


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
