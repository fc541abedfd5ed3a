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


def test_items_that_get_one_name_are_one_item_and_keep_their_times() -> None:
    log = log_from_sessions([["tee-m", "cup", "tee-l"], ["tee-l"]])

    renamed = log.renamed({"tee-m": "tee", "tee-l": "tee", "gone": "x"})

    assert sessions_of(renamed) == [["tee", "cup", "tee"], ["tee"]]
    assert renamed.item_ids == ("", "cup", "tee")
    assert renamed.occurred_at_ms.tolist() == log.occurred_at_ms.tolist()


def test_reindexing_drops_unknown_items_and_sessions_left_empty():
    log = log_from_sessions([["x"], ["a", "x", "b"]])

    known = log.reindexed(("", "b", "a"))

    assert sessions_of(known) == [["a", "b"]]
    assert known.item_ids == ("", "b", "a")
