"""Staff and a site for the screens of tracking."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.test import Client

from tracking.models import Site


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", password="x" * 16))
    return client


@pytest.fixture
def site() -> Site:
    return Site.objects.create(slug="shop", name="Shop")


def text(response: HttpResponse) -> str:
    """Return the page of a good answer."""
    assert response.status_code == 200, response
    return response.content.decode()
