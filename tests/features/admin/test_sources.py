"""The page of suspicious sources: figures, the button that forgets, and nobody else's."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from msgspec.structs import replace

from features.archive.writer import ArchiveFolder
from features.tasks import forget_source
from tests.features.making import event, record
from tests.features.privacy.lives import archive
from tracking.models import QuarantinedSource, Site

pytestmark = pytest.mark.django_db
PAGE = "admin:tracking_quarantinedsource_changelist"
FORGET = "admin:tracking_quarantinedsource_forget"
TAG = 3_000_000_017


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", password="x" * 16))
    return client


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Hold what the page asks a task worker for."""
    calls: list[Any] = []
    monkeypatch.setattr(forget_source, "apply_async", lambda args, **options: calls.append(args))
    return calls


@pytest.fixture
def shop(settings: Any, tmp_path: Path) -> Site:
    settings.ARCHIVE_URL = str(tmp_path / "archive")
    now_ms = int(time.time() * 1_000)
    records = [
        replace(
            record(event("view_item", at_ms=now_ms - number, items=["B-1"]), anonymous_id=f"{number % 30:032d}"),
            network=TAG,
        )
        for number in range(90)
    ]
    records += [
        replace(
            record(event("view_item", at_ms=now_ms - number, items=["A"]), anonymous_id=f"h{number:031d}"),
            network=1 + number,
        )
        for number in range(110)
    ]
    archive(ArchiveFolder(settings.ARCHIVE_URL), records)
    return Site.objects.create(slug="shop", name="Shop", currency="EUR")


def test_a_suspect_has_its_figures_and_a_button_that_quarantines_and_forgets_it(
    staff: Client, shop: Site, asked: list[Any]
) -> None:
    page = staff.get(reverse(PAGE)).content.decode()
    assert f"<code>{TAG}</code>" in page
    assert "45 %" in page
    assert "<code>B-1</code> · 100 % · 90" in page
    assert "<td>30</td>" in page
    assert page.count("Forget this source") == 1

    answer = staff.post(reverse(FORGET), {"site": "shop", "network": str(TAG)}, follow=True)

    row = QuarantinedSource.objects.get()
    assert (row.site, row.network, row.user_key, asked) == (shop, TAG, "", [(row.pk,)])
    page = answer.content.decode()
    assert "Forget this source" not in page
    assert "waiting" in page
    staff.post(reverse("admin:tracking_quarantinedsource_let_in", args=[row.pk]))
    assert not QuarantinedSource.objects.exists()


@pytest.mark.parametrize("said", [{}, {"network": "0"}, {"network": "x"}, {"network": "5", "user_key": "a:b"}])
def test_what_names_no_source_quarantines_nobody(
    staff: Client, shop: Site, asked: list[Any], said: dict[str, str]
) -> None:
    assert staff.post(reverse(FORGET), {"site": "shop", **said}).status_code == 404
    assert staff.get(reverse(FORGET)).status_code == 405
    assert (QuarantinedSource.objects.count(), asked) == (0, [])


def test_who_may_not_sees_nothing_and_forgets_nothing(shop: Site, asked: list[Any]) -> None:
    client = Client()
    client.force_login(get_user_model().objects.create_user("bob", password="x" * 16, is_staff=True))
    assert client.get(reverse(PAGE)).status_code == 403
    assert client.post(reverse(FORGET), {"site": "shop", "network": str(TAG)}).status_code in (403, 404)
    assert (QuarantinedSource.objects.count(), asked) == (0, [])


def test_without_a_site_or_without_suspects_it_says_so(staff: Client, settings: Any, tmp_path: Path) -> None:
    settings.ARCHIVE_URL = str(tmp_path / "archive")
    assert "No site yet" in staff.get(reverse(PAGE)).content.decode()
    Site.objects.create(slug="shop", name="Shop", currency="EUR")
    assert "Nobody took a suspicious share" in staff.get(reverse(PAGE)).content.decode()
