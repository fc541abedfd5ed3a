"""What a request says of where and how a page is looked at."""

from __future__ import annotations

import pytest

from recommendations.core.visit import (
    campaign_of,
    country_of,
    device_of,
    language_of,
    matches_campaign,
    matches_locale,
    matches_page,
    matches_query,
    path_of,
)


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0", "desktop"),
        ("Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/126.0 Mobile Safari/537.36", "mobile"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148", "mobile"),
        ("Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) Mobile/15E148", "tablet"),
        ("Mozilla/5.0 (Linux; Android 14; SM-X710) Chrome/126.0 Safari/537.36", "tablet"),
        ("python-requests/2.32", ""),
        ("", ""),
    ],
)
def test_a_browser_says_what_it_runs_on(agent: str, device: str) -> None:
    assert device_of(agent) == device


@pytest.mark.parametrize(
    ("header", "language"),
    [("de-AT,de;q=0.9,en;q=0.8", "de-AT"), ("en;q=0.5, fr;q=0.7", "fr"), ("*", ""), ("", ""), ("de;q=x, it", "it")],
)
def test_the_language_asked_for_first_counts(header: str, language: str) -> None:
    assert language_of(header) == language


def test_addresses_and_codes_are_read_and_nonsense_is_nothing() -> None:
    assert campaign_of("https://shop.example/p?utm_source=x&utm_campaign=Summer%20sale") == "Summer sale"
    assert campaign_of("https://shop.example/p") == ""
    assert (path_of("https://shop.example/sale/boots?x=1"), path_of("https://shop.example"), path_of("")) == (
        "/sale/boots", "/", "",
    )  # fmt: skip
    assert [country_of(code) for code in ("at", "XX", "T1", "AUT", "")] == ["AT", "", "", "", ""]


def test_lists_of_a_rule_hold_what_they_name() -> None:
    assert matches_locale(["de"], "de-AT")
    assert matches_locale(["DE_at"], "de-AT")
    assert not matches_locale(["de-AT"], "de")
    assert matches_campaign(["summer*"], "Summer-2")
    assert not matches_campaign(["summer"], "summer-2")
    assert not matches_campaign(["*"], "")
    assert matches_query(["red shoes"], "Shoes RED wide")
    assert not matches_query(["red shoes"], "redshoes")
    assert matches_page(["product"], "product", "")
    assert matches_page(["/sale"], "", "/sale/boots")
    assert not matches_page(["/sale"], "", "/sales")
