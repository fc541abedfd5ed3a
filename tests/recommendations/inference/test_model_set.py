"""What a model set promises to callers: edges of k and of the session, masks, threads, clear errors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommendations.exceptions import InvalidQuery, ModelUnavailable, VersionRefused
from recommendations.graphs.export import export_model_set
from recommendations.inference import HIDDEN, ModelSet, RetrievalQuery, SourceResult
from tests.recommendations import model_worlds

N_ITEMS = 150


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versions") / "v1"
    export_model_set(model_worlds.fitted_model_set(n_items=N_ITEMS), folder)
    return folder


@pytest.fixture(scope="module")
def model_set(folder: Path) -> ModelSet:
    return ModelSet.load(folder, providers="cpu")


def items(*values: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array(values, np.int64)


def same(left: dict[str, SourceResult], right: dict[str, SourceResult]) -> bool:
    return left.keys() == right.keys() and all(
        np.array_equal(left[name].indices, right[name].indices) and np.array_equal(left[name].score, right[name].score)
        for name in left
    )


def check_promises(model_set: ModelSet, query: RetrievalQuery, answers: dict[str, SourceResult]) -> None:
    for answer in answers.values():
        index, score = answer.indices, answer.score
        assert index.dtype == np.int64
        assert score.dtype == np.float32
        assert len(index) == len(score) <= query.k
        assert len(set(index.tolist())) == len(index)
        assert np.all((index > 0) & (index < model_set.n_items))
        assert np.isfinite(score).all()
        assert np.all(np.diff(score) <= 0)
        assert not set(index.tolist()) & set(query.exclude.tolist())
        if query.allowed is not None:
            assert query.allowed[index].all()
        if query.candidates is not None:
            assert set(index.tolist()) <= set(query.candidates.tolist())


indices = st.lists(st.integers(0, N_ITEMS - 1), max_size=60).map(lambda values: np.array(values, np.int64))


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=indices,
    exclude=indices,
    candidates=st.none() | indices,
    forbidden=st.none() | indices,
    hidden=indices,
    k=st.integers(1, 1_000),
    seed=st.integers(0, 1_000),
)
def test_any_valid_query_is_answered_as_promised(
    model_set: ModelSet,
    history: np.ndarray[Any, np.dtype[np.int64]],
    exclude: np.ndarray[Any, np.dtype[np.int64]],
    candidates: np.ndarray[Any, np.dtype[np.int64]] | None,
    forbidden: np.ndarray[Any, np.dtype[np.int64]] | None,
    hidden: np.ndarray[Any, np.dtype[np.int64]],
    k: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    allowed = None
    if forbidden is not None:
        allowed = np.ones(N_ITEMS, bool)
        allowed[forbidden] = False
    bias = rng.standard_normal(N_ITEMS).astype(np.float32)
    bias[hidden] = HIDDEN
    query = RetrievalQuery(
        indices=history,
        weights=rng.integers(0, 4, len(history)).astype(np.float32),
        exclude=exclude,
        candidates=candidates,
        allowed=allowed,
        item_bias=bias,
        k=k,
    )
    answers = model_set.retrieve(query)
    check_promises(model_set, query, answers)
    for answer in answers.values():
        assert not set(answer.indices.tolist()) & set(hidden.tolist())


def test_no_interactions_give_no_candidates(model_set: ModelSet) -> None:
    for query in (
        RetrievalQuery(indices=items()),
        RetrievalQuery(indices=items(0, 0)),
        RetrievalQuery(indices=items(3, 4), weights=np.zeros(2, np.float32)),
        RetrievalQuery(indices=items(3), candidates=items()),
    ):
        assert all(len(answer.indices) == 0 for answer in model_set.retrieve(query).values())


def test_everything_excluded_gives_nothing(model_set: ModelSet) -> None:
    everything = np.arange(1, N_ITEMS)
    answers = model_set.retrieve(RetrievalQuery(indices=items(5, 6), exclude=everything))
    assert all(len(answer.indices) == 0 for answer in answers.values())


def test_k_beyond_the_catalogue_gives_every_item_once(model_set: ModelSet) -> None:
    answer = model_set.retrieve(RetrievalQuery(indices=items(5), k=1_000, sources=("als",)))["als"]
    assert sorted(answer.indices.tolist()) == list(range(1, N_ITEMS))


def test_an_unknown_item_keeps_its_place_and_counts_nothing(model_set: ModelSet) -> None:
    with_gap = model_set.retrieve(RetrievalQuery(indices=items(7, 0, 9)))
    without = model_set.retrieve(RetrievalQuery(indices=items(7, 9), ages=np.array([2, 0], np.float32)))
    for name in model_set.sources:
        assert np.array_equal(with_gap[name].indices, without[name].indices), name
        np.testing.assert_allclose(with_gap[name].score, without[name].score, rtol=1e-5, atol=1e-6)


def test_only_the_newest_interactions_count(model_set: ModelSet) -> None:
    newest = np.arange(1, 21)
    long = np.concatenate([np.full(300, 99), newest])
    assert same(model_set.retrieve(RetrievalQuery(indices=long)), model_set.retrieve(RetrievalQuery(indices=newest)))


def test_a_bias_moves_an_item_up_in_the_dense_source(model_set: ModelSet) -> None:
    query = RetrievalQuery(indices=items(5, 6), k=N_ITEMS, sources=("als",))
    last = int(model_set.retrieve(query)["als"].indices[-1])
    bias = np.zeros(N_ITEMS, np.float32)
    bias[last] = 1e3
    assert model_set.retrieve(replace(query, item_bias=bias))["als"].indices[0] == last


def test_a_new_bias_array_counts_at_once(model_set: ModelSet) -> None:
    query = RetrievalQuery(indices=items(5, 6), k=5, sources=("als",))
    best = int(model_set.retrieve(query)["als"].indices[0])
    for _ in range(40):  # more arrays than are kept prepared
        bias = np.zeros(N_ITEMS, np.float32)
        bias[best] = HIDDEN
        assert best not in model_set.retrieve(replace(query, item_bias=bias))["als"].indices
        assert model_set.retrieve(replace(query, item_bias=np.zeros(N_ITEMS, np.float32)))["als"].indices[0] == best


@pytest.mark.slow
def test_many_threads_get_what_one_thread_gets(model_set: ModelSet) -> None:
    rng = np.random.default_rng(3)
    queries = [RetrievalQuery(indices=rng.integers(1, N_ITEMS, rng.integers(1, 20))) for _ in range(200)]
    alone = [model_set.retrieve(query) for query in queries]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(model_set.retrieve, queries))
    assert all(same(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (RetrievalQuery(indices=items(N_ITEMS)), f"indices: holds an index outside 0 … {N_ITEMS - 1}"),
        (RetrievalQuery(indices=items(-1)), "indices: holds an index outside"),
        (RetrievalQuery(indices=items(1), exclude=items(10**9)), "exclude: holds an index outside"),
        (RetrievalQuery(indices=items(1), candidates=items(-5)), "candidates: holds an index outside"),
        (RetrievalQuery(indices=items(1), k=0), "k: 0 is not between 1 and 1000"),
        (RetrievalQuery(indices=items(1), k=10**6), "k: 1000000 is not between"),
        (RetrievalQuery(indices=items(1), weights=np.ones(2, np.float32)), "weights: 2 weights for 1 inter"),
        (RetrievalQuery(indices=items(1), weights=np.array([np.nan], np.float32)), "weights: a weight is not"),
        (RetrievalQuery(indices=items(1), weights=np.array([-1], np.float32)), "weights: a weight is not"),
        (RetrievalQuery(indices=items(1), ages=np.array([np.inf], np.float32)), "ages: an age is not"),
        (RetrievalQuery(indices=items(1), allowed=np.ones(3, bool)), r"allowed: has shape \(3,\)"),
        (RetrievalQuery(indices=items(1), item_bias=np.ones(3, np.float32)), r"item_bias: has shape \(3,\)"),
        (RetrievalQuery(indices=items(1), item_bias=np.full(N_ITEMS, np.nan, np.float32)), "item_bias: holds"),
        (RetrievalQuery(indices=items(1), sources=("als", "magic")), "sources: 'magic' is not one of als"),
    ],
)
def test_bad_queries_name_the_field_and_the_value(model_set: ModelSet, query: RetrievalQuery, message: str) -> None:
    with pytest.raises(InvalidQuery, match=message):
        model_set.retrieve(query)


def test_the_ranker_scores_rows_in_their_order(model_set: ModelSet, folder: Path) -> None:
    golden = np.load(folder / "golden.npz")
    matrix = golden["ranker.matrix"]
    scores = model_set.rank(matrix)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, golden["ranker.score"], atol=1e-5)
    np.testing.assert_array_equal(model_set.rank(matrix[::-1]), scores[::-1])
    assert model_set.rank(matrix[:0]).shape == (0,)
    with pytest.raises(InvalidQuery, match=r"matrix: has shape \(64, 5\)"):
        model_set.rank(matrix[:, :5])


def test_a_version_without_a_ranker_says_so(tmp_path: Path) -> None:
    export_model_set(model_worlds.fitted_model_set(n_items=20, with_ranker=False), tmp_path / "v1")
    model_set = ModelSet.load(tmp_path / "v1")
    assert model_set.ranking_arrays == {}
    with pytest.raises(ModelUnavailable, match="no ranker"):
        model_set.rank(np.zeros((1, 6), np.float32))


@pytest.mark.parametrize("n_items", [2, 3, 21, 129])
def test_catalogues_of_any_size_work(tmp_path: Path, n_items: int) -> None:
    export_model_set(model_worlds.fitted_model_set(n_items=n_items, with_ranker=False), tmp_path / "v1")
    model_set = ModelSet.load(tmp_path / "v1", providers="cpu")
    query = RetrievalQuery(indices=items(1), k=1_000)
    answers = model_set.retrieve(query)
    check_promises(model_set, query, answers)
    assert len(answers["als"].indices) == n_items - 1


def test_a_missing_folder_and_a_missing_graph_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(VersionRefused, match=r"manifest\.json cannot be read"):
        ModelSet.load(tmp_path / "nowhere")
    export_model_set(model_worlds.fitted_model_set(n_items=20, with_ranker=False), tmp_path / "v1")
    (tmp_path / "v1" / "als.onnx").unlink()
    with pytest.raises(ModelUnavailable, match=r"als\.onnx cannot be loaded"):
        ModelSet.load(tmp_path / "v1")
