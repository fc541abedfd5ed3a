"""The measurement sees an attack: without the price of votes in networks, made-up ids lead the lists."""

from __future__ import annotations

import pytest

from benchmarks.attack import votes
from benchmarks.attack.counts import shop
from features.state.counting import networks

pytestmark = [pytest.mark.redis, pytest.mark.slow]


def test_made_up_ids_of_one_network_move_items_only_where_ids_alone_are_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(votes, "TRAFFIC_SHARE", 0.2)
    shape = votes.Shape(words="views", n_ids=lambda n: n, n_networks=1, kinds=("view_item",))
    with shop("votes", lateness_ms=86_400_000) as made:
        attacked = votes.Attacked(made, n_users=200)
        attacked.live_a_day()
        moved = attacked.by(shape)
        monkeypatch.setattr(networks, "VISITORS_A_NETWORK", 10**6)
        by_ids = attacked.by(shape)

    assert moved["24h"] == 0
    assert by_ids["24h"] == votes.N_TARGETS
