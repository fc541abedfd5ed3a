from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from features.feeds import upsert_items
from features.models import FeedRun, Item
from tracking.models import Site
from tracking.snapshots import snapshot

LIST = "admin:features_item_changelist"


@pytest.fixture
def site(db: None) -> Site:
    site = Site.objects.create(slug="shop", name="Shop", currency="EUR")
    upsert_items(
        site,
        [
            {"item_id": "mug", "title": "Blue mug", "brand": "Kiln", "category": "Kitchen > Mugs", "price": 12.99},
            {"item_id": "pan", "title": "Iron pan", "brand": "Ember", "category": "Kitchen > Pans", "stock": 0},
            {
                "item_id": "tent",
                "title": "Small tent",
                "category": "Camping",
                "is_active": False,
                "image_url": "/t.svg",
            },
        ],
    )
    return site


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(get_user_model().objects.create_superuser("admin", "", "x" * 20))
    return client


def listed(staff: Client, **query: str) -> set[str]:
    found = staff.get(reverse(LIST), query)
    assert found.status_code == 200
    return {item.item_id for item in found.context["cl"].result_list}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"mug", "pan", "tent"}),
        ({"q": "blue"}, {"mug"}),
        ({"q": "pan"}, {"pan"}),
        ({"q": "Kiln"}, {"mug"}),
        ({"category": "Kitchen"}, {"mug", "pan"}),
        ({"category": "Kitchen > Mugs"}, {"mug"}),
        ({"brand": "Ember"}, {"pan"}),
        ({"recommendable": "no"}, {"pan", "tent"}),
        ({"recommendable": "yes"}, {"mug"}),
    ],
)
def test_items_are_found(site: Site, staff: Client, query: dict[str, str], expected: set[str]) -> None:
    assert listed(staff, **query) == expected


def test_list_shows_picture_price_and_state(site: Site, staff: Client) -> None:
    page = staff.get(reverse(LIST)).content.decode()

    assert "/t.svg" in page
    assert "12.99 EUR" in page
    assert "sold out" in page
    assert "inactive" in page


def test_titles_are_escaped(site: Site, staff: Client) -> None:
    Item.objects.filter(item_id="mug").update(
        title="<script>alert(1)</script>", image_url='"><img src=x onerror=alert(1)>'
    )

    page = staff.get(reverse(LIST)).content.decode()

    assert "<script>alert(1)" not in page
    assert "<img src=x onerror" not in page


