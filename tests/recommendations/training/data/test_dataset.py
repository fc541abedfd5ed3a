from __future__ import annotations

from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import popularity_vocabulary


def sessions_of(log):
    return [
        [log.item_ids[i] for i in log.items[start:end]]
        for start, end in zip(log.offsets[:-1], log.offsets[1:], strict=True)
    ]


def test_vocabulary_falls_by_popularity_with_ties_by_id_and_the_unseen_last():
    log = log_from_sessions([["c", "b"], ["b", "a"]])

    assert popularity_vocabulary(log, catalogue=["z", "a"]) == ("", "b", "a", "c", "z")


def test_reindexing_drops_unknown_items_and_sessions_left_empty():
    log = log_from_sessions([["x"], ["a", "x", "b"]])

    known = log.reindexed(("", "b", "a"))

    assert sessions_of(known) == [["a", "b"]]
    assert known.item_ids == ("", "b", "a")
