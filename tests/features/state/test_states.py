"""States as bytes: what was written is read, what cannot be read starts from scratch, and none is ever large."""

from __future__ import annotations

import pytest

from features.state import states
from features.state.states import MAX_STATE_BYTES, ProfileState, SessionState
from tests.features.making import applied, event


def test_a_state_is_what_was_written() -> None:
    made = applied(event("view_item", items=["a", "b"]), event("search", search_term="lamp"))

    assert states.decode_profile(states.encode(made.profile)) == made.profile
    assert states.decode_session(states.encode(made.session)) == made.session


@pytest.mark.parametrize(
    "blob", [None, pytest.param(b"\x01not msgpack", marks=pytest.mark.expects_errors("states.unreadable")), b"\x00"]
)
def test_without_a_readable_state_there_is_an_empty_one(blob: bytes | None) -> None:
    assert states.decode_profile(blob) == ProfileState()
    assert states.decode_session(blob) == SessionState()


def test_a_state_sheds_its_oldest_before_it_grows_too_large() -> None:
    long = {f"v{number:04d}{'x' * 120}": number for number in range(60)}
    profile = ProfileState(recents=dict(long), bought=dict(long))

    blob = states.encode(profile)

    assert len(blob) <= MAX_STATE_BYTES
    kept = states.decode_profile(blob)
    assert max(kept.recents.values()) == max(kept.bought.values()) == 59
