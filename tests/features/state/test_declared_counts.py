"""A count that is declared once is moved, stored, merged, read and documented."""

from __future__ import annotations

import pytest

from features import definitions
from features.definitions import Count, Field
from features.state import handlers, merging, states, user_features
from features.state.states import ProfileState
from features.state.user_features import StateBlobs
from tests.features.making import NOW_MS, applied, event

SHARES = Field(
    name="shares", dtype="int64", unit="events", default="0", help="Items shared.", counts=Count("share_product")
)
SEEN_IN_LISTS = Field(
    name="seen_in_lists", dtype="int64", unit="items", default="0", help="", counts=Count("view_item_list", "item")
)


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two more lines in the list of the profile's fields, and nothing else."""
    fields = (*definitions.PROFILE.fields, SHARES, SEEN_IN_LISTS)
    monkeypatch.setattr(handlers, "MOVED_COUNTS", moves := handlers.moves_of(fields))
    monkeypatch.setattr(handlers.count_event, "__defaults__", (moves,))
    names = tuple(one.name for one in fields if one.counts is not None)
    monkeypatch.setattr(user_features, "COUNTS", (*names, "orders"))


def test_a_declared_count_is_moved_stored_merged_and_read(declared: None) -> None:
    made = applied(event("view_item_list", items=["a", "b"]), event("view_item_list", items=["c"]))
    made.profile_blob = states.encode(merging.merged(made.profile, made.profile))

    found = user_features.merge([StateBlobs(made.session_blob, made.profile_blob)], now_ms=NOW_MS)

    assert (found.counts["list_views"], found.counts["seen_in_lists"], found.counts["shares"]) == (4, 6, 0)


def test_a_count_of_the_shops_own_event(declared: None) -> None:
    profile = ProfileState()
    own = handlers.CustomEvent(event="share_product", event_id="event-1", occurred_at_ms=NOW_MS, params={"items": [1]})

    handlers.count_event(profile, own)
    handlers.count_event(profile, own)

    assert handlers.read_count(profile, "shares") == 2


def test_the_counts_of_the_first_version_keep_their_fields() -> None:
    assert set(handlers.DECLARED_COUNTS) <= set(ProfileState.__struct_fields__)
