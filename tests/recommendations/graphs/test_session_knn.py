"""Session kNN goes from the newest items to sessions like this one, and on to their items."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from recommendations.graphs.builder import HIDDEN
from recommendations.graphs.session_knn import build_session_knn
from recommendations.training.fitted import SessionIndex
from tests.recommendations.graphs.running import loaded

ONE_STEP = float(np.exp(-1.0))
"""What is left after one step: every decay below is 1."""

# Sessions, oldest first: 1 → 2, then 1 → 3, then 4 → 5.
SESSIONS = SessionIndex(
    postings=np.array([[0, 0], [2, 1], [1, 0], [2, 0], [3, 0], [3, 0]], np.int32),
    session_items=np.array([[0, 0], [1, 2], [1, 3], [4, 5]], np.int32),
    session_weights=np.array([0, 1, 1, 1], np.float32),
    item_weights=np.array([0, 1, 1, 1, 1, 2], np.float32),
    neighbours=10,
    max_history=20,
    position_decay=1.0,
    overlap_decay=1.0,
    distance_decay=1.0,
)


def scores(tmp_path: Path, sessions: SessionIndex, *items: int, exclude: int = 0) -> dict[int, float]:
    """Return the scores above 0 for a history of different items, oldest first."""
    n = len(items)
    index, score, given = loaded(build_session_knn(sessions), tmp_path).run(
        {
            "item_index": np.array(items),
            "weight": np.ones(n, np.float32),
            "age": np.arange(n - 1, -1, -1, dtype=np.float32),
            "is_last": np.ones(n, np.float32),
            "exclude": np.array([exclude]),
            "hidden_bias": np.array([HIDDEN, 0, 0, 0, 0, 0], np.float32),
            "k": np.array([5]),
            "candidates": np.arange(6),
        }
    )
    found = {int(item): float(value) for item, value in zip(index, score, strict=True) if value > 0}
    assert found == {item: float(value) for item, value in enumerate(given) if value > 0}
    return found


def close_to(found: dict[int, float], expected: dict[int, float]) -> bool:
    return found.keys() == expected.keys() and all(np.isclose(found[item], expected[item]) for item in expected)


def test_items_of_sessions_that_share_an_item_score_by_their_nearness_to_it(tmp_path: Path) -> None:
    assert close_to(scores(tmp_path, SESSIONS, 1), {1: 2.0, 2: ONE_STEP, 3: ONE_STEP})


def test_of_equally_similar_sessions_the_newer_is_kept(tmp_path: Path) -> None:
    assert close_to(scores(tmp_path, replace(SESSIONS, neighbours=1), 1), {1: 1.0, 3: ONE_STEP})


def test_an_older_item_of_the_history_counts_less_and_a_rare_item_more(tmp_path: Path) -> None:
    # Item 4 is one step back: once in the similarity of its session, once in how fresh the overlap is.
    found = scores(tmp_path, SESSIONS, 4, 2)
    assert close_to(found, {2: 1.0, 1: ONE_STEP, 4: ONE_STEP**2, 5: 2 * ONE_STEP**3})


def test_an_excluded_item_is_no_answer(tmp_path: Path) -> None:
    assert close_to(scores(tmp_path, SESSIONS, 1, exclude=1), {2: ONE_STEP, 3: ONE_STEP})


def test_an_item_of_no_session_has_no_neighbours(tmp_path: Path) -> None:
    lonely = replace(SESSIONS, postings=np.where(np.arange(6)[:, None] == 4, 0, SESSIONS.postings))
    assert scores(tmp_path, lonely, 4) == {}
