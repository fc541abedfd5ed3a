"""States as bytes: what was written is read, what cannot be read starts from scratch, and none is ever large."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.state import states
from features.state.states import MAX_STATE_BYTES, ProfileState, SessionState
from tests.features.making import NOW_MS, States, applied, event, record


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


class Before(msgspec.Struct, array_like=True):
    """A session's state as it was before repeats were kept."""

    newest_ms: int
    recents: dict[str, int]
    searches: dict[str, int]


def test_the_release_before_reads_a_session_with_repeats_and_is_read() -> None:
    both = applied(event("view_item", items=["a"]), event("view_item", items=["a"], at_ms=NOW_MS + 1)).session
    blob = states.encode(both)

    before = msgspec.msgpack.decode(blob[1:], type=Before)
    again = states.decode_session(blob[:1] + msgspec.msgpack.encode(before))

    assert both.repeats == {"va": [NOW_MS]}
    assert before.recents == both.recents == {"va": NOW_MS + 1}
    assert again == SessionState(newest_ms=both.newest_ms, recents=both.recents)


def test_repeats_go_before_names_do() -> None:
    session = SessionState(
        recents={f"v{number:02d}{'x' * 70}": number for number in range(45)},
        repeats={f"v{number:02d}{'x' * 70}": [number - 1] for number in range(30)},
    )

    kept = states.decode_session(states.encode(session))

    assert len(kept.recents) == 45
    assert len(kept.repeats) < 30


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=128)
IDS = st.one_of(TEXT, st.integers(1, 128).map(lambda length: "x" * length), st.just("\U0001f6d2" * 128))
NAMES = ("view_item", "select_item", "add_to_cart", "add_to_wishlist", "purchase", "search")


@pytest.mark.slow
@settings(max_examples=60)
@given(stems=st.lists(IDS, min_size=1, max_size=8), names=st.lists(st.sampled_from(NAMES), min_size=20, max_size=150))
def test_whatever_the_length_of_ids_no_state_is_larger_than_documented(stems: list[str], names: list[str]) -> None:
    states_of_user, newest = States(), ""
    for number, name in enumerate(names):
        stem = stems[number % len(stems)]
        newest = f"{number:03d}{stem}"[:128]
        params: dict[str, object] = {"items": [newest]}
        if name == "select_item":
            params["item_list_id"] = newest[:100]
        elif name == "search":
            params = {"search_term": newest}
        elif name == "purchase":
            params["transaction_id"] = newest
        made = event(name, at_ms=NOW_MS + number * 1_000, **params)
        states_of_user.apply(
            record(made, user_id="u", anonymous_id=f"{number:064}", source=("browser", "import")[number % 2])
        )

        assert len(states_of_user.session_blob or b"") <= MAX_STATE_BYTES
        assert len(states_of_user.profile_blob or b"") <= MAX_STATE_BYTES
    assert sum(map(bool, (states_of_user.effects.applied, states_of_user.effects.late))) == 1  # in order, all count
    if names[-1] not in ("search", "purchase"):
        assert any(name[1:] == newest for name in states_of_user.session.recents)


def test_the_longest_ids_there_are_leave_the_newest_of_each_list() -> None:
    cart = "\U0001f6d2"
    long = [f"{number:03d}{cart * 125}" for number in range(60)]
    profile = ProfileState(
        recents={f"v{name}": at_ms for at_ms, name in enumerate(long)},
        cart={name: [at_ms, 1] for at_ms, name in enumerate(long)},
        touches=[(at_ms, name, f"{cart * 100}|||") for at_ms, name in enumerate(long)],
        seen={2**63 + number: 1_800_000_000 + number for number in range(128)},
        seen_import={2**63 + number: 1_800_000_000 + number for number in range(128)},
    )

    kept = states.decode_profile(states.encode(profile))

    assert len(states.encode(kept)) <= MAX_STATE_BYTES
    assert [max(kept.recents), max(kept.cart), kept.touches[-1][1]] == [f"v{long[-1]}", long[-1], long[-1]]
    assert len(kept.seen) < 128
    assert min(kept.seen.values()) > kept.seen_until_s >= 1_800_000_000
