"""The pages of errors: our own words and style, no Django default, nothing that needs a database."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string
from django.test import Client


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "500"])
def test_a_page_of_errors_says_what_to_do_and_needs_no_context(name: str) -> None:
    page = render_to_string(f"{name}.html")

    assert page.startswith("<!doctype html>")
    assert "<main>" in page
    assert 'class="button"' in page
    assert "problem.css" in page


@pytest.mark.django_db
def test_an_unknown_address_gets_our_page(client: Client) -> None:
    answer = client.get("/nothing-here/")

    assert answer.status_code == 404
    assert "This page is not here" in answer.content.decode()


@pytest.mark.django_db
def test_a_stale_form_gets_our_page() -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "a", "password": "b"})

    assert answer.status_code == 403
    assert "The form was open for too long" in answer.content.decode()
