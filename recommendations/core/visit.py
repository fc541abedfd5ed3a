"""Where and how a page is looked at, as far as rules ask: what the request says, not who the user is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final
from urllib.parse import parse_qs, urlsplit

from recommendations.core.words import Worded, gettext_noop

MAX_CAMPAIGN: Final = 100
MAX_PATH: Final = 500
MAX_QUERY: Final = 200
MAX_LANGUAGES: Final = 20
LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}")
COUNTRY: Final = re.compile(r"[A-Z]{2}")


class Device(Worded):
    """What a page is looked at on."""

    DESKTOP = "desktop", gettext_noop("computer")
    MOBILE = "mobile", gettext_noop("phone")
    TABLET = "tablet", gettext_noop("tablet")
    APP = "app", gettext_noop("the shop's app")


class PageKind(Worded):
    """What a page is for."""

    HOME = "home", gettext_noop("home page")
    PRODUCT = "product", gettext_noop("product page")
    CATEGORY = "category", gettext_noop("category page")
    SEARCH = "search", gettext_noop("search results")
    CART = "cart", gettext_noop("cart")
    CHECKOUT = "checkout", gettext_noop("checkout")
    ACCOUNT = "account", gettext_noop("account")
    OTHER = "other", gettext_noop("other page")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request's surroundings; an empty text is what is not known, and no rule that asks for it applies.

    Attributes
    ----------
    device : str
        A ``Device``.
    locale : str
        A language tag, such as ``de-AT``.
    country : str
        ISO 3166-1 alpha-2, upper case.
    campaign : str
        ``utm_campaign`` of the address by which the visitor came.
    query : str
        What was searched for on the page.
    page : str
        A ``PageKind``.
    path : str
        Of the page's address, beginning with a slash.
    """

    device: str = ""
    locale: str = ""
    country: str = ""
    campaign: str = ""
    query: str = ""
    page: str = ""
    path: str = ""


NO_VISIT: Final = Visit()
VISIT_FIELDS: Final = tuple(field.name for field in fields(Visit))


def matches_locale(wanted: Sequence[str], locale: str) -> bool:
    """Return whether a language tag is one of those, or lies below one: ``de`` holds ``de-AT``."""
    tag = locale.casefold().replace("_", "-")
    return any(tag == (each := one.casefold().replace("_", "-")) or tag.startswith(f"{each}-") for one in wanted)


def matches_campaign(wanted: Sequence[str], campaign: str) -> bool:
    """Return whether a campaign is one of those; a star at the end stands for anything: ``summer*``."""
    name = campaign.casefold()
    return bool(name) and any(
        name.startswith(each[:-1]) if (each := one.casefold()).endswith("*") else name == each for one in wanted
    )


def matches_query(wanted: Sequence[str], query: str) -> bool:
    """Return whether a search has all the words of one of those, in any order."""
    words = set(query.casefold().split())
    return any(parts <= words for one in wanted if (parts := set(one.casefold().split())))


def matches_page(wanted: Sequence[str], page: str, path: str) -> bool:
    """Return whether a page is of one of those kinds, or its path lies below one of those that begin with a slash."""
    return any(
        (path == (each := one.rstrip("/")) or path.startswith(f"{each}/") if path else False)
        if one.startswith("/")
        else one == page
        for one in wanted
    )


def device_of(user_agent: str) -> str:
    """Return what a browser says it runs on, "" for what says nothing: by "Mobi", as browsers' makers recommend.

    References
    ----------
    MDN, "Browser detection using the user agent", section "Mobile, tablet or desktop".
    """
    agent = user_agent.casefold()
    if "ipad" in agent or "tablet" in agent or ("android" in agent and "mobi" not in agent):
        return Device.TABLET.value
    if "mobi" in agent or "iphone" in agent:
        return Device.MOBILE.value
    return Device.DESKTOP.value if agent.startswith("mozilla/") else ""


def language_of(accept_language: str) -> str:
    """Return the language that a browser asks for first, "" for none."""
    best, weight = "", 0.0
    for part in accept_language.split(",")[:MAX_LANGUAGES]:
        tag, _, quality = part.strip().partition(";q=")
        try:
            said = float(quality) if quality else 1.0
        except ValueError:
            continue
        if said > weight and LANGUAGE.fullmatch(tag.strip()):
            best, weight = tag.strip(), said
    return best


def country_of(code: str) -> str:
    """Return a country code in upper case, "" for what is none, such as the ``XX`` and ``T1`` of proxies."""
    upper = code.strip().upper()
    return upper if COUNTRY.fullmatch(upper) and upper != "XX" else ""


def campaign_of(url: str) -> str:
    """Return ``utm_campaign`` of an address, "" where it has none."""
    if "utm_campaign" not in url:
        return ""
    return parse_qs(urlsplit(url).query, max_num_fields=100).get("utm_campaign", [""])[0][:MAX_CAMPAIGN]


def path_of(url: str) -> str:
    """Return the path of an address, "" for none."""
    return urlsplit(url).path[:MAX_PATH] or "/" if url else ""
