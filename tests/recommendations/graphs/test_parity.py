"""Each graph answers what the formulas answer, computed in plain numpy; and ALS answers what implicit does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

from recommendations.graphs.export import export_model_set
from recommendations.graphs.reference import neighbour_scores, session_scores
from recommendations.inference import ModelSet, RetrievalQuery
from recommendations.training.fitted import AlsFactors, FittedModelSet
from tests.recommendations import model_worlds
from tests.recommendations.graphs.running import als_scores


@pytest.fixture(scope="module")
def fitted() -> FittedModelSet:
    return model_worlds.fitted_model_set(n_items=300)


@pytest.fixture(scope="module")
def model_set(fitted: FittedModelSet, tmp_path_factory: pytest.TempPathFactory) -> ModelSet:
    folder = tmp_path_factory.mktemp("versions") / "v1"
    export_model_set(fitted, folder)
    return ModelSet.load(folder, providers="cpu")


@pytest.mark.parametrize("seed", range(20))
def test_every_source_scores_as_its_formula_does(fitted: FittedModelSet, model_set: ModelSet, seed: int) -> None:
    rng = np.random.default_rng(seed)
    items = rng.integers(1, 40, rng.integers(1, 30))  # few items, so that some repeat
    weights = rng.choice([1.0, 2.0, 5.0], len(items)).astype(np.float32)
    expected = {
        "als": als_scores(fitted.als, items.tolist(), weights.tolist()),
        "sessions": session_scores(fitted.sessions, items.tolist(), weights.tolist()),
        **{t.name: neighbour_scores(t, items.tolist(), weights.tolist()) for t in fitted.neighbours},
    }
    everything = np.arange(1, model_set.n_items)
    answers = model_set.retrieve(RetrievalQuery(indices=items, weights=weights, candidates=everything, k=1_000))
    assert set(answers) == set(expected)
    for name, answer in answers.items():
        scores = np.zeros(model_set.n_items)
        scores[answer.indices] = answer.score
        tolerance = 1e-4 * np.abs(expected[name]).max() + 1e-6
        np.testing.assert_allclose(scores[1:], expected[name][1:], rtol=1e-3, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("seed", range(20))
def test_the_best_of_the_catalogue_are_the_best_of_the_formula(
    fitted: FittedModelSet, model_set: ModelSet, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    items = rng.integers(1, 300, 6)
    answer = model_set.retrieve(RetrievalQuery(indices=items, k=20, sources=("als",)))["als"]
    expected = als_scores(fitted.als, items.tolist(), [1.0] * 6)[1:]
    np.testing.assert_allclose(answer.score, np.sort(expected)[::-1][:20], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_fold_in_ranks_as_implicit_does_when_it_recalculates_the_user(tmp_path: Path) -> None:
    n_items, n_factors, alpha = 3_000, 64, 3.0
    factors = model_worlds.als_factors(n_items=n_items, n_factors=n_factors, seed=7).item_factors
    als = AlsFactors(item_factors=factors, regularization=0.05, alpha=alpha, decay=1.0, last_n=50)
    peer = AlternatingLeastSquares(factors=n_factors, regularization=0.05, alpha=1.0, num_threads=1)
    peer.item_factors = factors
    peer.user_factors = np.zeros((1, n_factors), np.float32)
    folder = tmp_path / "v1"
    export_model_set(_with_als(n_items, als), folder)
    model_set = ModelSet.load(folder, providers="cpu")

    rng = np.random.default_rng(0)
    shared = []
    for _ in range(50):
        items = rng.choice(np.arange(1, n_items), rng.integers(1, 40), replace=False)
        confidence = np.full(len(items), 1.0 + alpha, np.float32)
        row = csr_matrix((confidence, (np.zeros(len(items), int), items)), shape=(1, n_items))
        expected, _ = peer.recommend(
            0, row, N=20, recalculate_user=True, filter_already_liked_items=True, filter_items=[0]
        )
        answer = model_set.retrieve(RetrievalQuery(indices=items, exclude=items, k=20, sources=("als",)))
        shared.append(len(set(expected.tolist()) & set(answer["als"].indices.tolist())) / 20)
    assert np.mean(shared) >= 0.999


def _with_als(n_items: int, als: AlsFactors) -> FittedModelSet:
    return replace(model_worlds.fitted_model_set(n_items=n_items, with_ranker=False), als=als)
