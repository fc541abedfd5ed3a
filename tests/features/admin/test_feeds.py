"""Feeds in the admin: what columns mean, and a whole catalogue that waits for a person."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from features.feeds import upsert_items
from features.models import Feed, FeedRun, Item
from tracking.models import Site

FOREIGN = b"Artikel;Bezeichnung;Verkaufspreis;Farbe\n7;Becher;9,50;rot\n8;Teller;4,50;blau\n"


@pytest.fixture
def site(db: None) -> Site:
    return Site.objects.create(slug="shop", name="Shop", currency="EUR")


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(get_user_model().objects.create_superuser("admin", "", "x" * 20))
    return client


def upload(staff: Client, site: Site, data: bytes, **chosen: object) -> FeedRun:
    file = SimpleUploadedFile("export.csv", data)
    page = staff.post(reverse("admin:features_feed_file"), {"site": site.pk, "file": file, **chosen}, follow=True)
    assert page.status_code == 200
    return FeedRun.objects.latest("pk")


def test_columns_of_a_foreign_file_are_said_once_and_kept(site: Site, staff: Client) -> None:
    run = upload(staff, site, FOREIGN)
    assert run.status == FeedRun.Status.FAILED
    assert "Verkaufspreis" in run.error

    page = staff.post(reverse("admin:features_feedrun_map", args=[run.pk]), follow=True)
    text = page.content.decode()
    assert all(name in text for name in ("Artikel", "Becher", "Rows cannot be told apart", "Not used now"))
    chosen = {"column-0": "item_id", "column-1": "title", "column-2": "price", "column-3": "-"}
    feed = Feed.objects.get()
    staff.post(reverse("admin:features_feed_columns", args=[feed.pk]), chosen)
    feed.refresh_from_db()
    assert feed.mapping == {"Artikel": "item_id", "Bezeichnung": "title", "Verkaufspreis": "price", "Farbe": ""}

    again = upload(staff, site, FOREIGN, feed=feed.pk)
    assert again.status == FeedRun.Status.DONE
    assert list(Item.objects.values_list("item_id", "title", "price_minor")) == [
        ("7", "Becher", 950),
        ("8", "Teller", 450),
    ]
    assert "Farbe" in again.report["ignored_fields"]


def test_one_field_is_not_two_columns(site: Site, staff: Client) -> None:
    run = upload(staff, site, FOREIGN)
    staff.post(reverse("admin:features_feedrun_map", args=[run.pk]))
    feed = Feed.objects.get()

    page = staff.post(
        reverse("admin:features_feed_columns", args=[feed.pk]), {"column-0": "title", "column-1": "title"}
    )

    assert "already; choose one of them" in page.content.decode()
    feed.refresh_from_db()
    assert feed.mapping == {}


def test_a_feed_of_another_site_is_refused(site: Site, staff: Client) -> None:
    other = Feed.objects.create(site=Site.objects.create(slug="other", name="Other"), name="Theirs")
    file = SimpleUploadedFile("export.csv", b"id,title\n1,Mug\n")

    page = staff.post(reverse("admin:features_feed_file"), {"site": site.pk, "file": file, "feed": other.pk})

    assert "choose a feed of" in page.content.decode()
    assert not Item.objects.exists()


@pytest.fixture
def waiting(site: Site, staff: Client) -> FeedRun:
    upsert_items(site, [{"item_id": str(number), "title": "Item"} for number in range(10)])
    return upload(staff, site, b"id,title\n1,Item\n", complete="on")


def test_a_whole_catalogue_that_lost_most_items_waits_for_a_person(waiting: FeedRun, staff: Client) -> None:
    assert waiting.status == FeedRun.Status.WAITING
    assert Item.objects.filter(is_active=True).count() == 10
    page = staff.get(reverse("admin:features_feedrun_change", args=[waiting.pk])).content.decode()
    assert "9 items wait for a person" in page

    approve = reverse("admin:features_feedrun_approve", args=[waiting.pk])
    assert staff.get(approve).status_code == 405
    staff.post(approve)

    waiting.refresh_from_db()
    assert (waiting.status, waiting.deactivated_items, waiting.missing_ids) == (FeedRun.Status.DONE, 9, [])
    assert list(Item.objects.filter(is_active=True).values_list("item_id", flat=True)) == ["1"]


def test_a_newer_load_replaces_one_that_waits(waiting: FeedRun, site: Site, staff: Client) -> None:
    whole = "id,title\n" + "".join(f"{number},Item\n" for number in range(10))
    upload(staff, site, whole.encode(), complete="on")

    page = staff.post(reverse("admin:features_feedrun_approve", args=[waiting.pk]), follow=True)

    assert "replaced by a newer one" in page.content.decode()
    assert Item.objects.filter(is_active=True).count() == 10


def test_the_command_maps_waits_and_approves(site: Site, tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    path = f"{tmp_path}/export.csv"
    with open(path, "wb") as handle:
        handle.write(FOREIGN)
    upsert_items(site, [{"item_id": str(number), "title": "Item"} for number in range(6)])
    with pytest.raises(CommandError, match=r"the price was not understood: is it 'Verkaufspreis'"):
        call_command("import_items", path, site="shop")
    mapped = {"map": ["Artikel=item_id", "Bezeichnung=title", "Verkaufspreis=price"], "complete": True}

    call_command("import_items", path, site="shop", **mapped)
    assert Item.objects.filter(is_active=True).count() == 8
    call_command("import_items", path, site="shop", approve=True, **mapped)

    assert Item.objects.filter(is_active=True).count() == 2
    said = capsys.readouterr().out
    assert "columns not used: Farbe" in said
    assert "6 deactivated" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [({"feed": "None such"}, "is not a feed of shop"), ({"map": ["Farbe=colour of it"]}, "is not COLUMN=FIELD"),
     ({"most_deactivated": 101.0}, "is not a share")],
)  # fmt: skip
def test_the_command_says_what_is_wrong_with_its_options(site: Site, options: dict[str, object], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("import_items", "x.csv", site="shop", **options)
