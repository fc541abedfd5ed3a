"""Batches of fixed sizes answer as single requests do. The device here is the CPU; the GPU runs the same code."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY

from recommendations.exceptions import ModelUnavailable
from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target, build_fold_in
from recommendations.inference import HIDDEN, ModelSet, RetrievalQuery, batching
from recommendations.inference.batching import BUCKETS, BatchedScorer, DenseRequest
from recommendations.inference.loading import scorer_of
from recommendations.inference.queries import history_of
from recommendations.inference.runtime import load_session
from recommendations.inference.sources import FoldInSource, Question
from tests.recommendations import model_worlds

N_ITEMS = 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versions") / "v1"
    export_model_set(model_worlds.fitted_model_set(n_items=N_ITEMS, with_ranker=False), folder)
    return folder


@pytest.fixture
def scorer(folder: Path) -> Iterator[BatchedScorer]:
    scorer = scorer_of(load_session(folder / "als_cuda.onnx"), 10)
    scorer.warm_up()
    yield scorer
    scorer.close()


def bias_hiding(*items: int) -> np.ndarray:
    bias = np.zeros(N_ITEMS, np.float32)
    bias[[0, *items]] = HIDDEN
    return bias


def request(items: np.ndarray, bias: np.ndarray, exclude: np.ndarray | None = None) -> DenseRequest:
    history = history_of(RetrievalQuery(indices=items), n_items=N_ITEMS)
    assert history is not None
    return DenseRequest(
        history=history.newest(10), item_bias=bias, exclude=np.zeros(0, np.int64) if exclude is None else exclude
    )


def test_requests_from_many_threads_share_batches_and_get_their_own_answers(
    folder: Path, scorer: BatchedScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    run = BatchedScorer._run

    def counted(self: BatchedScorer, requests: list[DenseRequest]) -> object:
        sizes.append(len(requests))
        return run(self, requests)

    monkeypatch.setattr(BatchedScorer, "_run", counted)
    alone = ModelSet.load(folder, providers="cpu")
    rng = np.random.default_rng(0)
    bias = bias_hiding()
    sessions = [rng.integers(1, N_ITEMS, rng.integers(1, 30)) for _ in range(300)]
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda items: scorer.score(request(items, bias, items)), sessions))
    assert sum(sizes) == 300
    assert max(sizes) > 1, "requests were never batched"
    assert max(sizes) <= BUCKETS[-1]
    for items, (index, score) in zip(sessions, answers, strict=True):
        expected = alone.retrieve(RetrievalQuery(indices=items, exclude=items, k=50, sources=("als",)))["als"]
        np.testing.assert_array_equal(index[:50], expected.indices)
        np.testing.assert_allclose(score[:50], expected.score, rtol=1e-4, atol=1e-6)


def test_requests_with_different_biases_never_share_a_batch(scorer: BatchedScorer) -> None:
    items = np.array([5, 6, 7])
    first = int(scorer.score(request(items, bias_hiding()))[0][0])
    free, hiding = bias_hiding(), bias_hiding(first)
    with ThreadPoolExecutor(16) as pool:
        biases = [free if i % 3 else hiding for i in range(200)]
        answers = list(pool.map(lambda bias: int(scorer.score(request(items, bias))[0][0]), biases))
    for bias, answer in zip(biases, answers, strict=True):
        assert (answer == first) == (bias is free)


def test_a_batch_that_fails_is_told_to_all_of_its_requests_and_the_next_works(
    scorer: BatchedScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = request(np.array([1]), bias_hiding())
    bad = request(np.array([1]), np.zeros(3, np.float32))  # no bias of this graph
    with pytest.raises(ModelUnavailable, match="the batch failed"):
        scorer.score(bad)
    assert len(scorer.score(good)[0])


def test_a_batch_that_the_devices_memory_does_not_hold_is_left_out_with_those_above_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = batching.Bucket.run
    sizes: list[int] = []

    def short(self: batching.Bucket, requests: list[DenseRequest]) -> object:
        if len(self._indices) >= 32:
            raise ModelUnavailable("out of memory")
        sizes.append(len(requests))
        return run(self, requests)

    monkeypatch.setattr(batching.Bucket, "run", short)
    scorer = scorer_of(load_session(folder / "als_cuda.onnx"), 10)
    scorer.warm_up()
    assert scorer.largest == 8
    bias = bias_hiding()
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda item: scorer.score(request(np.array([item]), bias)), range(1, 200)))
    assert max(sizes) <= 8
    scorer.close()


def test_a_device_that_does_not_hold_one_request_is_no_device(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(self: batching.Bucket, requests: list[DenseRequest]) -> object:
        raise ModelUnavailable("out of memory")

    monkeypatch.setattr(batching.Bucket, "run", short)
    scorer = scorer_of(load_session(folder / "als_cuda.onnx"), 10)
    with pytest.raises(ModelUnavailable, match="out of memory"):
        scorer.warm_up()


def test_a_device_that_hangs_is_given_up_in_time(scorer: BatchedScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    run = BatchedScorer._run

    def hanging(self: BatchedScorer, requests: list[DenseRequest]) -> object:
        release.wait(5)
        return run(self, requests)

    monkeypatch.setattr(BatchedScorer, "_run", hanging)
    monkeypatch.setattr("recommendations.inference.batching.ANSWER_TIMEOUT_S", 0.05)
    with pytest.raises(ModelUnavailable, match=r"did not answer within 0\.05 s"):
        scorer.score(request(np.array([1]), bias_hiding()))
    release.set()


def test_what_does_not_fit_the_device_is_answered_by_the_cpu(folder: Path, scorer: BatchedScorer) -> None:
    session = load_session(folder / "als.onnx")
    on_device = FoldInSource("als", session, last_n=10, scorer=scorer)
    plain = ModelSet.load(folder, providers="cpu")
    mixed = ModelSet(
        manifest=plain.manifest,
        item_ids=plain.item_ids,
        sources=[on_device],
        ranker=None,
        arrays={
            "popularity_recent.npy": plain.popularity_recent,
            "popularity_all_time.npy": plain.popularity_all_time,
        },
    )
    allowed = np.zeros(N_ITEMS, bool)
    allowed[50:90] = True
    items = np.array([5, 9, 11])
    for query in (
        RetrievalQuery(indices=items, k=30),
        RetrievalQuery(indices=items, k=399),
        RetrievalQuery(indices=items, k=30, allowed=allowed),
        RetrievalQuery(indices=items, k=30, candidates=np.array([3, 4, 5])),
        RetrievalQuery(indices=items, k=30, exclude=np.arange(1, 300)),
    ):
        left, right = mixed.retrieve(query)["als"], plain.retrieve(query)["als"]
        np.testing.assert_array_equal(left.indices, right.indices)
        np.testing.assert_allclose(left.score, right.score, rtol=1e-4, atol=1e-6)


def test_a_failing_device_is_left_alone_for_a_while_and_the_cpu_answers(
    folder: Path, scorer: BatchedScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FoldInSource("als", load_session(folder / "als.onnx"), last_n=10, scorer=scorer)
    history = history_of(RetrievalQuery(indices=np.array([5])), n_items=N_ITEMS)
    assert history is not None
    question = Question(
        history=history,
        item_bias=bias_hiding(),
        hidden_bias=bias_hiding(),
        exclude=np.zeros(1, np.int64),
        candidates=np.empty(0, np.int64),
        has_shared_bias=True,
        k=10,
    )
    expected = source.retrieve(question)["als"]
    calls = []

    def failing(self: BatchedScorer, request: DenseRequest) -> None:
        calls.append(request)
        raise ModelUnavailable("the device is gone")

    monkeypatch.setattr(BatchedScorer, "score", failing)
    before = REGISTRY.get_sample_value("recsite_gpu_fallbacks_total", {"reason": "no_answer"}) or 0.0
    for _ in range(3):
        np.testing.assert_array_equal(source.retrieve(question)["als"].indices, expected.indices)
    assert len(calls) == 1
    assert REGISTRY.get_sample_value("recsite_gpu_fallbacks_total", {"reason": "no_answer"}) == before + 3
    resting = source.shortfall
    assert resting is not None
    assert resting.detail == "the device is gone"
    monkeypatch.undo()
    source._rest_until_s = 0.0
    resting = source.shortfall
    assert resting is None
    np.testing.assert_array_equal(source.retrieve(question)["als"].indices, expected.indices)


@pytest.mark.slow
def test_a_version_that_was_swapped_out_leaves_no_thread(folder: Path) -> None:
    scorer = scorer_of(load_session(folder / "als_cuda.onnx"), 10)
    plain = ModelSet.load(folder, providers="cpu")
    version = ModelSet(
        manifest=plain.manifest,
        item_ids=plain.item_ids,
        sources=[FoldInSource("als", load_session(folder / "als.onnx"), last_n=10, scorer=scorer)],
        ranker=None,
        arrays={
            "popularity_recent.npy": plain.popularity_recent,
            "popularity_all_time.npy": plain.popularity_all_time,
        },
    )
    assert scorer.is_alive
    del version
    gc.collect()
    assert not scorer.is_alive


def test_both_targets_have_one_shape_of_answer(tmp_path: Path) -> None:
    als = model_worlds.als_factors(n_items=N_ITEMS)
    path = tmp_path / "cuda.onnx"
    path.write_bytes(build_fold_in(als, target=Target.CUDA).SerializeToString())
    assert load_session(path).output_shapes["top_index"] == ["B", 200]
