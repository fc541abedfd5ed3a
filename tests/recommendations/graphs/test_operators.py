"""Each graph uses only operators that its target runs itself, and gives each request the answer it gets alone."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.graphs import fold_in
from recommendations.graphs.builder import HIDDEN, GraphBuilder
from recommendations.graphs.fold_in import Target, build_fold_in, doublings_needed, whiten
from recommendations.graphs.neighbours import build_neighbours
from recommendations.graphs.quantise import block_size, quantise_rows
from recommendations.graphs.ragged import blocks_of, ragged_rows
from recommendations.graphs.ranker import build_ranker
from recommendations.graphs.reference import als_scores
from recommendations.graphs.selection import GROUP, best_of
from recommendations.graphs.session_knn import build_session_knn
from recommendations.graphs.touched import best, of_given, summed
from recommendations.inference.graph_check import ALLOWED_OPERATORS, CUDA_OPERATORS, operators_of
from recommendations.inference.runtime import GraphSession, load_session, operators_by_provider
from tests.recommendations import model_worlds

N_ITEMS = 400


def loaded(model: onnx.ModelProto, folder: Path, name: str = "graph") -> GraphSession:
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    return load_session(path)


def sessions(rng: np.random.Generator, count: int, length: int) -> dict[str, np.ndarray[Any, Any]]:
    """Sessions of different lengths, padded at the front; interactions kept under the names of the graph's inputs."""
    feeds = {
        "item_index": np.zeros((count, length), np.int64),
        "weight": np.zeros((count, length), np.float32),
        "age": np.tile(np.arange(length - 1, -1, -1, dtype=np.float32), (count, 1)),
        "is_last": np.zeros((count, length), np.float32),
        "exclude": np.zeros((count, 6), np.int64),
    }
    for row in range(count):
        n = int(rng.integers(1, length + 1))
        feeds["item_index"][row, -n:] = rng.choice(np.arange(1, N_ITEMS), n, replace=False)
        feeds["weight"][row, -n:] = rng.choice([1.0, 3.0], n)
        feeds["is_last"][row, -n:] = 1.0
        feeds["exclude"][row] = rng.integers(1, N_ITEMS, 6)
    return feeds


def shared_feeds() -> dict[str, np.ndarray[Any, Any]]:
    bias = np.zeros(N_ITEMS, np.float32)
    bias[0] = HIDDEN
    return {"item_bias": bias, "k": np.array([20], np.int64), "candidates": np.empty(0, np.int64)}


def test_graphs_use_only_operators_of_their_target() -> None:
    als = model_worlds.als_factors(n_items=N_ITEMS)
    models = [
        build_fold_in(als, target=Target.CPU),
        build_neighbours([model_worlds.neighbours(n_items=N_ITEMS)]),
        build_session_knn(model_worlds.session_index(n_items=N_ITEMS)),
        build_ranker(model_worlds.ranker(n_items=N_ITEMS)),
    ]
    for model in models:
        for domain, operator in operators_of(model):
            assert operator in ALLOWED_OPERATORS[domain], (model.graph.name, domain, operator)
    assert ("com.microsoft", "MatMulNBits") in operators_of(models[0])
    for domain, operator in operators_of(build_fold_in(als, target=Target.CUDA)):
        assert domain == ""
        assert operator in CUDA_OPERATORS, operator


def test_the_profile_names_the_operators_that_ran(tmp_path: Path) -> None:
    als = model_worlds.als_factors(n_items=N_ITEMS)
    (tmp_path / "cuda.onnx").write_bytes(build_fold_in(als, target=Target.CUDA).SerializeToString())
    placed = operators_by_provider(tmp_path / "cuda.onnx", provider="cpu")
    assert set(placed) == {"CPUExecutionProvider"}
    assert {"TopK", "ScatterElements", "Gather"} <= set(placed["CPUExecutionProvider"])
    assert not {"Shape", "If", "Slice"} & set(placed["CPUExecutionProvider"]), "a CUDA graph needs one shape"


