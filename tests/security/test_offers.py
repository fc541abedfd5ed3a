"""No page offers what the role that looks at it may not do: every link opens, and every button is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.contrib import admin
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, reverse

from features.models import RfmSnapshot
from recommendations.admin.steering.moves import Steered, encoded
from recommendations.models import Placement, Rule
from recommendations.state.placements import publish
from tests.recommendations.conftest import Shop
from tests.security.test_roles import _patterns, a_row, member, scoped_screens, signed_in
from tracking.models import Site
from tracking.staff.roles import ROLES

pytestmark = [pytest.mark.django_db, pytest.mark.redis, pytest.mark.filterwarnings("ignore:No directory at")]
LEFT_OUT = ("logout", "jsi18n", "password", "autocomplete", "view_on_site")
REFUSED = (403, 404, 405, 500)


class Offers(HTMLParser):
    """Collects the links of a page, and what each button of its forms would send."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.links: set[str] = set()
        self.sent: list[tuple[str, dict[str, str]]] = []
        self._form: dict[str, str] | None = None
        self._action = page
        self._buttons: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "a" and said.get("href"):
            self.links.add(urljoin(self.page, said["href"]).partition("#")[0])
        if tag == "form" and said.get("method", "get").lower() == "post":
            self._form, self._action, self._buttons = {}, urljoin(self.page, said.get("action", "")), []
        if self._form is None:
            return
        if tag == "input" and said.get("type") == "hidden" and said.get("name"):
            self._form[said["name"]] = said.get("value", "")
        is_button = tag == "button" or (tag == "input" and said.get("type") == "submit")
        if is_button and said.get("type") != "button" and "disabled" not in said:
            self._buttons.append((said.get("name", ""), said.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag != "form" or self._form is None:
            return
        for name, value in self._buttons:
            self.sent.append((self._action, {**self._form, **({name: value} if name else {})}))
        self._form = None


@pytest.mark.expects_errors(r"own_sources.unusable", maybe=True)  # rows are filled with any text
@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_no_page_offers_what_its_reader_may_not_do(role: str, shop: Shop) -> None:
    user = member(role, shop.site)
    client = signed_in(user)
    refused, tried = [], set()
    for page in pages_of(client, shop.site):
        answer = client.get(page)
        if answer.status_code != 200 or "text/html" not in answer["Content-Type"]:
            continue
        offers = Offers(page)
        offers.feed(answer.content.decode())
        for link in sorted(offers.links):
            path = urlsplit(link).path
            kind = re.sub(r"\d+", "0", path)
            if not path.startswith("/admin/") or any(one in path for one in LEFT_OUT) or kind in tried:
                continue
            tried.add(kind)
            if (status := client.get(link).status_code) in REFUSED:
                refused.append(f"{page}: link to {link}: {status}")
        for address, fields in offers.sent:
            said = (re.sub(r"\d+", "0", urlsplit(address).path), tuple(sorted(set(fields) - {"csrfmiddlewaretoken"})),
                    fields.get("do", "").partition(":")[0])  # fmt: skip
            if any(one in address for one in LEFT_OUT) or said in tried:
                continue
            tried.add(said)
            if (status := posted(client, address, fields)) in REFUSED:
                refused.append(f"{page}: button {fields} of {address}: {status}")
    assert len(tried) > 20
    assert not refused, "\n".join(refused)


def pages_of(client: Client, site: Site) -> Iterator[str]:
    """Yield the addresses of every page of the admin with a row of the site, readable or not."""
    rows: dict[str, Any] = {}
    for screen in scoped_screens():
        name = f"{screen.opts.app_label}_{screen.opts.model_name}"
        model = screen.model
        rows[name] = model._base_manager.filter(pk=site.pk).first() if model is Site else a_row(model, site)
    RfmSnapshot.objects.all().delete()  # made-up texts are no maps and no conditions
    Placement.objects.update(condition="", repeatable="")
    Rule.objects.update(condition="", context_condition="")
    for route, pattern in _patterns(admin.site.urls[0]):
        name = pattern.name or ""
        number = next((row.pk for model, row in rows.items() if name.startswith(f"{model}_")), 1)
        if not name or any(one in name for one in LEFT_OUT):
            continue
        try:
            yield reverse(f"admin:{name}", args=[number] * route.count("<"))
        except NoReverseMatch:
            continue


def posted(client: Client, address: str, fields: dict[str, str]) -> int:
    """Press a button, and take back whatever that did; return the status."""
    with transaction.atomic():
        status: int = client.post(address, fields).status_code
        transaction.set_rollback(True)
    return status


@pytest.mark.parametrize("is_of_a_rule", [False, True])
@pytest.mark.parametrize("role", ROLES)
def test_everybody_who_sees_a_list_may_try_moves_and_sees_what_they_change(
    role: str, is_of_a_rule: bool, shop: Shop
) -> None:
    placement = Placement.objects.get(site=shop.site, name="home_for_you")
    rule = Rule.objects.create(site=shop.site, name="By hand", action="pin", items=["sku1"])
    rule.placements.set([placement])
    publish(rule)
    client, page = (
        signed_in(member(role, shop.site)),
        reverse("admin:recommendations_placement_steer", args=[placement.pk]),
    )
    which = str(rule.pk) if is_of_a_rule else "new"
    before = Rule.objects.values_list("revision", "items")

    assert client.get(page, {"rule": which}).status_code == 200
    answer = client.post(page, {"rule": which, "do": "pin:2:sku2", "steered": encoded(Steered()), "past": "[]"})

    said = answer.content.decode()
    assert answer.status_code == 200
    assert "rs-sentence" in said  # what the rule would do, and no mistake in its place
    assert list(Rule.objects.values_list("revision", "items")) == list(before)
    answer = client.post(
        page, {"rule": which, "do": "save", "steered": encoded(Steered(items={"sku2": 1})), "past": "[]"}
    )
    assert (answer.status_code == 403) is ('value="save"' not in said)
