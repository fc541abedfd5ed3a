"""The audit log's screen: to be read and nothing else."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.test import Client, RequestFactory
from django.urls import reverse

from recsite.backoffice.audit_log import LogEntryAdmin


def test_django_finds_the_screen() -> None:
    assert isinstance(admin.site._registry[LogEntry], LogEntryAdmin)


def test_nobody_adds_changes_or_deletes_an_entry(rf: RequestFactory) -> None:
    screen = LogEntryAdmin(LogEntry, admin.site)
    request = rf.get("/")
    assert not screen.has_add_permission(request)
    assert not screen.has_change_permission(request)
    assert not screen.has_delete_permission(request)


@pytest.mark.filterwarnings("ignore:No directory at")
def test_an_entry_says_what_was_done(admin_client: Client, admin_user: object) -> None:
    LogEntry.objects.create(
        user_id=admin_user.pk,  # type: ignore[attr-defined]
        object_repr="Home list",
        action_flag=CHANGE,
        change_message="Renamed.",
    )
    page = admin_client.get(reverse("admin:admin_logentry_changelist")).content.decode()
    assert "Home list" in page
    assert "Change" in page