@pytest.fixture(params=[8, 4])
def bits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Make every CPU graph with codes of so many bits, whatever its size."""
    found: int = request.param
    monkeypatch.setattr(fold_in, "bits_for", lambda matrix: found)
    return found


@pytest.mark.parametrize("target", list(Target))
@pytest.mark.parametrize("n_factors", [16, 48, 64, 128, 200])
def test_a_request_in_a_batch_is_answered_as_alone(tmp_path: Path, target: Target, n_factors: int, bits: int) -> None:
    als = model_worlds.als_factors(n_items=N_ITEMS, n_factors=n_factors)
    session = loaded(build_fold_in(als, target=target), tmp_path)
    feeds = sessions(np.random.default_rng(0), 32, als.last_n)
    shared = {name: value for name, value in shared_feeds().items() if name in session.input_shapes}
    together = session.run(feeds | shared)
    for row in range(32):
        alone = session.run({name: value[row : row + 1] for name, value in feeds.items()} | shared)
        np.testing.assert_array_equal(alone[0][0], together[0][row])
        np.testing.assert_allclose(alone[1][0], together[1][row], rtol=2e-5, atol=1e-7)


def test_both_targets_give_the_same_list(tmp_path: Path, bits: int) -> None:
    """On this machine both run on the CPU: what is compared is the graphs, few bits against float16."""
    als = model_worlds.als_factors(n_items=N_ITEMS)
    feeds = sessions(np.random.default_rng(1), 16, als.last_n) | shared_feeds()
    answers = []
    for target in Target:
        session = loaded(build_fold_in(als, target=target), tmp_path, target.value)
        index, score = session.run({name: feeds[name] for name in session.input_shapes})
        answers.append((index[:, :20], score[:, :20]))
    np.testing.assert_array_equal(answers[0][0], answers[1][0])
    np.testing.assert_allclose(answers[0][1], answers[1][1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("alpha", "decay", "last_n"), [(1.0, 0.7, 10), (40.0, 1.0, 50), (0.5, 0.9, 1)])
def test_the_solver_is_exact_for_any_confidence(
    tmp_path: Path, alpha: float, decay: float, last_n: int, bits: int
) -> None:
    als = replace(model_worlds.als_factors(n_items=N_ITEMS), alpha=alpha, decay=decay, last_n=last_n)
    session = loaded(build_fold_in(als), tmp_path)
    rng = np.random.default_rng(2)
    for _ in range(10):
        items = rng.choice(np.arange(1, N_ITEMS), last_n, replace=False)
        feeds = {
            "item_index": items[None],
            "weight": np.ones((1, last_n), np.float32),
            "age": np.arange(last_n - 1, -1, -1, dtype=np.float32)[None],
            "is_last": np.ones((1, last_n), np.float32),
            "exclude": np.zeros((1, 1), np.int64),
        }
        expected = als_scores(als, items.tolist(), [1.0] * last_n)
        answer = session.run(feeds | shared_feeds())
        np.testing.assert_allclose(answer[1][0], np.sort(expected[1:])[::-1][:20], rtol=1e-3)


def test_more_confidence_and_rarer_items_need_more_steps() -> None:
    als = model_worlds.als_factors(n_items=50)
    common, rare = whiten(als.item_factors, 100.0), whiten(als.item_factors, 0.001)
    light = doublings_needed(common, alpha=1.0, decay=0.7, last_n=10)
    heavy = doublings_needed(common, alpha=40.0, decay=1.0, last_n=50)
    heaviest = doublings_needed(rare, alpha=40.0, decay=1.0, last_n=50)
    assert 1 <= light < heavy < heaviest <= 20
    assert doublings_needed(np.zeros((5, 4), np.float32), alpha=1.0, decay=1.0, last_n=1) == 1


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 1_200), n_groups=st.integers(512, 600), levels=st.integers(1, 40))
def test_the_best_by_groups_are_the_best_with_the_same_ties(seed: int, k: int, n_groups: int, levels: int) -> None:
    """Few distinct values, so that nearly everything is a tie."""
    n_scores = n_groups * GROUP
    values = np.random.default_rng(seed).integers(0, levels, (2, n_scores)).astype(np.float32)
    index, score = _grouped(n_scores).run({"values": values, "k": np.array([k], np.int64)})
    expected = np.argsort(-values, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(index, expected)
    np.testing.assert_array_equal(score, np.take_along_axis(values, expected, axis=1))


_SESSIONS: dict[int, GraphSession] = {}


def _grouped(n_scores: int) -> GraphSession:
    if n_scores not in _SESSIONS:
        g = GraphBuilder("grouped")
        values = g.input("values", np.float32, ["B", n_scores])
        score, index = best_of(g, values, g.input("k", np.int64, [1]), n_scores=n_scores)
        g.output("index", index, np.int64, ["B", "K"])
        g.output("score", score, np.float32, ["B", "K"])
        with tempfile.TemporaryDirectory() as folder:
            _SESSIONS[n_scores] = loaded(g.build(), Path(folder))
    return _SESSIONS[n_scores]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n_rows=st.integers(1, 60), n_columns=st.integers(1, 40))
def test_ragged_rows_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n_rows: int, n_columns: int
) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(1, 100, (n_rows, n_columns)).astype(np.int32)
    table[rng.random(table.shape) < 0.3] = 0  # holes stay where they are
    table[np.arange(n_columns)[None] >= rng.integers(0, n_columns + 1, n_rows)[:, None]] = 0
    g = GraphBuilder("ragged")
    rows = g.input("rows", np.int64, ["L"])
    shape = ragged_rows(g, table, "table")
    read = shape.read(g, g.constant(blocks_of(table, table)), shape.places(g, rows))
    g.output("values", read, np.int32, ["L", "W"])
    session = loaded(g.build(), tmp_path_factory.mktemp("ragged"))
    wanted = rng.integers(0, n_rows, 20)
    (values,) = session.run({"rows": wanted})
    width = min(values.shape[1], n_columns)
    np.testing.assert_array_equal(values[:, :width], table[wanted, :width])
    assert not values[:, width:].any()
    assert not table[wanted, width:].any()


@pytest.mark.parametrize(
    ("columns", "block"), [(8, 16), (16, 16), (48, 32), (64, 64), (100, 32), (128, 128), (200, 32)]
)
@pytest.mark.parametrize("bits", [8, 4])
def test_quantised_rows_are_off_by_half_a_step_at_most(columns: int, block: int, bits: int) -> None:
    assert block_size(columns) == block
    matrix = np.random.default_rng(0).standard_normal((50, columns)).astype(np.float32)
    matrix[3] = 0
    rows = quantise_rows(matrix, bits=bits)
    codes = rows.codes
    if bits == 4:
        codes = np.stack([codes & 15, codes >> 4], axis=-1).reshape(*rows.scales.shape, block)
    restored = (codes.astype(np.float32) - (1 << (bits - 1))) * rows.scales[:, :, None]
    error = np.abs(restored.reshape(50, -1)[:, :columns] - matrix)
    assert np.all(error <= 0.5001 * np.repeat(rows.scales, block, axis=1)[:, :columns])


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("most_entries", [None, 20_000])
def test_sums_of_what_is_touched_are_those_of_the_whole_catalogue(
    tmp_path: Path, seed: int, most_entries: int | None
) -> None:
    rng = np.random.default_rng(seed)
    n_tables, n_entries, n_rows, k = 3, int(rng.integers(1, 400)), 1_000, 25
    index = rng.integers(0, int(rng.integers(2, n_rows)), (n_tables, n_entries)).astype(np.int32)
    value = (rng.integers(1, 9, index.shape) / 8).astype(np.float32)  # exact sums, many ties
    g = GraphBuilder("touched")
    sums = summed(
        g,
        g.input("index", np.int32, [n_tables, "M"]),
        g.input("value", np.float32, [n_tables, "M"]),
        n_rows=n_rows,
        most_entries=most_entries,
    )
    g.output("given", of_given(g, sums, g.input("candidates", np.int64, ["C"])), np.float32, [n_tables, "C"])
    top_score, top_index = best(g, sums, sums.total, g.ints(k))
    g.output("top_index", top_index, np.int32, [n_tables, "K"])
    g.output("top_score", top_score, np.float32, [n_tables, "K"])

    candidates = rng.permutation(n_rows)[:50]
    given_sums, found, scores = loaded(g.build(), tmp_path).run(
        {"index": index, "value": value, "candidates": candidates}
    )

    for table in range(n_tables):
        total = np.bincount(index[table], weights=value[table], minlength=n_rows)
        order = np.argsort(-total, kind="stable")
        order = order[total[order] > 0][:k]
        assert found[table][: len(order)].tolist() == order.tolist()
        assert scores[table][: len(order)].tolist() == total[order].tolist()
        assert (scores[table][len(order) :] < 0).all()
        assert given_sums[table].tolist() == total[candidates].tolist()
