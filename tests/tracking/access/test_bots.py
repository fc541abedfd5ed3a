"""Programs are known by their names and told apart; shoppers' browsers are none of them."""

from __future__ import annotations

import re

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import given
from hypothesis import strategies as st

from tracking.access.bots import bot_class_of, longest_literal

BROWSER = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; {name}) Chrome/126.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "search"),
        ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "search"),
        (BROWSER.format(name="GPTBot/1.2; +https://openai.com/gptbot"), "agent"),
        (BROWSER.format(name="ChatGPT-User/1.0; +https://openai.com/bot"), "agent"),
        (BROWSER.format(name="Claude-User/1.0; +Claude-User@anthropic.com"), "agent"),
        (BROWSER.format(name="Perplexity-User/1.0"), "agent"),
        (BROWSER.format(name="Amzn-User/0.1"), "agent"),
        ("Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "monitoring"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0", "script"),
        ("curl/8.5.0", "script"), ("python-requests/2.31", "script"), ("", "script"), ("okhttp/4.12.0", "script"),
        ("facebookexternalhit/1.1", "crawler"), ("Mozilla/5.0 (compatible; AhrefsBot/7.0)", "crawler"),
        ("A-Bot-Nobody-Knows/1.0 (crawler)", "crawler"),
    ],
)  # fmt: skip
def test_programs_are_told_apart(agent: str, kind: str) -> None:
    assert bot_class_of(agent) == kind


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1",
        "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 Chrome/91 Mobile Safari/537.36",
        "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Instagram 340.0.0.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 [FBAN/FBIOS;FBAV/470.0.0.1]",
        "Mozilla/5.0 (Linux; Android 14; SM-S911B; wv) AppleWebKit/537.36 Chrome/126.0 Mobile [Pinterest/Android]",
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0 Mobile DuckDuckGo/5 Safari/537.36",
        "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/126 Safari/537.36 Edg/126 OPR/112",
    ],
)
def test_shoppers_are_not(agent: str) -> None:
    assert bot_class_of(agent) is None


@pytest.mark.slow
def test_every_program_of_the_list_is_known_by_the_names_that_it_gives() -> None:
    unknown = [name for entry in CRAWLER_USER_AGENTS_DATA for name in entry["instances"] if bot_class_of(name) is None]

    assert unknown == []


def test_the_text_that_is_looked_for_first_stands_in_all_that_a_pattern_finds() -> None:
    for entry in CRAWLER_USER_AGENTS_DATA:
        literal = longest_literal(entry["pattern"])
        for name in entry["instances"]:
            if found := re.search(entry["pattern"], name):
                assert literal in found[0].lower(), entry["pattern"]


@given(st.text(max_size=2_000))
def test_any_name_is_of_a_class_or_none(agent: str) -> None:
    assert bot_class_of(agent) in ("search", "agent", "monitoring", "script", "crawler", None)
