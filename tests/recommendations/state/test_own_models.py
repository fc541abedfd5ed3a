"""Models of a site's own: loaded as they are installed, held to their fence, and never replaced by one that fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recommendations.core.deadline import Deadline
from recommendations.core.types import RequestUser
from recommendations.inference.own_model import ITEMS, MODEL
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.pipeline.retrieve import KEPT_MS
from recommendations.retrieval.base import ServingContext
from recommendations.state.own_models import OwnModelsLoader
from recommendations.versions.own_models import OwnModelOptions, installed_models, put_model, remove_model
from tests.recommendations.own_models import write_model
from tests.recommendations.worlds import NOW_MS, item_index

ENOUGH_MS = 30_000.0


@pytest.fixture(autouse=True)
def model_dir(settings: Any, tmp_path: Path) -> None:
    settings.MODEL_DIR = tmp_path / "models"


def put(folder: Path, name: str = "mine", **changes: Any) -> Path:
    model, items = write_model(folder, **changes)
    return put_model("shop", name, {MODEL: model, ITEMS: items}, OwnModelOptions(label="ours", budget_ms=ENOUGH_MS))


def test_a_model_is_loaded_proposes_rows_and_goes_when_it_is_removed(tmp_path: Path) -> None:
    loader = OwnModelsLoader("shop")
    assert loader.load() is loader.load()
    put(tmp_path / "a", ids=["sku3", "gone", "sku1", "sku0", "sku2", "sku4"])

    loaded = loader.load()
    mine = loaded.by_name["mine"]
    on = item_index(n=5)
    context = ServingContext(item_index=on, model=None, now_ms=NOW_MS)
    found = mine.fenced.retrieve(on.rows(["sku3"]), None, context, window="24h")  # type: ignore[arg-type]  # not looked at

    assert [on.item_id(row) for row in found.rows] == ["sku1"]  # item 2 is gone from the catalogue
    assert (mine.fenced.label, mine.weight) == ("ours", 1.0)
    assert loader.load() is loaded
    assert remove_model("shop", "mine")
    assert not loader.load().by_name
    assert not remove_model("shop", "mine")


def test_a_new_version_takes_over(tmp_path: Path) -> None:
    loader = OwnModelsLoader("shop")
    first = put(tmp_path / "a")
    loader.load()
    second = put(tmp_path / "b", scores=[[5.0, 4.0]] * 7)
    assert loader.load().by_name["mine"].folder == second != first
    assert first.is_dir()  # a process that is about to open it finds it


@pytest.mark.expects_errors(r"own_models.refused .*no graph")
def test_one_that_cannot_be_loaded_leaves_the_one_before_and_is_logged_once(tmp_path: Path) -> None:
    loader = OwnModelsLoader("shop")
    put(tmp_path / "a")
    before = loader.load()
    torn = put(tmp_path / "b", scores=[[6.0, 5.0]] * 7)
    (torn / MODEL).write_bytes(b"torn")

    assert loader.load() is before
    assert loader.load() is before
    assert installed_models("shop")["mine"] == torn


def test_a_list_has_its_items_within_the_fence(tmp_path: Path) -> None:
    put(tmp_path / "a")
    mine = OwnModelsLoader("shop")
    fenced = mine.load().by_name["mine"].fenced
    on = item_index(n=6)
    context = ServingContext(item_index=on, model=None, now_ms=NOW_MS, own={"mine": fenced})
    query = ListQuery(placement=PlacementSpec(name="p", sources=("mine",), fallback="empty"), limit=4)
    user = RequestUser(recents=("sku0",), session=("sku0",))

    made = recommend(query, user, context, deadline=Deadline.after(ENOUGH_MS + KEPT_MS))
    late = recommend(query, user, context, deadline=Deadline.after(0.0))
    fenced.stop()
    again = recommend(query, user, context, deadline=Deadline.after(ENOUGH_MS + KEPT_MS))

    assert [on.item_id(row) for row in made.rows] == ["sku1", "sku2"] == [on.item_id(row) for row in again.rows]
    assert not late.rows
