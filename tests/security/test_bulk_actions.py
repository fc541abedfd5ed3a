"""No list offers an action on chosen rows that the role of its reader may not do, on any screen."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory
from django.urls import reverse

from tests.security.test_roles import a_row, member, scoped_screens, signed_in
from tracking.models import Site
from tracking.staff.roles import ROLES, gives

pytestmark = [pytest.mark.django_db, pytest.mark.redis, pytest.mark.filterwarnings("ignore:No directory at")]


class Offered(HTMLParser):
    """Collects the actions that the menu of a list offers."""

    def __init__(self) -> None:
        super().__init__()
        self.actions: set[str] = set()
        self._is_menu = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "select":
            self._is_menu = said.get("name") == "action"
        if tag == "option" and self._is_menu and said.get("value"):
            self.actions.add(str(said["value"]))

    def handle_endtag(self, tag: str) -> None:
        self._is_menu = self._is_menu and tag != "select"


def _all_actions(screen: Any) -> dict[str, tuple[str, ...]]:
    """Return the rights that each action of a screen needs; one that does not say changes rows."""
    names = [*screen.actions, *(name for name, _ in admin.site.actions)]
    found = {}
    for name in names:
        function = dict(admin.site.actions).get(name) or getattr(screen, name)
        found[name] = tuple(getattr(function, "allowed_permissions", None) or ("change",))
    return found


def _offered(client: Client, screen: Any) -> set[str] | None:
    answer = client.get(reverse(f"admin:{screen.opts.app_label}_{screen.opts.model_name}_changelist"))
    if answer.status_code != 200:
        return None
    offered = Offered()
    offered.feed(answer.content.decode())
    return offered.actions


@pytest.mark.slow
@pytest.mark.expects_errors(r"own_sources.unusable .* source=", maybe=True)  # rows are filled with any text
@pytest.mark.parametrize("role", ROLES)
def test_lists_offer_the_actions_of_the_readers_role_alone(role: str, rf: RequestFactory) -> None:
    site = Site.objects.create(slug="own-shop", name="only-own-shop")
    user = member(role, site)
    client, request = signed_in(user), rf.get("/admin/")
    request.user = user
    wrong, n_screens, n_offered = [], 0, 0
    for screen in scoped_screens():
        a_row(screen.model, site, owner=user)
        offered = _offered(client, screen)
        if offered is None:
            continue
        n_screens += 1
        n_offered += len(offered)
        for name, needs in _all_actions(screen).items():
            is_allowed = any(
                gives(role, screen.model, f"{need}_{screen.opts.model_name}")
                and getattr(screen, f"has_{need}_permission")(request)
                for need in needs
            )
            if name in offered and not is_allowed:
                wrong.append(f"{screen.opts.model_name}: {name} needs {needs}")
    assert wrong == []
    assert n_screens > 3
    assert n_offered > 0 or role in ("Viewer", "Analyst")
