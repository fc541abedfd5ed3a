"""The session index keeps what session neighbours need, newest first."""

from __future__ import annotations

import numpy as np

from recommendations.training.data.building import log_from_sessions
from recommendations.training.fit.sessions import fit_sessions


def test_postings_keep_the_newest_sessions():
    log = log_from_sessions([["a", "b"]] * 5)

    index = fit_sessions(log, postings=2)

    assert index.postings[log.item_ids.index("a")].tolist() == [5, 4]


def test_a_session_holds_each_item_once_at_its_last_position():
    index = fit_sessions(log_from_sessions([["a", "b", "a", "c"]]), max_length=3)

    assert index.session_items[1].tolist() == [2, 1, 3]


def test_a_newer_and_a_shorter_session_counts_more():
    index = fit_sessions(log_from_sessions([["a", "b"], ["a", "b"], ["a"]]), recency_decay=0.5)

    ages = np.array([3, 2, 1]) / 3
    expected = np.exp(-ages / 0.5) / np.sqrt([2, 2, 1])
    np.testing.assert_allclose(index.session_weights, [0, *expected], rtol=1e-6)


def test_a_rare_item_counts_more_and_padding_nothing():
    log = log_from_sessions([["a", "b"], ["a", "c"], ["a", "c"], ["a"]])

    weights = fit_sessions(log, idf_weight=2.0).item_weights

    np.testing.assert_allclose(weights, [0, 1, 1 + 2 * np.log(4), 1 + 2 * np.log(2)], rtol=1e-6)
