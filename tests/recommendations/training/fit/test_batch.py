"""Every source in a world where the next item is certain, and alone = batched."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from recommendations.ranking.histories import SessionHistories
from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import popularity_vocabulary
from recommendations.training.data.split import points_at_every_position
from recommendations.training.fit import batch
from recommendations.training.fit.als import fit_als, unit_vectors
from recommendations.training.fit.batch import (
    score_als,
    score_neighbours,
    score_popularity,
    score_recents,
    score_sessions,
)
from recommendations.training.fit.neighbours import (
    fit_covisitation,
    fit_next,
    fit_tfidf,
    fit_vector_neighbours,
)
from recommendations.training.fit.sessions import fit_sessions
from recommendations.training.fitted import Neighbours, Popularity

SCORERS = {
    "tfidf": (score_neighbours, fit_tfidf),
    "covisitation": (score_neighbours, fit_covisitation),
    "next": (score_neighbours, fit_next),
    "sessions": (score_sessions, fit_sessions),
    "als": (score_als, partial(fit_als, factors=12, seed=1)),
    "als-cosine": (
        score_neighbours,
        lambda log: fit_vector_neighbours("als", unit_vectors(fit_als(log, factors=12, seed=1).item_factors), k=20),
    ),
}


def scorer(name, log):
    """Fit a source once, and return what scores histories by it."""
    score, fit = SCORERS[name]
    fitted = fit(log)
    return lambda histories, k: score(fitted, histories, k=k)


@pytest.fixture(params=SCORERS)
def score(request, aisles):
    return scorer(request.param, aisles)


def index_of(log, *item_ids):
    return [log.item_ids.index(item_id) for item_id in item_ids]


def test_everything_listed_for_an_aisle_is_of_that_aisle(score, aisles):
    lists = score(SessionHistories.of([index_of(aisles, "a3-1", "a3-2")]), 5)

    assert {aisles.item_ids[i][:2] for i in lists.items[0] if i} == {"a3"}


@pytest.mark.slow
def test_alone_equals_batched(score, aisles):
    histories = SessionHistories.of([index_of(aisles, f"a{a}-0", f"a{a}-{b}") for a in range(8) for b in range(6)])

    batched = score(histories, 5)

    for row in range(len(histories)):
        alone = score(SessionHistories.of([histories[row].tolist()]), 5)
        assert alone.items[0].tolist() == batched.items[row].tolist()
        np.testing.assert_allclose(alone.scores[0], batched.scores[row], rtol=1e-4)


@pytest.mark.parametrize("name", ["next", "sessions"])
def test_ordered_sources_put_the_certain_next_item_before_the_other_new_ones(name, aisles):
    lists = scorer(name, aisles)(SessionHistories.of([index_of(aisles, "a5-1", "a5-2")]), 5)

    ids = [aisles.item_ids[i] for i in lists.items[0]]
    assert ids.index("a5-3") < min(ids.index(other) for other in ("a5-4", "a5-5") if other in ids)


def test_scores_fall_and_the_padding_row_is_never_listed(score, aisles):
    lists = score(SessionHistories.of([index_of(aisles, "a0-0")]), 10)

    listed = lists.items[0] > 0
    assert (np.diff(lists.scores[0][listed]) <= 0).all()
    assert listed.tolist() == sorted(listed.tolist(), reverse=True)
    assert lists.items.dtype == np.int32
    assert lists.scores.dtype == np.float32


def test_neighbours_weigh_by_age_and_repeats_add_up():
    table = Neighbours(
        name="t",
        indices=np.array([[0], [3], [4], [0], [0]], np.int32),
        weights=np.array([[0], [1], [1], [0], [0]], np.float32),
        decay=0.5,
        last_n=3,
    )

    lists = score_neighbours(table, SessionHistories.of([[1, 1, 2, 1]]), k=2)

    assert lists.items.tolist() == [[3, 4]]
    np.testing.assert_allclose(lists.scores, [[1 + 0.25, 0.5]])


def test_session_scores_follow_the_written_formula():
    log = log_from_sessions([["a", "b", "c"], ["b", "d"], ["a", "d"]])
    log = log.reindexed(popularity_vocabulary(log))
    index = fit_sessions(log, neighbours=10)
    history = index_of(log, "a", "b")

    lists = score_sessions(index, SessionHistories.of([history]), k=4)

    expected = np.zeros(log.n_items)
    n = len(history)
    for row in range(1, 4):
        theirs = index.session_items[row].tolist()
        positions = {item: p for p, item in enumerate(history, start=1) if item in theirs}
        similarity = index.session_weights[row] * sum(
            np.exp((p - n) / index.position_decay) for p in positions.values()
        )
        star = max(theirs.index(item) for item in positions)
        for column, item in enumerate(theirs):
            expected[item] += (
                (item > 0)
                * similarity
                * np.exp((max(positions.values()) - n) / index.overlap_decay)
                * np.exp(-abs(column - star) / index.distance_decay)
                * index.item_weights[item]
            )
    np.testing.assert_allclose(lists.scores[0], np.sort(expected)[::-1][:4], rtol=1e-5)
    assert lists.items[0].tolist() == np.argsort(-expected, kind="stable")[:4].tolist()


def test_recents_are_distinct_and_newest_first():
    lists = score_recents(SessionHistories.of([[1, 2, 1, 3], [4]]), k=4)

    assert lists.items.tolist() == [[3, 1, 2, 0], [4, 0, 0, 0]]


def test_popularity_lists_recent_sellers_and_no_others():
    popularity = Popularity(
        recent=np.array([0, 0, 2, 2, 1], np.float32), all_time=np.array([0, 9, 3, 4, 1], np.float32)
    )

    lists = score_popularity(popularity, SessionHistories.of([[1], [2]]), k=4)

    assert lists.items.tolist() == [[3, 2, 4, 0]] * 2


def test_few_histories_at_a_time_get_the_lists_of_many(aisles, monkeypatch):
    index, points = fit_sessions(aisles), points_at_every_position(aisles, most=100)
    whole = batch.score_sessions(index, points.histories, k=5)
    monkeypatch.setattr(batch, "MAX_CELLS", 3 * aisles.n_items)

    found = batch.score_sessions(index, points.histories, k=5)

    np.testing.assert_array_equal(found.items, whole.items)
