"""A shop's server writes its exchange rates: whole or not at all, page by page, of its own site alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from features.models import ExchangeRate
from tracking.access.sites import create_key, load_keys
from tracking.access.sites import keys as live_keys
from tracking.models import Site

pytestmark = pytest.mark.django_db
PATH = "/v1/exchange-rates"


@pytest.fixture
def secrets(settings: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    made = {}
    for slug, currency in (("shop", "EUR"), ("other", "USD")):
        site = Site.objects.create(slug=slug, name=slug, currency=currency)
        made[slug] = create_key(site, "sk")[1]
        made[f"{slug}-pk"] = create_key(site, "pk")[1]
    loaded = load_keys()
    monkeypatch.setattr(live_keys, "current", lambda: loaded)
    return made


def send(method: str, key: str, body: Any = None, **query: Any) -> Any:
    address = PATH + ("?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else "")
    more = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
    return getattr(Client(), method)(address, **more, headers={"authorization": f"Bearer {key}"})


def rate(day: str, currency: str = "JPY", rate: Any = 0.0055, **more: Any) -> dict[str, Any]:
    return {"day": day, "currency": currency, "rate": rate, **more}


def test_rates_are_written_listed_by_page_and_deleted(secrets: dict[str, str]) -> None:
    days = [f"2026-11-{number:02}" for number in range(1, 8)]
    written = send("put", secrets["shop"], {"rates": [rate(day) for day in days] + [rate(days[0], "USD", "0.86")]})
    assert written.json() == {"created": 8, "changed": 0, "unchanged": 0}
    again = send("put", secrets["shop"], {"rates": [rate(days[0]), rate(days[1], rate=0.0056)]})
    assert again.json() == {"created": 0, "changed": 1, "unchanged": 1}
    listed, after = [], ""
    while after is not None:
        page = send("get", secrets["shop"], after=after, limit=3).json()
        listed += page["rates"]
        after = page["next"]
    assert [(one["day"], one["currency"]) for one in listed] == [
        (days[0], "JPY"), (days[0], "USD"), *((day, "JPY") for day in days[1:]),
    ]  # fmt: skip
    assert listed[1] == {"day": days[0], "currency": "USD", "worth_in": "EUR", "rate": 0.86}
    assert send("get", secrets["shop"], currency="JPY", first=days[5]).json()["rates"] == listed[-2:]
    assert send("delete", secrets["shop"], currency="JPY", last=days[1]).json() == {"deleted": 2}
    assert send("delete", secrets["shop"]).json() == {"deleted": 6}


def test_rates_are_of_the_site_of_the_key(secrets: dict[str, str]) -> None:
    send("put", secrets["shop"], {"rates": [rate("2026-11-27")]})
    send("put", secrets["other"], {"rates": [rate("2026-11-27")]})
    assert [one["worth_in"] for one in send("get", secrets["other"]).json()["rates"]] == ["USD"]
    assert send("delete", secrets["other"]).json() == {"deleted": 1}
    assert ExchangeRate.objects.get().site.slug == "shop"


@pytest.mark.parametrize(
    ("rates", "field", "words"),
    [
        ([rate("2026-11-27"), rate("27/11/2026")], "rates[1].day", "is not a day"),
        ([rate("2026-11-27", "EURO")], "rates[0].currency", "no currency of ISO 4217"),
        ([rate("2026-11-27", rate="x"), rate("y")], "rates[0].rate", "1 more are wrong"),
        ([rate("2026-11-27", worth_in="EURO")], "rates[0].worth_in", "no currency"),
        ([rate("2026-11-27", source="bank")], "rates[0].source", "is not a field of a rate"),
        ([], "rates", "at least 1"),
        ("x", "rates", "list"),
    ],
)
def test_one_bad_rate_refuses_all_and_is_named(secrets: dict[str, str], rates: Any, field: str, words: str) -> None:
    answer = send("put", secrets["shop"], {"rates": rates})
    assert (answer.status_code, answer.json()["error"], answer.json()["field"]) == (400, "invalid_request", field)
    assert words in answer.json()["message"]
    assert not ExchangeRate.objects.exists()


@pytest.mark.parametrize(
    "query", [{"after": "x"}, {"after": "2026-13-45/USD/EUR"}, {"currency": "euro"}, {"first": "x"}, {"curency": "EUR"}]
)
def test_a_bad_query_is_refused(secrets: dict[str, str], query: dict[str, str]) -> None:
    answer = send("get", secrets["shop"], **query)
    assert (answer.status_code, answer.json()["field"]) == (400, next(iter(query)))


def test_only_secret_keys_may(secrets: dict[str, str]) -> None:
    for method in ("get", "put", "delete"):
        body = {"rates": [rate("2026-11-27")]} if method == "put" else None
        assert send(method, secrets["shop-pk"], body).status_code == 403
