"""The pipeline without a shop answers from item ids to item ids, as a shop of these items would."""

from __future__ import annotations

import pytest

from recommendations.graphs.export import export_model_set
from recommendations.inference import ModelSet
from recommendations.release.baseline import PipelinePredictor
from tests.recommendations import model_worlds

N_ITEMS = 60


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelSet:
    folder = tmp_path_factory.mktemp("versions") / "v1"
    export_model_set(model_worlds.fitted_model_set(n_items=N_ITEMS, with_ranker=False), folder)
    return ModelSet.load(folder, providers="cpu")


def test_a_list_is_full_and_holds_items_of_the_model_once(model: ModelSet) -> None:
    listed = PipelinePredictor(model)(["item-3", "item-7"])

    assert len(listed) == len(set(listed)) == 20
    assert set(listed) <= set(model.item_ids[1:])


def test_the_list_follows_the_history(model: ModelSet) -> None:
    predict = PipelinePredictor(model)

    assert predict(["item-3"]) == predict(["item-3"])
    assert predict(["item-3"]) != predict(["item-40"])


def test_a_version_that_knows_variants_is_asked_about_products_and_answers_with_them(model: ModelSet) -> None:
    product_of = {f"item-{number}": f"product-{number // 2}" for number in range(2, N_ITEMS)}
    predict = PipelinePredictor(model, product_of=product_of)

    listed = predict(["product-4"])

    assert len(listed) == len(set(listed)) == 20
    assert set(listed) <= {*product_of.values(), "item-1"}
    assert listed != predict(["product-20"])


def test_without_a_history_the_most_popular_items_are_listed_in_order(model: ModelSet) -> None:
    assert PipelinePredictor(model, size=5)([]) == [f"item-{number}" for number in range(1, 6)]


def test_items_that_the_model_does_not_know_are_no_obstacle(model: ModelSet) -> None:
    assert PipelinePredictor(model)(["unheard-of", "item-3"])[:3] == PipelinePredictor(model)(["item-3"])[:3]
