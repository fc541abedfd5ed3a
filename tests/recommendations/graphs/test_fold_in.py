"""The fold-in answers each request as alone, alike for both targets, and exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommendations.graphs import fold_in
from recommendations.graphs.builder import HIDDEN
from recommendations.graphs.fold_in import Target, build_fold_in, doublings_needed, whiten
from tests.recommendations import model_worlds
from tests.recommendations.graphs.running import als_scores, loaded

N_ITEMS = 400


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
