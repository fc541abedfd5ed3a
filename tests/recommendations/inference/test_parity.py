"""A device whose scores are the CPU's agrees wholly; one that is off, by whatever, does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommendations.graphs.fold_in import Target, build_fold_in
from recommendations.inference.batching import BatchedScorer
from recommendations.inference.loading import scorer_of
from recommendations.inference.parity import LEAST_PARITY, RELATIVE_TOLERANCE, parity_of
from recommendations.inference.runtime import GraphSession, load_session
from tests.recommendations import model_worlds

N_ITEMS = 300


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BatchedScorer, GraphSession, int]]:
    folder = tmp_path_factory.mktemp("graphs")
    als = model_worlds.als_factors(n_items=N_ITEMS)
    for target in Target:
        (folder / target.value).write_bytes(build_fold_in(als, target=target).SerializeToString())
    scorer = scorer_of(load_session(folder / "cuda"), als.last_n)
    scorer.warm_up()
    yield scorer, load_session(folder / "cpu"), als.last_n
    scorer.close()


class Off:
    """A device whose scores are multiplied."""

    def __init__(self, scorer: BatchedScorer, factor: float) -> None:
        self.n_answers = scorer.n_answers
        self._scorer = scorer
        self._factor = np.float32(factor)

    def score(self, request: Any) -> Any:
        index, score = self._scorer.score(request)
        return index, score * self._factor


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories=st.lists(st.lists(st.integers(1, N_ITEMS - 1), min_size=1, max_size=30), min_size=1, max_size=4))
def test_half_precision_gives_the_scores_of_the_cpu(
    both: tuple[BatchedScorer, GraphSession, int], histories: list[list[int]]
) -> None:
    scorer, session, last_n = both
    asked = [np.array(items, np.int64) for items in histories]
    assert parity_of(scorer, session, asked, n_items=N_ITEMS, last_n=last_n) >= LEAST_PARITY


@pytest.mark.parametrize("factor", [1 + 3 * RELATIVE_TOLERANCE, 0.0, -1.0, float("nan"), float("inf")])
def test_a_device_that_is_off_does_not_pass(both: tuple[BatchedScorer, GraphSession, int], factor: float) -> None:
    scorer, session, last_n = both
    histories = [np.array([item, item + 1], np.int64) for item in range(1, 21)]
    off: Any = Off(scorer, factor)
    assert parity_of(off, session, histories, n_items=N_ITEMS, last_n=last_n) < LEAST_PARITY
    assert parity_of(scorer, session, histories, n_items=N_ITEMS, last_n=last_n) >= LEAST_PARITY


def test_histories_that_say_nothing_compare_nothing(both: tuple[BatchedScorer, GraphSession, int]) -> None:
    scorer, session, last_n = both
    assert parity_of(scorer, session, [np.zeros(5, np.int64)], n_items=N_ITEMS, last_n=last_n) == 1.0