@pytest.mark.parametrize(
    ("action", "item_id", "expected"),
    [
        ("sell_out", "mug", False),
        ("put_in_stock", "pan", True),
        ("deactivate", "mug", False),
        ("activate", "tent", True),
    ],
)
def test_actions_change_what_is_recommendable_and_announce_it(
    site: Site,
    staff: Client,
    action: str,
    item_id: str,
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    item = Item.objects.get(item_id=item_id)
    heard: list[str] = []
    monkeypatch.setattr(snapshot, "announce_now", heard.append)

    with django_capture_on_commit_callbacks(execute=True):
        staff.post(reverse(LIST), {"action": action, "_selected_action": [item.pk]})

    changed = Item.objects.get(item_id=item_id)
    assert changed.is_recommendable is expected
    assert changed.updated_at > item.updated_at
    assert "catalogue:shop" in heard


def form_of(item: Item, **changes: Any) -> dict[str, Any]:
    return {
        "site": item.site_id, "item_id": item.item_id, "title": item.title, "titles": "{}", "description": "",
        "brand": item.brand, "category": item.category, "url": "", "image_url": "", "currency": "EUR", "price": "12.99",
        "availability": "in_stock", "stock": "", "group_id": "", "attributes": "{}", "is_active": "on", "words": "",
        **changes,
    }  # fmt: skip


def test_prices_are_edited_in_the_main_unit(site: Site, staff: Client) -> None:
    item = Item.objects.get(item_id="mug")
    address = reverse("admin:features_item_change", args=[item.pk])
    shown = staff.get(address).context["adminform"].form.initial["price"]

    staff.post(address, form_of(item, sale_price="9.50", words="new, blue, new"))

    item.refresh_from_db()
    assert shown == Decimal("12.99")
    assert (item.price_minor, item.sale_price_minor, item.tags) == (1299, 950, ["new", "blue"])


@pytest.mark.parametrize(
    ("currency", "price", "minor", "words"),
    [
        ("KWD", "1.250", 1_250, ""),
        ("jpy", "6000", 6_000, ""),
        ("KWD", "1.2505", None, "more decimals than KWD, which has 3"),
        ("JPY", "0.5", None, "more decimals than JPY, which has 0"),
        ("XYZ", "1", None, "no currency of ISO 4217"),
    ],
)
def test_prices_have_the_decimals_of_their_currency(
    site: Site, staff: Client, currency: str, price: str, minor: int | None, words: str
) -> None:
    item = Item.objects.get(item_id="pan")
    address = reverse("admin:features_item_change", args=[item.pk])
    form = staff.get(address).context["adminform"].form
    data = {name: value for name, value in form.initial.items() if value is not None} | {
        "site": site.pk, "titles": "{}", "attributes": "{}", "words": "", "price": price, "currency": currency,
    }  # fmt: skip
    page = staff.post(address, data)
    item.refresh_from_db()
    assert item.price_minor == minor
    if words:
        assert words in page.content.decode()
    else:
        assert (item.currency, page.status_code) == (currency.upper(), 302)
        assert str(staff.get(address).context["adminform"].form.initial["price"]) == price


def test_a_sale_that_ends_before_it_begins_is_refused(site: Site, staff: Client) -> None:
    item = Item.objects.get(item_id="mug")
    period = {"sale_starts_at_0": "2020-02-01", "sale_starts_at_1": "00:00", "sale_ends_at_0": "2020-01-01",
              "sale_ends_at_1": "00:00"}  # fmt: skip
    address = reverse("admin:features_item_change", args=[item.pk])

    page = staff.post(address, form_of(item, sale_price="9.50", **period))
    assert "a sale ends after it began" in page.content.decode()

    staff.post(address, form_of(item, sale_price="9.50", **period | {"sale_ends_at_0": "2020-03-01"}))
    item.refresh_from_db()
    assert item.sale_ends_at == datetime(2020, 3, 1, tzinfo=UTC)
    assert "<s>12.99 EUR</s>" not in staff.get(reverse(LIST)).content.decode()


def test_a_sale_above_the_price_is_refused(site: Site, staff: Client) -> None:
    item = Item.objects.get(item_id="mug")

    page = staff.post(reverse("admin:features_item_change", args=[item.pk]), form_of(item, sale_price="20"))

    assert "must be lower" in page.content.decode()
    item.refresh_from_db()
    assert item.sale_price_minor is None


def test_an_upload_is_loaded_and_its_bad_rows_shown(site: Site, staff: Client) -> None:
    file = SimpleUploadedFile("feed.csv", b"item_id,title,price\nnew,New mug,5\nbad,<b>Bad</b>,dear\n")

    page = staff.post(
        reverse("admin:features_feed_file"), {"site": site.pk, "file": file, "file_format": ""}, follow=True
    )

    text = page.content.decode()
    assert Item.objects.get(item_id="new").price_minor == 500
    assert FeedRun.objects.get().rejected_rows == 1
    assert "dear" in text
    assert "is not an amount" in text


def test_an_upload_of_something_else_says_so(site: Site, staff: Client) -> None:
    file = SimpleUploadedFile("holiday.jpg", b"\xff\xd8\xff\xe0" + b"\x00" * 100)

    page = staff.post(reverse("admin:features_feed_file"), {"site": site.pk, "file": file}, follow=True)

    run = FeedRun.objects.get()
    assert page.status_code == 200
    assert run.status == FeedRun.Status.FAILED
    assert "is a picture" in run.error


def test_screens_are_for_staff(site: Site, client: Client) -> None:
    for name in (LIST, "admin:features_feed_file", "admin:features_feedrun_changelist"):
        assert client.get(reverse(name)).status_code == 302
