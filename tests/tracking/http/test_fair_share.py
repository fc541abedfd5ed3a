"""A shared quota: one sender alone has all of it, and who sends little is not refused for what another sends."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.http import fair_share
from tracking.http.fair_share import FairShare


def admitted(share: FairShare, sender: str, amount: float = 1, *, weight: float = 1, limit: float) -> bool:
    if not share.admits(sender, amount, weight=weight, limit=limit):
        return False
    share.add(sender, amount, weight=weight)
    return True


def test_a_sender_alone_has_the_whole_quota_and_no_more() -> None:
    share = FairShare()
    assert sum(admitted(share, "one", limit=100) for _ in range(300)) == 100


def test_ten_users_are_served_after_one_address_took_it_all() -> None:
    share = FairShare()
    for _ in range(10_000):
        admitted(share, "attacker", limit=100)
    assert all(admitted(share, f"user {number}", limit=100) for number in range(10) for _ in range(9))


def test_known_visitors_have_more() -> None:
    share = FairShare()
    for _ in range(1_000):
        admitted(share, "new", limit=100)
        admitted(share, "known", weight=4, limit=100)
    used = {name: share._used[position] for name, position in share._index.items()}
    assert used["known"] == 80, "four of five parts, also of what the other took before"
    assert used["new"] <= 50


SENDS = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 5), st.sampled_from([1.0, 4.0])), min_size=1, max_size=120)


@given(sends=SENDS, limit=st.integers(5, 60))
def test_it_decides_as_filling_water_does(sends: list[tuple[int, int, float]], limit: int) -> None:
    """Against a model that knows nothing of arrays: all are counted up to the level of who asks."""
    share = FairShare()
    used: Counter[int] = Counter()
    weights: dict[int, float] = {}
    for sender, amount, weight in sends:
        level = (used[sender] + amount) / weight
        together = sum(min(used[each], weights[each] * level) for each in used if each != sender and used[each])
        expected = together + used[sender] + amount <= limit
        assert share.admits(str(sender), amount, weight=weight, limit=limit) is expected
        if expected:
            share.add(str(sender), amount, weight=weight)
            used[sender] += amount
            weights[sender] = weight
    n_senders = max(len(weights), 1)
    heaviest = max(weights.values(), default=1.0)
    assert share.total == sum(used.values())
    assert share.total <= limit * (1 + math.log(n_senders * heaviest)) + 1e-9


@pytest.mark.slow
@given(
    needs=st.lists(st.integers(1, 10), min_size=1, max_size=12),
    n_attacks=st.integers(0, 400),
    seed=st.integers(0, 1_000),
)
def test_whoever_is_within_the_quota_with_all_counted_up_to_them_is_never_refused(
    needs: list[int], n_attacks: int, seed: int
) -> None:
    """Whatever one of them sends, and in whatever order."""
    limit = max(needs) * (len(needs) + 1)
    share = FairShare()
    sends = [f"user {number}" for number, need in enumerate(needs) for _ in range(need)]
    sends += ["attacker"] * n_attacks
    random.Random(seed).shuffle(sends)
    refused = Counter(sender for sender in sends if not admitted(share, sender, limit=limit))
    assert set(refused) <= {"attacker"}


def test_senders_beyond_the_most_share_and_memory_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_share, "MAX_SENDERS", 64)
    share = FairShare()
    for number in range(1_000):
        admitted(share, f"sender {number}", limit=1e9)
    assert len(share._index) == 64
    assert len(share._used) == 64
    assert share.total == share._used.sum() == 1_000
