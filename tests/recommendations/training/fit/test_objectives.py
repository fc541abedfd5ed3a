"""Of a shop where one item is looked at, one is bought and one is dear, each objective finds its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from recommendations.core.deadline import Deadline
from recommendations.core.manifest import read_manifest
from recommendations.core.objectives import Weights
from recommendations.core.types import RequestUser
from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.inference.golden_check import check_answers
from recommendations.inference.model_set import ModelSet
from recommendations.items.index import ItemIndex
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.ranking.columns import COLUMNS
from recommendations.retrieval.base import ServingContext
from recommendations.retrieval.model import ModelLink
from recommendations.training.data.building import log_from_frame
from recommendations.training.data.dataset import Kind, SessionLog
from recommendations.training.data.split import later_in_session, points_at_every_position
from recommendations.training.fitted import FittedModelSet
from recommendations.training.settings import TrainingSettings
from recommendations.training.train import train_model_set
from tests.recommendations.worlds import catalogue, item_row

LINES, HOUR_MS = 10, 3_600_000
SETTINGS = TrainingSettings(
    factors=8,
    als_iterations=3,
    trees=30,
    min_queries=50,
    tuning_queries=200,
    num_threads=1,
    refit=False,
    held_out=0.2,
    validation=0.5,
)
KINDS = ("look", "buy", "dear", "line")
PRICES = {"look": 1_000, "buy": 1_000, "dear": 9_000, "line": 1_000}


def shop_log(sessions: int = 4_000) -> SessionLog:
    """Everybody looks at a line, then mostly at its "look"; its "buy" is bought by a third, its "dear" by a twelfth."""
    rng = np.random.default_rng(9)
    rows = []
    for session in range(sessions):
        line, start = int(rng.integers(LINES)), session * HOUR_MS
        chance = rng.random()
        seen = [f"line{line}", f"look{line}" if chance < 0.6 else f"buy{line}" if chance < 0.9 else f"dear{line}"]
        steps = [(item, "view") for item in seen]
        steps += [(f"buy{line}", "purchase")] if rng.random() < 0.33 else []
        steps += [(f"dear{line}", "purchase")] if rng.random() < 0.08 else []
        rows += [(f"s{session}", start + step, item, kind) for step, (item, kind) in enumerate(steps)]
    return log_from_frame(pl.DataFrame(rows, schema=["session_id", "occurred_at_ms", "item_id", "kind"], orient="row"))


@pytest.fixture(scope="module")
def fitted() -> FittedModelSet:
    return train_model_set(shop_log(), settings=SETTINGS)


@pytest.fixture(scope="module")
def folder(fitted: FittedModelSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("versions") / "v1"
    export_model_set(fitted, path, targets=frozenset({Target.CPU}))
    return path


@pytest.fixture(scope="module")
def serving(folder: Path) -> ServingContext:
    rows = [
        item_row(n, item_id=f"{kind}{line}", price_minor=PRICES[kind], cost_minor=PRICES[kind] // 2)
        for n, (kind, line) in enumerate((kind, line) for kind in KINDS for line in range(LINES))
    ]
    index = ItemIndex(catalogue(*rows))
    model = ModelSet.load(folder, providers="cpu", ranker_columns=COLUMNS)
    return ServingContext(item_index=index, model=ModelLink(model, index, version="v1"), now_ms=1)


def listed(serving: ServingContext, objectives: Weights, *, line: int = 3, limit: int = 8) -> list[str | None]:
    """Return the list of somebody who looked at a line."""
    seen = (f"line{line}",)
    made = recommend(
        ListQuery(placement=PlacementSpec(name="home", size=limit, objectives=objectives), limit=limit),
        RequestUser(key="a:1", recents=seen, session=seen),
        serving,
        deadline=Deadline.after(60_000.0),
    )
    assert made.fallback_reason is None
    return [serving.item_index.item_id(row) for row in made.rows]


def test_what_came_later_is_of_the_same_session_from_the_next_item_on() -> None:
    frame = pl.DataFrame(
        [("s", 1, "a", "purchase"), ("s", 2, "b", "view"), ("s", 3, "c", "cart"), ("s", 4, "a", "purchase"),
         ("t", 5, "a", "view"), ("t", 6, "b", "view")],
        schema=["session_id", "occurred_at_ms", "item_id", "kind"], orient="row",
    )  # fmt: skip
    log = log_from_frame(frame)
    points = points_at_every_position(log)

    def pairs(least: Kind) -> list[tuple[int, str]]:
        keys = later_in_session(points, log, least=least)
        return [(int(key >> 32), log.item_ids[key & 0xFFFFFFFF]) for key in keys]

    assert pairs(Kind.PURCHASE) == [(0, "a"), (1, "a"), (2, "a")]
    assert pairs(Kind.CART) == [(0, "a"), (0, "c"), (1, "a"), (1, "c"), (2, "a")]
    assert len(pairs(Kind.VIEW)) == 7


@pytest.mark.slow
def test_each_objective_puts_its_own_item_first(serving: ServingContext) -> None:
    assert listed(serving, (("purchase", 1.0),))[0] == "buy3"
    assert listed(serving, (("revenue", 1.0),))[0] == "dear3", "a twelfth of 90 is more than a third of 10"
    assert "look3" in listed(serving, (("click", 1.0),))[:2]


@pytest.mark.slow
def test_clicks_alone_are_the_order_as_it_was_learnt(serving: ServingContext) -> None:
    for line in range(LINES):
        assert listed(serving, (("click", 100.0),), line=line) == listed(serving, (), line=line)


@pytest.mark.slow
def test_a_growing_weight_moves_an_item_up_and_never_down(serving: ServingContext) -> None:
    positions = [
        listed(serving, (("click", 100.0 - weight), ("revenue", float(weight)))).index("dear3")
        for weight in range(0, 101, 10)
    ]
    assert positions == sorted(positions, reverse=True)
    assert positions[0] > positions[-1] == 0


@pytest.mark.slow
def test_chances_are_right_on_the_held_out_time(fitted: FittedModelSet) -> None:
    assert fitted.ranker is not None
    for name, learnt in fitted.ranker.objectives.items():
        assert learnt.error is not None, name
        assert learnt.rate, name
        assert learnt.error < 0.35 * learnt.rate, (name, learnt.error, learnt.rate)
        assert len(learnt.reliability) > 3
        assert fitted.metrics["ranker"][f"calibration_error|objective={name}"] == learnt.error
    assert fitted.ranker.objectives["purchase"].rate < fitted.ranker.objectives["click"].rate


@pytest.mark.slow
def test_the_manifest_holds_them_and_the_golden_check_asks_their_trees(folder: Path) -> None:
    ranker = read_manifest(folder).ranker
    assert ranker is not None
    assert all(entry.is_learnt for entry in ranker.objectives.values())
    assert {name: entry.graph for name, entry in ranker.objectives.items()} == {
        "click": None, "cart": "objective_cart.onnx", "purchase": "objective_purchase.onnx",
    }  # fmt: skip
    agreement = check_answers(folder).agreement
    assert {"ranker": 1.0, "objective_cart": 1.0, "objective_purchase": 1.0}.items() <= agreement.items()
    assert msgspec.json.decode(msgspec.json.encode(ranker), type=type(ranker)) == ranker


@pytest.mark.slow
def test_a_shop_without_purchases_learns_no_chance_of_one_and_keeps_its_order() -> None:
    log = shop_log()
    fitted = train_model_set(replace(log, kinds=np.zeros_like(log.kinds)), settings=SETTINGS)
    assert fitted.ranker is not None
    found = fitted.ranker.objectives
    assert {name: bool(each.scores) for name, each in found.items()} == {
        "click": True, "cart": False, "purchase": False,
    }  # fmt: skip
    assert found["purchase"].positives == 0
