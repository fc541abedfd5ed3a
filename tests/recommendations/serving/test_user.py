"""What the pipeline is told of a user, from the features that were read."""

from __future__ import annotations

import msgspec

from features.state import states
from features.state.user_features import Segment, StateBlobs, merge
from recommendations.core.actions import RuleAction
from recommendations.core.deadline import Deadline
from recommendations.core.types import NOBODY
from recommendations.pipeline.rules.base import RuleSpec, applies
from recommendations.serving.user import read_user, request_user
from tests.features.making import States, event, record
from tracking.access.identity import Identity

NOW_MS = 1_800_000_000_000
WHO = Identity(anonymous_id="0123456789abcdef", user_id=None)


def test_recents_name_each_item_once_and_leave_out_what_is_no_step() -> None:
    session = states.SessionState(newest_ms=NOW_MS)
    session.recents = {"vsku1": NOW_MS - 2_000, "csku1": NOW_MS - 1_000, "wsku2": NOW_MS - 500, "vsku3": NOW_MS - 3_000}
    found = merge([StateBlobs(session=states.encode(session), profile=None, segment=None)], now_ms=NOW_MS)

    user = request_user(WHO, found)

    assert user.recents == ("sku1", "sku3")
    assert user.key == WHO.user_key
    assert [user.is_returning, user.problem] == [False, None]


def test_a_session_is_what_was_done_as_often_as_it_was_and_a_click_in_a_list_is_no_step() -> None:
    moved = States().apply(
        record(
            event("view_item", items=["sku1"], at_ms=NOW_MS - 3_600_000),  # the session before
            event("view_item", items=["sku1"], at_ms=NOW_MS - 5_000),
            event("select_item", items=["sku2"], at_ms=NOW_MS - 4_000),
            event("view_item", items=["sku2"], at_ms=NOW_MS - 3_900),
            event("select_item", items=["sku3"], at_ms=NOW_MS - 3_000),
            event("add_to_wishlist", items=["sku2"], at_ms=NOW_MS - 2_000),
            event("view_item", items=["sku1"], at_ms=NOW_MS - 1_000),
        )
    )
    found = merge([StateBlobs(moved.session_blob, moved.profile_blob)], now_ms=NOW_MS)

    user = request_user(WHO, found)

    assert user.session == ("sku1", "sku2", "sku2", "sku1")
    assert user.clicked == ("sku3", "sku2")
    assert user.recents == ("sku1", "sku3", "sku2")


def test_where_redis_forgot_the_session_the_profile_stands_in() -> None:
    moved = States().apply(record(*(event("view_item", items=["sku1"], at_ms=NOW_MS - age) for age in (2_000, 1_000))))
    moved.session_blob = None
    moved.apply(record(event("view_item", items=["sku2"], at_ms=NOW_MS)))
    found = merge([StateBlobs(moved.session_blob, moved.profile_blob)], now_ms=NOW_MS)

    assert request_user(WHO, found).session == ("sku2", "sku1")


async def test_a_user_without_any_id_costs_no_read() -> None:
    nobody = Identity(anonymous_id=None, user_id=None)

    assert await read_user("shop", nobody, deadline=Deadline.after(0.0)) is NOBODY


def test_a_users_attributes_are_segments_beside_its_own() -> None:
    traits = {"tier": "gold", "has_card": True}
    moved = States().apply(record(event("identify", user_id="42", traits=traits), user_id="42", source="server"))
    segment = msgspec.msgpack.encode(Segment("champions", 5, 5, 5))
    found = merge([StateBlobs(moved.session_blob, moved.profile_blob, segment)], now_ms=NOW_MS)

    user = request_user(WHO, found)

    assert user.segments == {"champions", "attributes.tier=gold", "attributes.has_card=true"}
    spec = RuleSpec(rule_id=1, name="gold only", action=RuleAction.BOOST, segments=("attributes.tier=gold",))
    assert applies(spec, user=user, now_ms=NOW_MS)
    assert not applies(msgspec.structs.replace(spec, segments=("attributes.tier=silver",)), user=user, now_ms=NOW_MS)
