"""Commands find the site they are for by its slug, and say which there are."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tracking.management.sites import site_named, sites_named
from tracking.models import Site

pytestmark = pytest.mark.django_db


@pytest.fixture
def two() -> tuple[Site, Site]:
    return Site.objects.create(slug="shop", name="Shop"), Site.objects.create(slug="outlet", name="Outlet")


def test_a_site_is_found_by_its_slug(two: tuple[Site, Site]) -> None:
    assert site_named("outlet") == two[1]
    assert sites_named(["outlet", "shop"]) == [two[1], two[0]]
    assert sites_named(None) == list(two)


def test_the_only_site_need_not_be_named() -> None:
    only = Site.objects.create(slug="shop", name="Shop")

    assert site_named(None) == only


def test_where_there_are_several_one_must_be_named(two: tuple[Site, Site]) -> None:
    with pytest.raises(CommandError, match=r"name a site with --site; there are: outlet, shop$"):
        site_named(None)


def test_an_unknown_site_is_refused_with_the_ones_there_are(two: tuple[Site, Site]) -> None:
    with pytest.raises(CommandError, match=r"--site='nowhere' is unknown; there are: outlet, shop$"):
        sites_named(["shop", "nowhere"])


def test_an_installation_without_sites_says_so() -> None:
    with pytest.raises(CommandError, match="there are: none"):
        site_named(None)


@pytest.mark.parametrize(
    "command", [["import_items", "items.csv"], ["import_events", "log.jsonl"], ["segments"], ["drift"], ["train"]]
)
def test_every_command_refuses_an_unknown_site_alike(two: tuple[Site, Site], command: list[str]) -> None:
    with pytest.raises(CommandError, match=r"--site='nowhere' is unknown; there are: outlet, shop"):
        call_command(*command, "--site", "nowhere")


def test_a_paused_site_has_no_segments_to_score() -> None:
    Site.objects.create(slug="paused", name="Paused", is_active=False)
    with pytest.raises(CommandError, match=r"--site='paused' is not active; activate it"):
        call_command("segments", "--site", "paused")
