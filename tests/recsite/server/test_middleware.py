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
