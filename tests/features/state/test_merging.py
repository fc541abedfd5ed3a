"""Two profiles become one: every field has a rule, and every count adds up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from features.state import merging
from features.state.counting import seen, votes
from features.state.identity import attributes
from features.state.states import ProfileState

DAY = 20_000
AMOUNT = st.integers(1, 1_000_000)  # never 0, the default: a field that is dropped is seen
TIMES = st.dictionaries(st.sampled_from("abc"), AMOUNT, max_size=3)
SEEN_IDS = st.builds(seen.SeenIds, st.dictionaries(st.integers(1, 9), AMOUNT), AMOUNT)

PROFILES = st.builds(
    ProfileState,
    **{one.name: AMOUNT for one in fields(ProfileState) if one.type is int},
    seen=st.dictionaries(st.integers(1, 9), AMOUNT),
    seen_import=st.dictionaries(st.integers(1, 9), AMOUNT),
    seen_orders=SEEN_IDS,
    seen_orders_import=SEEN_IDS,
    attributes=st.dictionaries(
        st.sampled_from("abc"), st.tuples(st.none() | st.text(max_size=3), AMOUNT, st.booleans()).map(list)
    ),
    votes=st.dictionaries(st.integers(1, 3), st.lists(AMOUNT, max_size=4)),
    days=st.dictionaries(st.integers(DAY, DAY + 5), st.tuples(st.integers(1, 9), AMOUNT).map(list)),
    sessions=st.lists(AMOUNT.map(lambda at_ms: [at_ms, at_ms, 1]), max_size=2),
    counts=TIMES,
    recents=TIMES,
    bought=TIMES,
    aliases=TIMES,
    cart=st.dictionaries(st.sampled_from("abc"), st.tuples(AMOUNT, st.integers(0, 3)).map(list)),
    touches=st.lists(st.tuples(AMOUNT, st.sampled_from("ab"), st.just("home|||")), max_size=3),
    conversions=st.lists(
        st.tuples(AMOUNT, st.sampled_from("ab"), st.just("p"), st.integers(1, 2), AMOUNT, AMOUNT), max_size=3
    ),
    transactions=st.dictionaries(st.integers(1, 9), st.tuples(AMOUNT, AMOUNT, st.just(0)).map(list)),
    exposures=st.dictionaries(st.sampled_from("abc"), st.lists(AMOUNT, min_size=12, max_size=12)),
    late_orders=st.dictionaries(st.integers(1, 9), st.lists(AMOUNT, min_size=5, max_size=5)),
)


def newest(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {**one, **other}}


def added(one: dict[int, list[int]], other: dict[int, list[int]]) -> dict[int, list[int]]:
    nothing = [0, 0]
    return {
        day: [a + b for a, b in zip(one.get(day, nothing), other.get(day, nothing), strict=True)]
        for day in {**one, **other}
    }


def last_written(one: dict[str, list[int]], other: dict[str, list[int]]) -> dict[str, list[int]]:
    writes = [(at_ms, -quantity, item_id) for cart in (one, other) for item_id, (at_ms, quantity) in cart.items()]
    return {item_id: [at_ms, -minus] for at_ms, minus, item_id in sorted(writes)}


def first_seen(one: dict[str, list[int]], other: dict[str, list[int]]) -> dict[str, list[int]]:
    """The arm of the earlier exposure, and all figures added up."""
    merged = {**one, **other}
    for name in one.keys() & other.keys():
        earlier = min(one[name], other[name], key=lambda exposure: (exposure[1], exposure[0]))
        sums = [a + b for a, b in zip(one[name][2:], other[name][2:], strict=True)]
        merged[name] = [*earlier[:2], *sums]
    return merged


def add(one: int, other: int) -> int:
    return one + other


RULES: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(
        (
            "page_views", "list_views", "selects", "views", "carts", "wishlists", "searches", "checkouts", "orders",
            "units", "revenue", "refunds", "refunded",
        ),
        add,
    ),
    **dict.fromkeys(
        ("newest_ms", "last_purchase_ms", "session_number", "cart_cleared", "seen_until_s", "seen_import_until_s"), max
    ),
    "first_ms": min,
    **dict.fromkeys(("recents", "bought", "aliases"), newest),
    **dict.fromkeys(("seen", "seen_import"), lambda one, other: {**one, **other}),
    "transactions": lambda one, other: {
        key: min(known[key] for known in (one, other) if key in known) for key in {**one, **other}
    },
    **dict.fromkeys(("seen_orders", "seen_orders_import"), seen.join),
    "votes": votes.join,
    "attributes": attributes.join,
    "days": added,
    "apart": added,
    "counts": lambda one, other: {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}},
    "cart": last_written,
    "sessions": lambda one, other: merging.joined_sessions([*one, *other]),
    "touches": lambda one, other: sorted({*one, *other}),
    "conversions": lambda one, other: sorted([*one, *other]),
    "exposures": first_seen,
    "late_orders": lambda one, other: {**one, **other},
    "is_fully_loaded": lambda one, other: True,
}  # fmt: skip


def test_every_field_of_a_profile_has_a_rule() -> None:
    """A new field fails here until somebody has said what merging two of it means."""
    assert set(RULES) == set(ProfileState.__struct_fields__)


@pytest.mark.slow
@settings(max_examples=30, phases=[Phase.generate])  # the field is named; a smaller example says no more
@given(PROFILES, PROFILES)
def test_each_field_is_merged_by_its_rule(older: ProfileState, newer: ProfileState) -> None:
    merged = merging.merged(older, newer)

    for name, rule in RULES.items():
        assert getattr(merged, name) == rule(getattr(older, name), getattr(newer, name)), name


def test_counts_are_all_numbers_but_times() -> None:
    assert set(merging.SUMS) == {name for name, rule in RULES.items() if rule is add}


def test_sessions_closer_than_half_an_hour_are_one() -> None:
    half_hour = 30 * 60_000
    apart = [[0, 10, 2], [10 + half_hour + 1, 10 + half_hour + 5, 1]]

    assert merging.joined_sessions([[10 + half_hour, 20 + half_hour, 3], [0, 10, 2]]) == [[0, 20 + half_hour, 5]]
    assert merging.joined_sessions(apart) == apart
