"""Services of a shop as engineers declare them: an address that is looked at, a secret that is not shown, a try."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.models import HttpSource, Placement
from recommendations.retrieval.outside.breaker import Breaker
from recommendations.serving.outside.report import Reporter
from recommendations.state.own_sources import watch_own_sources
from tests.recommendations.conftest import Shop
from tests.recommendations.outside_service import Service, running
from tracking.models import AuditEntry

pytestmark = pytest.mark.redis

ADD = "admin:recommendations_httpsource_add"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with running(tmp_path, monkeypatch) as made:
        yield made


def form(shop: Shop, **changes: Any) -> dict[str, Any]:
    return {
        "site": shop.site.pk, "name": "stylist", "label": "picked by a stylist", "is_active": "on",
        "url": "https://recs.example.com/candidates", "secret": "top-s3cret", "answer": "ids", "budget_ms": "500",
        "weight": "1", **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"url": "https://10.0.0.7/"}, "url", "private address"),
        ({"url": "http://recs.example.com/"}, "url", "start the address with https://"),
        ({"name": "popular"}, "name", "every site has"),
        ({"budget_ms": "501"}, "budget_ms", "500"),
    ],
)
def test_what_could_not_be_asked_is_not_saved(
    shop: Shop, admin: Client, changes: dict[str, str], field: str, says: str
) -> None:
    answer = admin.post(reverse(ADD), form(shop, **changes))

    assert says in str(answer.context["adminform"].form.errors[field])
    assert not HttpSource.objects.exists()


def test_a_secret_is_written_stays_and_is_shown_nowhere(shop: Shop, admin: Client) -> None:
    assert admin.post(reverse(ADD), form(shop)).status_code == 302
    source = HttpSource.objects.get()
    change = reverse("admin:recommendations_httpsource_change", args=[source.pk])

    page = admin.get(change).content.decode()
    admin.post(change, form(shop, secret="", budget_ms="30"))

    source.refresh_from_db()
    assert (source.secret, source.budget_ms) == ("top-s3cret", 30)
    assert "top-s3cret" not in page
    assert not [entry for entry in AuditEntry.objects.all() if "top-s3cret" in str(vars(entry))]


def test_placements_may_name_it_alone_and_beside_others_once_it_is_there(shop: Shop, admin: Client) -> None:
    from tests.recommendations.admin.test_placements import FORM

    placement = Placement.objects.get(site=shop.site, name="home_for_you")
    change = reverse("admin:recommendations_placement_change", args=[placement.pk])

    refused = admin.post(change, {**FORM, "sources": "+stylist"})
    admin.post(reverse(ADD), form(shop))
    taken = admin.post(change, {**FORM, "sources": "+stylist"})
    source = HttpSource.objects.get()
    page = admin.get(reverse("admin:recommendations_httpsource_change", args=[source.pk])).content.decode()

    assert "is not one of" in str(refused.context["adminform"].form.errors["sources"])
    assert taken.status_code == 302
    assert "home_for_you" in page


def test_how_it_does_is_seen_for_each_process(shop: Shop, admin: Client) -> None:
    admin.post(reverse(ADD), form(shop))
    source = HttpSource.objects.get()
    breaker = Breaker(shop.site.slug, "stylist")
    for _ in range(5):
        breaker.failed("slow", "no answer within 20 ms")
    reporter = Reporter()
    reporter.note(breaker)
    reporter.stop()

    listed = admin.get(reverse("admin:recommendations_httpsource_changelist")).content.decode()
    page = admin.get(reverse("admin:recommendations_httpsource_change", args=[source.pk])).content.decode()

    assert "left alone after failures" in listed
    assert "no answer within 20 ms" in page
    assert "slow 5" in page


def test_it_is_tried_for_a_visit_and_shows_what_was_sent_and_what_came(
    shop: Shop, admin: Client, service: Service
) -> None:
    for number in range(4):
        shop.add(f"sku{number}", title=f"Boot {number}")
    source = HttpSource.objects.create(site=shop.site, name="stylist", url=service.url, budget_ms=500)
    shop.load()
    url = reverse("admin:recommendations_httpsource_try", args=[source.pk])

    empty = admin.get(url)
    looked = admin.get(url, {"session": "sku0\nsku3", "placement": "home_for_you"})
    good = admin.post(url, {"session": "sku0\nsku3", "placement": "home_for_you"})
    service.mode = "error"
    bad = admin.post(url, {"session": "sku0"})

    assert not service.bodies[2:]
    assert "took_ms" not in empty.context
    assert "took_ms" not in looked.context, "an address alone asks nobody"
    assert [card.title for card, _ in good.context["items"]] == ["Boot 1", "Boot 2"]
    assert service.bodies[0]["users"][0]["session"] == ["sku3", "sku0"]
    assert "&quot;session&quot;" in good.content.decode()
    assert "the service answered 500; answer 200" in bad.content.decode()


def test_a_list_of_the_preview_has_its_items(shop: Shop, admin: Client, service: Service) -> None:
    for number in range(4):
        shop.add(f"sku{number}")
    HttpSource.objects.create(
        site=shop.site, name="stylist", label="Chosen by the stylist", url=service.url, budget_ms=500
    )
    placement = Placement.objects.get(site=shop.site, name="home_trending")
    placement.sources = ["stylist"]
    placement.save()
    watch_own_sources(shop.site.slug).reload()
    shop.load()

    answer = admin.get(
        reverse("admin:recommendations_placement_preview", args=[placement.pk]), {"context_item": "sku0"}
    )

    assert [shown.why.reason for shown in answer.context["after"]][:2] == ["stylist", "stylist"]
    assert answer.context["after"][0].because == "Chosen by the stylist"
