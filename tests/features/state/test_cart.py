"""What is in the cart: last write wins, by event time, whatever order events arrive in."""

from __future__ import annotations

from itertools import permutations

import pytest

from features.definitions import CART_AGE_MS, KEEP_CART
from features.state import cart
from features.state.states import ProfileState
from tests.features.making import NOW_MS

WRITES = [("a", NOW_MS, 2), ("a", NOW_MS + 5, 1), ("b", NOW_MS + 2, 3), ("a", NOW_MS + 5, 4)]


@pytest.mark.parametrize("order", list(permutations(WRITES)))
def test_last_write_wins_and_of_equal_times_the_smaller(order: tuple[tuple[str, int, int], ...]) -> None:
    profile = ProfileState()
    for item_id, at_ms, quantity in order:
        cart.put(profile, item_id, at_ms=at_ms, quantity=quantity)

    assert cart.content(profile, now_ms=NOW_MS + 10) == {"a": 1, "b": 3}


def test_a_removal_hides_what_was_put_in_before_it_only() -> None:
    profile = ProfileState()
    cart.put(profile, "a", at_ms=NOW_MS + 5, quantity=0)
    cart.put(profile, "a", at_ms=NOW_MS, quantity=2)
    assert cart.content(profile, now_ms=NOW_MS + 10) == {}

    cart.put(profile, "a", at_ms=NOW_MS + 6, quantity=1)
    assert cart.content(profile, now_ms=NOW_MS + 10) == {"a": 1}


@pytest.mark.parametrize(("with_that_time", "left"), [(True, {"b": 1}), (False, {"b": 1, "a": 1})])
def test_clearing_takes_what_is_older(with_that_time: bool, left: dict[str, int]) -> None:
    profile = ProfileState()
    for item_id, at_ms in (("old", NOW_MS - 1), ("a", NOW_MS), ("b", NOW_MS + 1)):
        cart.put(profile, item_id, at_ms=at_ms, quantity=1)

    cart.clear(profile, at_ms=NOW_MS, with_that_time=with_that_time)

    assert cart.content(profile, now_ms=NOW_MS + 2) == left


def test_what_is_old_no_longer_counts_and_only_the_newest_are_kept() -> None:
    profile = ProfileState()
    for number in range(KEEP_CART + 3):
        cart.put(profile, f"i{number:02d}", at_ms=NOW_MS + number, quantity=1)

    assert list(cart.content(profile, now_ms=NOW_MS + 100))[:1] == [f"i{KEEP_CART + 2}"]
    assert len(profile.cart) == KEEP_CART
    assert "i00" not in profile.cart
    assert cart.content(profile, now_ms=NOW_MS + 100 + CART_AGE_MS) == {}
