"""What a site's fields take, and what they say of a mistake."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from tracking.models import Site, new_token_secret, validate_origins, validate_scopes, validate_time_zone


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


@pytest.mark.parametrize("name", ["Berlin", "europe/berlin ", "", "+02:00", "../etc/localtime"])
def test_what_is_no_time_zone_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(ValidationError, match="write one such as Europe/Berlin"):
        validate_time_zone(name)


def test_a_site_has_clocks() -> None:
    validate_time_zone("Europe/Berlin")

    assert Site(time_zone="Europe/Berlin").zone.key == "Europe/Berlin"
    assert Site().zone.key == "UTC"
