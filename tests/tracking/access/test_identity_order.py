"""What a user did before the login flows into the user's features, in whatever order the records arrive."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.state.states import decode_profile
from features.state.user_features import StateBlobs, UserFeatures, merge
from tests.features.making import LATENESS_MS, MINUTE_MS, NOW_MS, SITE, event, record
from tests.features.test_order import Store, run_through
from tracking.contract.events import EventRecord

PHONE, LAPTOP, SHARED = (f"anonymous-{name:0>10}" for name in ("phone", "laptop", "shared"))
RECEIVED_MS = NOW_MS + 2 * LATENESS_MS


def a_record(minute: int, name: str, *, on: str | None, login: str | None = None, **params: Any) -> EventRecord:
    one = event(name, at_ms=NOW_MS + minute * MINUTE_MS, event_id=f"event-{minute:04d}", **params)
    return record(one, anonymous_id=on, user_id=login, received_at_ms=RECEIVED_MS)


STORY = [
    a_record(0, "view_item", on=PHONE, items=["boots"]),
    a_record(6, "add_to_cart", on=PHONE, items=["boots"]),
    a_record(2, "identify", on=PHONE, login="7", user_id="7"),
    a_record(3, "search", on=LAPTOP, search_term="socks"),
    a_record(4, "view_item", on=LAPTOP, items=["socks"]),
    a_record(5, "identify", on=LAPTOP, login="7", user_id="7"),
    a_record(1, "purchase", on=None, login="7", transaction_id="t1", value=9.0, items=["laces"]),
    a_record(7, "view_item", on=SHARED, login="7", items=["hat"]),
    a_record(8, "view_item", on=SHARED, login="8", items=["scarf"]),  # somebody else, later, at the same browser
]


def features_of(store: Store, user_id: str) -> UserFeatures:
    """Return what serving reads of a user: its own states and those of its anonymous ids, which they name."""
    key = (SITE, f"u:{user_id}")
    aliases = decode_profile(store.profiles[key]).aliases
    keys = [key, *((SITE, f"a:{name}") for name in sorted(aliases))]
    found = merge([StateBlobs(store.sessions.get(one), store.profiles.get(one)) for one in keys], now_ms=RECEIVED_MS)
    return replace(found, state_version="")


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_order_of_login_and_events_gives_the_same_features(data: st.DataObject) -> None:
    resent = data.draw(st.lists(st.sampled_from(STORY), max_size=3))
    arrived = data.draw(st.permutations([*STORY, *resent]))
    batches = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))

    in_order = run_through(STORY, batches=[len(STORY)], deaths=[False])
    rough = run_through(arrived, batches=batches, deaths=[False])

    for user_id in ("7", "8"):
        assert features_of(rough, user_id) == features_of(in_order, user_id)


def test_what_every_device_did_is_the_users_and_no_other_users() -> None:
    store = run_through(STORY, batches=[len(STORY)], deaths=[False])

    seven, eight = features_of(store, "7"), features_of(store, "8")

    assert {recent.item_id for recent in seven.recents} == {"boots", "socks", "laces", "hat"}
    assert seven.cart == {"boots": 1}
    assert seven.searches == ("socks",)
    assert (seven.rfm.frequency, set(seven.bought)) == (1, {"laces"})
    assert set(seven.aliases) == {PHONE, LAPTOP, SHARED}
    assert {recent.item_id for recent in eight.recents} == {"scarf"}, "two known users are never merged"
    assert (eight.cart, eight.searches, eight.rfm.frequency) == ({}, (), 0)
