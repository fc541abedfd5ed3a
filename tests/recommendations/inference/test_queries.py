"""A query's interactions as graphs take them: newest last, each item's last occurrence marked."""

from __future__ import annotations

import numpy as np

from recommendations.inference.queries import MAX_INTERACTIONS, History, RetrievalQuery, history_of


def laid_out(*items: int, **changes: object) -> History:
    history = history_of(RetrievalQuery(indices=np.array(items, np.int64), **changes), n_items=1_000)  # type: ignore[arg-type]
    assert history is not None
    return history


def test_ages_count_from_the_newest_and_an_unknown_item_keeps_its_position() -> None:
    history = laid_out(7, 0, 9)
    assert history.age.tolist() == [2, 1, 0]
    assert history.weight.tolist() == [1, 0, 1]


def test_given_ages_and_weights_are_kept_beside_the_position() -> None:
    history = laid_out(7, 9, ages=np.array([30, 4]), weights=np.array([2, 5]))
    assert history.age.tolist() == [30, 4]
    assert history.weight.tolist() == [2, 5]
    assert history.from_newest.tolist() == [1, 0]


def test_only_the_last_occurrence_that_counts_is_marked() -> None:
    assert laid_out(7, 9, 7, 0).is_last.tolist() == [0, 1, 1, 0]
    without_the_last = laid_out(7, 9, 7, weights=np.array([1, 1, 0], np.float32))
    assert without_the_last.is_last.tolist() == [1, 1, 0]


def test_the_newest_interactions_are_kept_up_to_the_limit() -> None:
    items = np.arange(1, MAX_INTERACTIONS + 51)
    history = laid_out(*items.tolist(), weights=items)
    assert history.indices[0] == 51
    assert history.weight[0] == 51
    assert history.age[0] == MAX_INTERACTIONS - 1


def test_the_newest_part_of_a_history_is_a_view_of_every_column() -> None:
    history = laid_out(7, 8, 9)
    newest = history.newest(2)
    for name in ("indices", "weight", "age", "from_newest", "is_last"):
        assert getattr(newest, name).tolist() == getattr(history, name)[1:].tolist()
        assert np.shares_memory(getattr(newest, name), getattr(history, name))
    assert history.newest(3) is history


def test_nothing_to_go_by_is_no_history() -> None:
    assert history_of(RetrievalQuery(indices=np.array([0, 0])), n_items=10) is None
    assert history_of(RetrievalQuery(indices=np.array([3]), weights=np.zeros(1, np.float32)), n_items=10) is None
