"""What the ranker knows of a session: by hand for one, and the same from both writers for many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from recommendations.ranking.columns import CANDIDATE_COLUMNS, HABIT_COLUMNS, SESSION_COLUMNS
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.session import NOT_SEEN, NOT_SEEN_AGE, one_session, session_columns


def batch(sequences: Sequence[Sequence[int]], others: Sequence[int] = ()) -> dict[tuple[int, int], dict[str, float]]:
    """Return the columns by query and item; ``others`` are candidates of every query besides its own items."""
    pairs = np.array(
        sorted({(query << 32) | item for query, items in enumerate(sequences) for item in (*items, *others)})
    )
    columns = session_columns(SessionHistories.of(sequences), pairs, pairs >> 32)
    assert tuple(columns) == SESSION_COLUMNS
    return {
        (int(pair >> 32), int(pair & 0xFFFFFFFF)): {name: float(values[row]) for name, values in columns.items()}
        for row, pair in enumerate(pairs)
    }


def alone(history: Sequence[int]) -> dict[int, dict[str, float]]:
    habits, seen, columns = one_session(np.array(history, np.int32))
    of_session = dict(zip(HABIT_COLUMNS, habits.tolist(), strict=True))
    return {
        item: {**dict(zip(CANDIDATE_COLUMNS, row, strict=True)), **of_session}
        for item, row in zip(seen.tolist(), columns.tolist(), strict=True)
    }


def test_a_session_by_hand() -> None:
    found = alone([8, 4, 8, 8, 5, 4])

    assert set(found) == {8, 4, 5}
    assert [found[8][name] for name in CANDIDATE_COLUMNS] == [3, 2, 5, 2, 1, 1, 1]
    assert [found[4][name] for name in CANDIDATE_COLUMNS] == [2, 0, 4, 0, 0, 0, 0]
    assert [found[5][name] for name in CANDIDATE_COLUMNS] == [1, 1, 1, 1, 0, 1, 0]
    assert [found[4][name] for name in HABIT_COLUMNS] == pytest.approx([6, 3, 0, 2, 4, 1 / 5, 2 / 5])


def test_one_item_alone_has_no_past() -> None:
    assert alone([7])[7] == {
        **dict(zip(CANDIDATE_COLUMNS, [1, 0, 0, 0, 0, 0, 0], strict=True)),
        **dict(zip(HABIT_COLUMNS, [1, 1, 0, 1, NOT_SEEN_AGE, 0, 0], strict=True)),
    }


def test_what_is_not_in_the_session_was_not_seen() -> None:
    found = batch([[1, 2, 1]], others=[9])

    assert [found[0, 9][name] for name in CANDIDATE_COLUMNS] == NOT_SEEN.tolist()
    assert found[0, 9]["session_length"] == 3


@pytest.mark.parametrize("seed", range(10))
def test_many_queries_for_training_get_what_one_request_gets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sequences = [rng.integers(1, 7, rng.integers(1, 15)).tolist() for _ in range(20)]

    together = batch(sequences)

    for query, history in enumerate(sequences):
        for item, columns in alone(history).items():
            assert together[query, item] == pytest.approx(columns), (history, item)
