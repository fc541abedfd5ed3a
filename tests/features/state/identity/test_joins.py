"""A user has the browsers of a person; an id that stands for many joins a few of them, the same in whatever order."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from features.definitions import DAY_MS, JOINS_A_DAY, KEEP_ALIASES
from features.state import user_features
from features.state.identity import joins
from features.state.user_features import StateBlobs
from tests.features.making import NOW_MS, States, event, record

SEEN = st.lists(st.tuples(st.integers(0, 12).map(str), st.integers(0, 3 * DAY_MS)), max_size=30)


def left_out() -> float:
    return REGISTRY.get_sample_value("recsite_joins_left_out_total") or 0.0


def noted(seen: list[tuple[str, int]]) -> dict[str, int]:
    aliases: dict[str, int] = {}
    for anonymous_id, at_ms in seen:
        joins.note(aliases, anonymous_id, at_ms)
    return aliases


@given(SEEN, st.randoms())
def test_order_and_repetition_join_the_same(seen: list[tuple[str, int]], rng: Any) -> None:
    shuffled = [*seen, *seen[:3]]
    rng.shuffle(shuffled)

    assert joins.joined(noted(shuffled)) == joins.joined(noted(seen))


@given(SEEN)
def test_no_day_joins_more_than_a_person_has_browsers(seen: list[tuple[str, int]]) -> None:
    aliases = noted(seen)
    found = joins.joined(aliases)

    assert len(found) <= KEEP_ALIASES
    for day in range(4):
        assert sum(aliases[one] // DAY_MS == day for one in found) <= JOINS_A_DAY
    assert found == sorted(found, key=lambda one: (aliases[one], one), reverse=True)


def test_a_till_of_a_hundred_browsers_is_one_user_with_four_and_what_is_beyond_is_counted() -> None:
    before = left_out()
    till = States()
    for number in range(100):
        seen = event("view_item", items=["a"], at_ms=NOW_MS + number)
        till.apply(record(seen, user_id="till", anonymous_id=f"browser-{number:016}"))

    features = user_features.merge([StateBlobs(None, till.profile_blob)], now_ms=NOW_MS)
    assert len(features.aliases) == JOINS_A_DAY
    assert till.profile.views == 100  # what was done under the user's id is the user's
    assert left_out() - before == 100 - JOINS_A_DAY


def test_a_person_with_a_browser_a_day_has_all_that_are_kept() -> None:
    aliases = noted([(f"b{day}", day * DAY_MS) for day in range(30)])

    assert joins.joined(aliases) == [f"b{day}" for day in range(29, 29 - KEEP_ALIASES, -1)]
