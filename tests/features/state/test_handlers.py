"""Each kind of event of the contract moves a feature, or is listed as one that moves none."""

from __future__ import annotations

from typing import get_args

import pytest

from features.state.handlers import HANDLERS, MOVED_COUNTS, Effects
from features.state.states import ProfileState
from features.state.windows import ItemEffect
from tests.features.making import NOW_MS, applied, event
from tracking.contract import events as contract

MOVES = {
    "page_view": ({}, {"page_views": 1}),
    "view_item_list": ({"items": ["a", "b"]}, {"list_views": 1}),
    "select_item": ({"items": ["a"]}, {"selects": 1}),
    "view_item": ({"items": ["a", "b"]}, {"views": 2}),
    "add_to_cart": ({"items": ["a"]}, {"carts": 1}),
    "remove_from_cart": ({"items": ["a"]}, {}),
    "view_cart": ({"items": ["a"]}, {}),
    "begin_checkout": ({"items": ["a"]}, {"checkouts": 1}),
    "add_to_wishlist": ({"items": ["a"]}, {"wishlists": 1}),
    "purchase": ({"items": ["a"], "transaction_id": "t", "value": 2.5}, {"orders": 1, "units": 1, "revenue": 250}),
    "refund": ({"transaction_id": "t"}, {"refunds": 1}),
    "search": ({"search_term": "lamp"}, {"searches": 1}),
    "identify": ({"user_id": "42", "traits": {"tier": "gold"}}, {}),
}  # fmt: skip
COUNTED = [one for one in ProfileState.__struct_fields__ if isinstance(getattr(ProfileState(), one), int)]
OTHERS = {"first_ms", "newest_ms", "last_purchase_ms", "cart_cleared", "session_number", "is_fully_loaded"}


def test_every_kind_of_event_has_a_handler() -> None:
    kinds = set(get_args(contract.Event))
    counted = {kind for kind in kinds if kind.__struct_config__.tag in MOVED_COUNTS}

    assert set(HANDLERS) | counted == kinds
    assert {str(kind.__struct_config__.tag) for kind in kinds} == set(MOVES)


@pytest.mark.parametrize("name", MOVES)
def test_an_event_moves_its_counts_and_no_other(name: str) -> None:
    params, moved = MOVES[name]

    profile = applied(event(name, **params)).profile

    counts = {one: getattr(profile, one) for one in COUNTED if one not in OTHERS and getattr(profile, one)}
    assert counts == moved


def test_effects_of_further_events_add_up() -> None:
    one = Effects(items=[ItemEffect("a", NOW_MS, 0, 1, 0)], applied=1, duplicate=2, late=3)
    one.add(Effects(items=[ItemEffect("b", NOW_MS, 0, 1, 0)], applied=10, duplicate=20, late=30, is_fully_loaded=False))

    assert [effect.item_id for effect in one.items] == ["a", "b"]
    assert (one.applied, one.duplicate, one.late, one.is_fully_loaded) == (11, 22, 33, False)
