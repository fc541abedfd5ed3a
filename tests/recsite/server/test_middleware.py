"""What Django's middleware does differently here."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.mark.parametrize("path", ["/r/v1/rec.js", "/v1/items", "/v1/openapi.json", "/o/token/"])
def test_scripts_and_data_do_not_vary_by_language(path: str) -> None:
    answer = Client().get(path, headers={"accept-language": "de"})
    assert "language" not in answer.headers.get("Vary", "").lower()
    assert "Content-Language" not in answer.headers


def test_pages_for_people_do() -> None:
    answer = Client().get("/admin/login/", headers={"accept-language": "de"})
    assert "accept-language" in answer["Vary"].lower()
    assert answer["Content-Language"] == "de"


def test_everything_else_is_english_also_where_a_german_page_was_served_before() -> None:
    client = Client()
    assert "Passwort" in client.get("/admin/login/", headers={"accept-language": "de"}).content.decode()
    answer = client.get("/nothing-here/", headers={"accept-language": "de"})
    assert "This page is not here" in answer.content.decode()
    assert "language" not in answer.headers.get("Vary", "").lower()


def test_staff_choose_a_language_and_their_browser_keeps_it() -> None:
    client = Client()
    answer = client.post("/admin/language/", {"language": "de", "next": "/admin/login/"})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/")
    assert client.cookies["django_language"]["max-age"] == 365 * 86400
    page = client.get("/admin/login/", headers={"accept-language": "en"})
    assert page["Content-Language"] == "de"
    assert '<html lang="de"' in page.content.decode()


def test_a_language_that_is_not_offered_is_english() -> None:
    assert Client().get("/admin/login/", headers={"accept-language": "fr"})["Content-Language"] == "en"
