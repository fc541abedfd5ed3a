"""Screens of one site: chosen by its slug, the first where none is named, and a warning for a name that is none."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import reverse

from tracking.admin.screens import site_choice
from tracking.models import Site

pytestmark = pytest.mark.django_db


@pytest.fixture
def two() -> tuple[Site, Site]:
    Site.objects.create(slug="paused", name="Paused", is_active=False)
    return Site.objects.create(slug="outlet", name="Outlet"), Site.objects.create(slug="shop", name="Shop")


def request_for(address: str, *, user: Any = None) -> HttpRequest:
    request = RequestFactory().get(address)
    request.user = user or get_user_model()(username="anna", is_staff=True, is_superuser=True)
    return request


def test_the_site_of_the_address_is_chosen_else_the_first(two: tuple[Site, Site]) -> None:
    assert site_choice(request_for("/?site=shop")) == {"sites": list(two), "site": two[1]}
    assert site_choice(request_for("/"))["site"] == two[0]


def test_who_is_not_of_the_staff_has_no_site_to_choose(two: tuple[Site, Site]) -> None:
    assert site_choice(request_for("/", user=AnonymousUser())) == {"sites": [], "site": None}


def test_an_installation_without_sites_has_none_to_show() -> None:
    assert site_choice(request_for("/")) == {"sites": [], "site": None}


@pytest.mark.parametrize("page", ["admin:index", "admin:features_rfmsnapshot_changelist"])
def test_a_screen_shows_the_first_site_for_an_unknown_name_and_says_so(
    two: tuple[Site, Site], admin_client: Client, page: str
) -> None:
    answer = admin_client.get(reverse(page), {"site": "nowhere"})

    assert "There is no active site &#x27;nowhere&#x27;; there are: outlet, shop." in answer.content.decode()
    assert answer.context["site"] == two[0]


def test_the_links_keep_what_else_the_page_shows(two: tuple[Site, Site]) -> None:
    shown = render_to_string(
        "admin/tracking/parts/site_choice.html", {"sites": list(two), "site": two[1], "more": "&span=day"}
    )

    assert '<a href="?site=outlet&amp;span=day">Outlet</a>' in shown
    assert '<a href="?site=shop&amp;span=day" aria-current="page">Shop</a>' in shown
    assert not render_to_string("admin/tracking/parts/site_choice.html", {"sites": [two[0]], "site": two[0]}).strip()
