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


def test_it_becoming_midnight_gives_no_network_a_second_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten networks send all day long on both sides of a midnight, with a new id an event, on a shop's first day."""
    monkeypatch.setattr(votes, "TRAFFIC_SHARE", 0.2)
    hours = votes._ALL_DAY_MS
    shape = votes.Shape(words="all day", n_ids=lambda n: n, n_networks=10, kinds=("view_item",), within_ms=hours)
    with shop("midnight", lateness_ms=86_400_000) as made:
        attacked = votes.Attacked(made, n_users=400)
        assert attacked.now_ms % 86_400_000 == 43_200_000
        attacked.live_a_day()
        attacked.by(shape)
        stats = made.stats()

    most = networks.VISITORS_A_NETWORK * 10 + networks.VISITORS_ABOVE
    honest = sum(
        target == item["item_id"]
        for target in made.items[-votes.N_TARGETS :]
        for *_, events in attacked.honest
        for item in events[0]["params"]["items"]
    )
    for window in ("24h", "7d"):
        found = [stats.count(item_id, "viewers", window) for item_id in made.items[-votes.N_TARGETS :]]
        assert sum(found) <= votes.N_TARGETS * most + honest * networks.VISITORS_A_NETWORK
        assert min(found) >= 10
