"""Item-item tables answer with the sums of decayed weights, each table by its own settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recommendations.graphs.builder import HIDDEN
from recommendations.graphs.neighbours import build_neighbours, groups_of
from recommendations.inference.runtime import GraphSession
from recommendations.training.fitted import Neighbours
from tests.recommendations import model_worlds
from tests.recommendations.graphs.running import loaded

INDICES = np.array([[0, 0], [3, 2], [3, 0], [0, 0]], np.int32)
WEIGHTS = np.array([[0, 0], [1.0, 0.5], [0.25, 0], [0, 0]], np.float32)
BOTH = Neighbours(name="both", indices=INDICES, weights=WEIGHTS, decay=0.5, last_n=2)
NEWEST = Neighbours(name="newest", indices=INDICES, weights=WEIGHTS, decay=0.5, last_n=1)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> GraphSession:
    return loaded(build_neighbours([BOTH, NEWEST]), tmp_path_factory.mktemp("graphs"))


def feeds(**changes: Any) -> dict[str, np.ndarray[Any, Any]]:
    """First item 1, then item 2; both tables, the best three."""
    values = {
        "item_index": np.array([1, 2]),
        "weight": np.ones(2, np.float32),
        "age": np.array([1, 0], np.float32),
        "place": np.array([1, 0], np.float32),
        "tables": np.array([0, 1]),
        "exclude": np.array([0]),
        "hidden_bias": np.array([HIDDEN, 0, 0, 0], np.float32),
        "k": np.array([3]),
        "candidates": np.array([1, 2, 3]),
    }
    return {**values, **changes}


def test_weights_decay_with_age_and_add_up_within_the_newest_of_each_table(session: GraphSession) -> None:
    index, score, given = session.run(feeds())
    assert index[0][:2].tolist() == [3, 2]
    np.testing.assert_allclose(score[0][:2], [0.25 + 0.5 * 1.0, 0.5 * 0.5], rtol=1e-6)
    np.testing.assert_allclose(given, [[0, 0.25, 0.75], [0, 0, 0.25]], rtol=1e-6)


def test_only_the_tables_that_are_asked_answer(session: GraphSession) -> None:
    index, _, given = session.run(feeds(tables=np.array([1])))
    assert index.shape[0] == 1
    np.testing.assert_allclose(given, [[0, 0, 0.25]], rtol=1e-6)


def test_excluded_and_hidden_items_fall_below_everything(session: GraphSession) -> None:
    hidden_bias = np.array([HIDDEN, 0, HIDDEN, 0], np.float32)
    _, score, given = session.run(feeds(exclude=np.array([3]), hidden_bias=hidden_bias))
    assert given[0][0] == 0
    assert (given[0][1:] < 0).all()
    assert (score[0] <= 0).all()


def test_tables_share_graphs_in_their_order_up_to_the_limit() -> None:
    tables = [model_worlds.neighbours(n_items=50, name=name) for name in "abc"]
    size_bytes = 8 * int(np.count_nonzero(tables[0].indices)) + 40 * 50
    names = [[table.name for table in group] for group in groups_of(tables, most_bytes=2 * size_bytes)]
    assert names == [["a", "b"], ["c"]]
    assert [len(group) for group in groups_of(tables, most_bytes=1)] == [1, 1, 1], "a table is never cut"
    assert len(groups_of(tables)) == 1
