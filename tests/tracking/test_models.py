"""What a site's fields take, and what they say of a mistake."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from tracking.models import new_token_secret, validate_origins, validate_scopes


@pytest.mark.parametrize("origin", ["https://www.shop.example", "http://localhost:8000", "https://*.shop.example"])
def test_an_origin_as_browsers_send_it_is_taken(origin: str) -> None:
    validate_origins([origin])


@pytest.mark.parametrize(
    "value", ["https://x.example", ["www.shop.example"], ["https://x.example/path"], ["HTTPS://X.example"], [1], [None]]
)
def test_anything_else_is_no_origin(value: object) -> None:
    with pytest.raises(ValidationError, match=r"https://www\.shop\.example"):
        validate_origins(value)


def test_scopes_are_those_of_the_settings(settings) -> None:
    validate_scopes(list(settings.OAUTH2_PROVIDER["SCOPES"]))
    for wrong in ([], ["everything"], "events", None):
        with pytest.raises(ValidationError, match="events"):
            validate_scopes(wrong)


def test_no_two_token_secrets_are_the_same() -> None:
    assert len({new_token_secret() for _ in range(100)}) == 100
