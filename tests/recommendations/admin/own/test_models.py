"""The page of a site's own ONNX models: what is installed, whether it answers, and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from recommendations.inference.own_model import MODEL
from recommendations.models import Placement
from recommendations.state.own_models import watch_own_models
from recommendations.versions.own_models import installed_models
from tests.recommendations.conftest import Shop
from tests.recommendations.own_models import write_model
from tracking.snapshots import by_site

pytestmark = [pytest.mark.redis, pytest.mark.filterwarnings("ignore:No directory at")]
PAGE = "admin:recommendations_modelversion_own"


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.MODEL_DIR = tmp_path / "models"


def install(shop: Shop, folder: Path) -> None:
    model, items = write_model(folder)
    call_command(
        "own_model", "install", "--site", shop.site.slug, "--name", "mine", "--label", "Our own",
        "--model", str(model), "--items", str(items), "--budget-ms", "50",
    )  # fmt: skip
    watch_own_models(shop.site.slug).reload()


def test_without_one_the_page_says_how_one_is_installed(shop: Shop, admin: Client) -> None:
    page = admin.get(reverse(PAGE))

    assert page.context["rows"] == []
    assert f"own_model install --site {shop.site.slug}" in page.content.decode()
    assert reverse(PAGE) == admin.get(reverse("admin:recommendations_modelversion_open_own_models"))["Location"]


def test_an_installed_model_is_shown_with_who_uses_it(shop: Shop, admin: Client, tmp_path: Path) -> None:
    install(shop, tmp_path / "a")
    Placement.objects.filter(site=shop.site, name="home_trending").update(sources=["+mine"])

    page = admin.get(reverse(PAGE))

    (row,) = page.context["rows"]
    assert [row["name"], row["label"], row["state"], row["budget_ms"]] == ["mine", "Our own", "answers", 50.0]
    assert [placement.name for placement in row["used_by"]] == ["home_trending"]
    assert not page.context["is_refused"]


@pytest.mark.expects_errors("own_models.refused")
def test_a_model_that_was_changed_behind_is_said_to_be_refused(shop: Shop, admin: Client, tmp_path: Path) -> None:
    install(shop, tmp_path / "a")
    (installed_models(shop.site.slug)["mine"] / MODEL).write_bytes(b"no graph")
    by_site.close_all()  # as another process, which has never loaded it

    page = admin.get(reverse(PAGE))

    assert [row["state"] for row in page.context["rows"]] == ["refused"]
    assert "own_models.refused" in page.content.decode()


def test_who_may_not_see_versions_is_refused(shop: Shop, client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("nobody", password=None, is_staff=True))

    assert client.get(reverse(PAGE)).status_code == 403
