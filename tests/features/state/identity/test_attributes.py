"""What is known of a user does not depend on the order of what was said, and a page overwrites no server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.state import states, user_features
from features.state.identity import attributes
from features.state.identity.attributes import Attributes
from features.state.states import MAX_STATE_BYTES, decode_profile
from features.state.user_features import StateBlobs
from tests.features.making import NOW_MS, States, event, record
from tracking.contract.traits import MAX_TRAITS, Trait

SAID = st.tuples(
    st.dictionaries(st.sampled_from("abcd"), st.none() | st.text(max_size=3) | st.integers(0, 2), max_size=3),
    st.integers(0, 5),
    st.booleans(),
)


def noted(said: list[tuple[dict[str, Trait | None], int, bool]]) -> Attributes:
    found: Attributes = {}
    for traits, at_ms, is_server in said:
        attributes.note(found, traits, at_ms=at_ms, is_server=is_server)
    return found


def identified(traits: dict[str, Any], *, source: str, at_ms: int = NOW_MS, user_id: str = "42") -> Any:
    made = event("identify", at_ms=at_ms, user_id=user_id, traits=traits)
    return record(made, user_id="42", source=source)


@given(st.lists(SAID, max_size=8), st.randoms())
def test_order_and_repetition_change_nothing(said: list[Any], rng: Any) -> None:
    shuffled = [*said, *said[:2]]
    rng.shuffle(shuffled)

    assert noted(shuffled) == noted(said)


@given(st.lists(SAID, max_size=6), st.lists(SAID, max_size=6))
def test_two_profiles_know_what_one_would(left: list[Any], right: list[Any]) -> None:
    assert attributes.join(noted(left), noted(right)) == noted([*left, *right])


def test_a_page_adds_and_overwrites_nothing_that_a_server_said() -> None:
    moved = States().apply(
        identified({"tier": "gold", "gone": None}, source="server"),
        identified({"tier": "platinum", "gone": "back", "size": "M"}, source="browser", at_ms=NOW_MS + 1),
    )

    found = user_features.merge([StateBlobs(None, moved.profile_blob)], now_ms=NOW_MS)
    assert found.attributes == {"tier": "gold", "size": "M"}


def test_what_was_proven_of_nobody_is_kept_of_nobody() -> None:
    moved = States().apply(identified({"tier": "gold"}, source="browser", user_id="somebody-else"))

    assert moved.profile.attributes == {}


@pytest.mark.parametrize("length", [1, 40, 100])
def test_a_state_holds_a_bounded_number_and_forgets_a_pages_first(length: int) -> None:
    moved = States()
    for number in range(3 * MAX_TRAITS):
        source = "server" if number < 3 else "browser"
        moved.apply(identified({f"t{number}": "x" * length}, source=source, at_ms=NOW_MS + number))

    profile = decode_profile(moved.profile_blob)
    assert len(states.encode(profile)) <= MAX_STATE_BYTES
    assert len(profile.attributes) <= MAX_TRAITS
    assert {"t0", "t1", "t2"} <= profile.attributes.keys()


def test_attributes_make_segments() -> None:
    assert attributes.segments_of({"tier": "gold", "age": 41, "card": True}) == {
        "attributes.tier=gold", "attributes.age=41", "attributes.card=true",
    }  # fmt: skip
