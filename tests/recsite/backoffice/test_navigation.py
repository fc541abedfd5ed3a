"""The sidebar: each entry leads somewhere, and only to what one may see."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import RequestFactory

from recsite.backoffice.navigation import sidebar


def test_groups_and_entries_have_one_name_each(rf: RequestFactory) -> None:
    groups = sidebar(rf.get("/"))
    names = [item["title"] for group in groups for item in group["items"]]
    assert [group["title"] for group in groups] == ["Merchandising", "Shoppers", "Models", "Tracking", "Administration"]
    assert len(set(names)) == len(names)
    assert "Performance" in names
    assert all(item["link"].startswith("/admin/") for group in groups for item in group["items"])


@pytest.mark.django_db
def test_an_entry_is_shown_to_who_may_view_it(rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = get_user_model().objects.create_user("merchandiser")
    request.user.user_permissions.add(Permission.objects.get(codename="view_rule"))

    seen = [item["title"] for group in sidebar(request) for item in group["items"] if item["permission"](request)]

    assert seen == ["Rules"]
