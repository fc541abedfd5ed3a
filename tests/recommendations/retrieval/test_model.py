"""A model version joined to a catalogue: its item indices become rows, and what cannot be sold is hidden inside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.state.states import ProfileState, encode
from features.state.user_features import StateBlobs, merge
from recommendations.core.manifest import read_manifest
from recommendations.graphs.export import export_model_set
from recommendations.inference import ModelSet
from recommendations.items.index import ItemIndex
from recommendations.ranking.columns import USER_COLUMNS
from recommendations.retrieval.model import ModelLink, ranking_user
from tests.recommendations import model_worlds
from tests.recommendations.worlds import item_index

N_ITEMS = 30
SOLD_OUT, UNKNOWN_ROW = 5, 20


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelSet:
    folder = tmp_path_factory.mktemp("versions") / "v1"
    export_model_set(model_worlds.fitted_model_set(n_items=N_ITEMS, with_ranker=False), folder)
    return ModelSet.load(folder, providers="cpu")


@pytest.fixture(scope="module")
def shop() -> ItemIndex:
    """Items 1 to 20 of the model in this order, one of them sold out, and one that the model does not know."""
    known = [{"item_id": f"item-{number}"} for number in range(1, 21)]
    known[SOLD_OUT]["availability"] = "out_of_stock"
    return item_index(*known, {"item_id": "of-today"})


@pytest.fixture(scope="module")
def link(model: ModelSet, shop: ItemIndex) -> ModelLink:
    return ModelLink(model, shop, version="v1")


def test_rows_and_item_indices_translate_both_ways(link: ModelLink) -> None:
    assert link.indices([0, 19, UNKNOWN_ROW]) == [1, 20, 0]
    assert link.row_of_index[[0, 1, 20, 21]].tolist() == [-1, 0, 19, -1]
    assert link.knows([UNKNOWN_ROW, 3])
    assert not link.knows([UNKNOWN_ROW])


def test_what_is_sold_out_or_gone_takes_nobodys_place(link: ModelLink, shop: ItemIndex) -> None:
    lists, _ = link.candidates([2, 3], sources=("als",), given=None)

    recommendable = set(range(20)) - {SOLD_OUT}
    assert set(lists["als"].rows.tolist()) == recommendable, "ALS knows every item, and lists all that can be sold"
    assert (np.diff(lists["als"].scores) <= 0).all()


def test_given_rows_are_scored_and_no_others(link: ModelLink) -> None:
    given = np.array([7, UNKNOWN_ROW, 4], np.int32)

    lists, _ = link.candidates([2], sources=("als",), given=given)

    assert sorted(lists["als"].rows.tolist()) == [4, 7]


def test_a_source_proposes_one_variant_of_each_product_and_looks_further_for_that(model: ModelSet) -> None:
    on = item_index(*[{"item_id": f"item-{number}", "group_id": f"g{number // 5}"} for number in range(1, 30)])
    link = ModelLink(model, on, version="v1")

    lists, _ = link.candidates([2, 3], sources=("als", "tfidf"), given=None)
    given, _ = link.candidates([2, 3], sources=("als",), given=np.array([7, 8, 4], np.int32))

    products = on.products.of_row[lists["als"].rows].tolist()
    assert len(set(products)) == len(products) == 6
    assert sorted(given["als"].rows.tolist()) == [4, 7, 8], "of what is given nothing is lost"


def test_a_variant_that_is_newer_than_the_model_is_known_by_its_product(model: ModelSet) -> None:
    on = item_index({"item_id": "item-1", "group_id": "shoe"}, {"group_id": "shoe"}, {"item_id": "item-2"}, {})
    link = ModelLink(model, on, version="v1")

    given, _ = link.candidates([2], sources=("als",), given=np.array([1, 3], np.int32))

    assert link.indices([0, 1, 2, 3]) == [1, 1, 2, 0]
    assert given["als"].rows.tolist() == [1], "the given variant stands for the product"


def test_the_newest_row_is_the_newest_interaction(link: ModelLink) -> None:
    answer = link.retrieve([8, 3, 5], sources=("covisitation",), k=10)

    assert answer.history.tolist() == [6, 4, 9]
    newest_only = link.retrieve([8], sources=("covisitation",), k=10)
    assert link.lists(answer).keys() == link.lists(newest_only).keys()
    for name, found in link.lists(answer).items():  # this table looks at the newest item alone
        assert found.rows.tolist() == link.lists(newest_only)[name].rows.tolist()


def test_popularity_is_that_of_training_and_nothing_for_what_came_since(link: ModelLink, model: ModelSet) -> None:
    popularity = link.popularity_of_rows()

    assert popularity[UNKNOWN_ROW] == 0
    np.testing.assert_allclose(popularity[:20], model.popularity_recent[1:21] + model.popularity_all_time[1:21] * 1e-3)


def test_a_version_without_a_ranker_ranks_nothing(link: ModelLink) -> None:
    _, ranker = link.candidates([2], sources=link.sources, given=None)

    assert ranker is None
    assert link.ranked_sources == ()
    assert not len(link.rank(link.retrieve([2], sources=link.sources, k=5), k=5))


def test_nobody_who_never_ordered_has_orders() -> None:
    assert ranking_user(None, decimals=2) is None


@pytest.mark.parametrize(("decimals", "monetary"), [(2, 1_200_00), (0, 1_200), (3, 1_200_000)])
def test_orders_are_compared_with_prices_in_the_currency_that_the_ranker_learnt(decimals: int, monetary: int) -> None:
    state = ProfileState(newest_ms=1, orders=4, revenue=monetary, last_purchase_ms=1)
    found = ranking_user(merge([StateBlobs(None, encode(state))], now_ms=2), decimals=decimals)

    assert found is not None
    assert found.log_order_value[0] == pytest.approx(np.log(300.0))
    assert found.columns[0, USER_COLUMNS.index("spent")] == pytest.approx(np.log1p(1_200.0))


def test_a_version_says_in_which_currency_its_ranker_learnt(tmp_path: Path) -> None:
    fitted = model_worlds.fitted_model_set(n_items=N_ITEMS, with_ranker=True)
    assert fitted.ranker is not None
    export_model_set(replace(fitted, ranker=replace(fitted.ranker, decimals=0)), tmp_path / "yen")

    ranker = read_manifest(tmp_path / "yen").ranker
    assert ranker is not None
    assert ranker.decimals == 0
