"""The audit log of what staff changed, to be read and nothing else."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.http import HttpRequest
from unfold.admin import ModelAdmin


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

    @admin.display(description="action", ordering="action_flag")
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
