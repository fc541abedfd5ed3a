"""What a site declares is served at once; what was written past the forms and is wrong is left out and logged."""

from __future__ import annotations

import logging

import pytest

from recommendations.models import HttpSource
from recommendations.state.own_sources import OwnSourcesLoader, read_own_sources, watch_own_sources
from tests.recommendations.conftest import Shop

pytestmark = pytest.mark.redis

URL = "https://recs.example.com/"


def test_what_is_switched_on_is_read_and_the_same_object_while_nothing_changes(shop: Shop) -> None:
    HttpSource.objects.create(site=shop.site, name="stylist", url=URL, label="picked", weight=2.0)
    off = HttpSource.objects.create(site=shop.site, name="team_b", url=URL, is_active=False)
    loader, slug = OwnSourcesLoader(), shop.site.slug

    first, again = loader.load(slug), loader.load(slug)
    HttpSource.objects.filter(pk=off.pk).update(is_active=True)
    second = loader.load(slug)

    assert first is again
    assert (set(first.http), first.labels, first.weights) == ({"stylist"}, {"stylist": "picked"}, {"stylist": 2.0})
    assert set(second.http) == {"stylist", "team_b"}
    assert second.labels["team_b"] == "team b"


@pytest.mark.expects_errors(r"own_sources.unusable .* source=")
@pytest.mark.parametrize("wrong", [{"url": "https://10.0.0.7/"}, {"name": "popular"}, {"answer": "xml"}])
def test_what_was_written_past_the_form_is_left_out(
    shop: Shop, wrong: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    HttpSource.objects.create(**{"site": shop.site, "name": "stylist", "url": URL, **wrong})

    with caplog.at_level(logging.ERROR):
        found = read_own_sources(shop.site.slug)

    assert not found.http
    assert "own_sources.unusable" in caplog.text


def test_saving_one_changes_what_lists_are_made_from(shop: Shop) -> None:
    before = shop.load()

    HttpSource.objects.create(site=shop.site, name="stylist", url=URL)
    watch_own_sources(shop.site.slug).reload()
    after = shop.load()

    assert after.serving.number == before.serving.number + 1
    assert after.serving.for_user(None, now_ms=0).own_weights == {"stylist": 1.0}


@pytest.mark.expects_errors(r"own_sources.unusable .* source=")
def test_what_cannot_be_used_is_logged_once_and_again_when_something_else_is_wrong(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    row = HttpSource.objects.create(site=shop.site, name="stylist", url="https://10.0.0.7/")
    loader = OwnSourcesLoader()

    def logged() -> int:
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            loader.load(shop.site.slug)
        return caplog.text.count("own_sources.unusable")

    assert [logged(), logged()] == [1, 0]
    HttpSource.objects.filter(pk=row.pk).update(url="https://10.0.0.8/")
    assert [logged(), logged()] == [1, 0]
    HttpSource.objects.filter(pk=row.pk).update(url=URL)
    assert logged() == 0
    HttpSource.objects.filter(pk=row.pk).update(url="https://10.0.0.8/")
    assert logged() == 1, "it was mended meanwhile"
