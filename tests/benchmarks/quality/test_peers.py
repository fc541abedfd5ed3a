"""Parameters are chosen on what is known, and by what follows in it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.quality.peers import PEERS, Peer, searched
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import IndexArray
from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import SessionLog


def test_the_settings_that_foresee_the_newest_tenth_best_are_chosen() -> None:
    known = log_from_sessions([["a", "b", "c"]] * 18 + [["a", "c"]] * 2)
    fitted_on: list[int] = []

    def always(log: SessionLog, histories: SessionHistories, *, item: float) -> IndexArray:
        fitted_on.append(len(log))
        listed = np.zeros((len(histories), 20), np.int32)
        listed[:, 0] = log.item_ids.index("abc"[int(item)])
        return listed

    settings: tuple[Mapping[str, float], ...] = ({"item": 0}, {"item": 1}, {"item": 2})
    peer = Peer(name="Always", key="always", list_for=always, settings=settings)

    assert searched(peer, known) == {"item": 2}
    assert fitted_on == [18, 18, 18]


def test_where_nothing_tells_settings_apart_the_first_are_taken() -> None:
    known = log_from_sessions([["a", "b"]] * 18 + [["a", "c"]] * 2)  # nobody knows c before the newest tenth

    for peer in PEERS:
        assert searched(peer, known) == peer.settings[0]
