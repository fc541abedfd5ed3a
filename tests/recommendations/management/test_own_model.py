"""``manage.py own_model``: nothing that breaks the contract is installed, and what is can be listed and removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from recommendations.models import Leaderboard
from recommendations.versions.own_models import installed_models
from tests.recommendations.own_models import NEIGHBOURS, write_model
from tracking.models import Site

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def site(settings: Any, tmp_path: Path) -> Site:
    settings.MODEL_DIR = tmp_path / "models"
    return Site.objects.create(slug="shop", name="Shop")


def run(do: str, *more: str, files: tuple[Path, Path] | None = None) -> None:
    given = () if files is None else ("--model", str(files[0]), "--items", str(files[1]), "--budget-ms", "50")
    call_command("own_model", do, *given, *more)


def test_a_model_is_checked_installed_listed_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = write_model(tmp_path / "a")

    run("check", files=files)
    assert not installed_models("shop")
    run("install", "--site", "shop", "--name", "mine", "--label", "ours", files=files)
    run("list", "--site", "shop")
    said = capsys.readouterr().out
    run("remove", "--site", "shop", "--name", "mine")

    assert "model.onnx keeps the contract" in said
    assert "Installed as mine of shop" in said
    assert "ours" in said
    assert not installed_models("shop")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--name", "Mine"], "'Mine' is no name"),
        (["--name", "popular"], "another source or reason"),
        (["--name", "board"], "another source or reason"),
        (["--name", "mine", "--budget-ms", "51"], "at most 50"),
        (["--name", "mine", "--items", "/none"], "--items /none is no file"),
        (["--name", "mine", "--budget-ms", "0.000001"], "its budget is 1e-06 ms. Quantise it"),
    ],
)
def test_what_cannot_be_installed_says_why(tmp_path: Path, site: Site, more: list[str], says: str) -> None:
    Leaderboard.objects.create(site=site, name="board", formula="price")

    with pytest.raises(CommandError, match=says):
        run("install", "--site", "shop", *more, files=write_model(tmp_path / "a"))

    assert not installed_models("shop")


def test_a_model_that_breaks_the_contract_is_not_installed(tmp_path: Path) -> None:
    table = NEIGHBOURS.copy()
    table[1] = [2, 99]

    with pytest.raises(CommandError, match=r"^model\.onnx answers item 99"):
        run("install", "--site", "shop", "--name", "mine", files=write_model(tmp_path / "a", table=table))

    assert not installed_models("shop")


def test_what_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(CommandError, match="has no model 'mine'; there are: none"):
        run("remove", "--site", "shop", "--name", "mine")
