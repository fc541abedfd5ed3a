"""What a source keeps of the scores of its graph, and which of its tables are run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recommendations.graphs.export import export_model_set
from recommendations.graphs.reference import neighbour_scores
from recommendations.inference.loading import load_session
from recommendations.inference.queries import HIDDEN, IS_HIDDEN, RetrievalQuery, history_of
from recommendations.inference.sources import Question, SparseSource, result_of
from tests.recommendations import model_worlds

FITTED = model_worlds.fitted_model_set(n_items=40, with_ranker=False)
NOTHING = np.float32(0)


def question(**changes: Any) -> Question:
    history = history_of(RetrievalQuery(indices=np.array([3, 5])), n_items=40)
    bias = np.zeros(40, np.float32)
    bias[0] = HIDDEN
    values = {
        "history": history,
        "item_bias": bias,
        "hidden_bias": bias,
        "exclude": np.array([0]),
        "candidates": np.empty(0, np.int64),
        "has_shared_bias": True,
        "k": 5,
    }
    return Question(**{**values, **changes})


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> SparseSource:
    folder = tmp_path_factory.mktemp("versions") / "v1"
    export_model_set(FITTED, folder)
    return SparseSource(("tfidf", "covisitation"), load_session(folder / "neighbours_0.onnx"), last_n=5)


def test_scores_that_are_no_recommendation_are_cut_from_the_end() -> None:
    found = result_of(np.array([4, 2, 9]), np.array([3, 1, 0], np.float32), question(), least=NOTHING)
    assert [found.indices.tolist(), found.score.tolist()] == [[4, 2], [3, 1]]
    nothing = result_of(np.array([4]), np.array([0], np.float32), question(), least=NOTHING)
    assert len(nothing.indices) == len(nothing.score) == 0


def test_scores_below_zero_count_where_only_hidden_ones_do_not() -> None:
    found = result_of(np.array([4, 2]), np.array([-3, HIDDEN], np.float32), question(), least=IS_HIDDEN)
    assert found.indices.tolist() == [4]


def test_given_items_are_sorted_and_cut_and_never_excluded_ones() -> None:
    asked = question(candidates=np.array([8, 4, 2, 9]), exclude=np.array([4]), k=2)
    found = result_of(asked.candidates, np.array([1, 7, 5, 1], np.float32), asked, least=NOTHING)
    assert found.indices.tolist() == [2, 8], "of equals the first"


def test_every_wanted_table_answers_by_its_name(tables: SparseSource) -> None:
    by_name = {table.name: neighbour_scores(table, [3, 5], [1.0, 1.0]) for table in FITTED.neighbours}
    for wanted in ((), ("covisitation",), ("tfidf", "covisitation")):
        found = tables.retrieve(question(wanted=wanted))
        assert set(found) == set(wanted or by_name)
        for name, answer in found.items():
            np.testing.assert_allclose(answer.score, by_name[name][answer.indices], rtol=1e-5)
            np.testing.assert_allclose(answer.score[0], by_name[name].max(), rtol=1e-5)


def test_given_items_get_the_scores_that_they_have_in_the_catalogue(tables: SparseSource) -> None:
    best = tables.retrieve(question(k=39))["tfidf"]
    given = tables.retrieve(question(k=39, candidates=np.arange(1, 40)))["tfidf"]
    assert len(best.indices) > 3
    assert dict(zip(best.indices.tolist(), best.score.tolist(), strict=True)) == pytest.approx(
        dict(zip(given.indices.tolist(), given.score.tolist(), strict=True))
    )
