"""Golden vectors hold real sessions and the scores that the formulas give them."""

from __future__ import annotations

import numpy as np

from recommendations.graphs.golden import PROBED, QUESTIONS, RANKED_ROWS, TOP, golden_arrays
from recommendations.graphs.reference import neighbour_scores, session_scores
from tests.recommendations import model_worlds
from tests.recommendations.graphs.running import als_scores

FITTED = model_worlds.fitted_model_set(n_items=40)


def test_each_score_is_that_of_the_formula() -> None:
    golden = golden_arrays(FITTED, seed=1)
    assert golden["items"].shape[0] == QUESTIONS
    for row, padded in enumerate(golden["items"]):
        items = padded[padded > 0].tolist()
        ones = [1.0] * len(items)
        expected = {
            "sessions": session_scores(FITTED.sessions, items, ones),
            "als": als_scores(FITTED.als, items, ones),
            **{table.name: neighbour_scores(table, items, ones) for table in FITTED.neighbours},
        }
        for source, scores in expected.items():
            np.testing.assert_allclose(golden[f"{source}.top"][row], np.sort(scores[1:])[::-1][:TOP])
            np.testing.assert_allclose(golden[f"{source}.probe_score"][row], scores[golden[f"{source}.probe"][row]])


def test_questions_are_beginnings_of_real_sessions_padded_at_the_front() -> None:
    rows = [row[row > 0].tolist() for row in FITTED.sessions.session_items]
    for padded in golden_arrays(FITTED, seed=1)["items"]:
        items = padded[padded > 0].tolist()
        assert padded.tolist() == [0] * (len(padded) - len(items)) + items
        assert any(row[: len(items)] == items for row in rows)


def test_probed_items_are_real_and_different() -> None:
    probe = golden_arrays(FITTED, seed=1)["als.probe"]
    assert probe.shape == (QUESTIONS, min(PROBED, 39))
    for items in probe:
        assert len(set(items.tolist())) == len(items)
        assert items.min() >= 1


def test_the_seed_decides_everything() -> None:
    one, same, other = (golden_arrays(FITTED, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["als.probe"], other["als.probe"])


def test_a_model_set_without_a_ranker_has_no_rows_to_rank() -> None:
    assert golden_arrays(FITTED, seed=1)["ranker.matrix"].shape == (RANKED_ROWS, model_worlds.N_COLUMNS)
    without = golden_arrays(model_worlds.fitted_model_set(n_items=40, with_ranker=False), seed=1)
    assert not [name for name in without if name.startswith("ranker.")]
