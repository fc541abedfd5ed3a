"""Moves of a steered list, held to a row of slots that a child could keep with cards on a table."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.admin.steering import moves
from recommendations.core.actions import RuleAction
from recommendations.exceptions import InvalidQuery
from recommendations.pipeline.rules.base import PART_FIELDS, RulePart, RuleSpec

SIZE = 6
ITEMS = st.sampled_from([f"SKU-{number}" for number in range(9)])
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("pin"), ITEMS, st.integers(1, SIZE)),
        st.tuples(st.just("unpin"), ITEMS, st.just(0)),
        st.tuples(st.just("exclude"), ITEMS, st.just(0)),
        st.tuples(st.just("include"), ITEMS, st.just(0)),
    ),
    max_size=25,
)


def after(steered: moves.Steered, move: tuple[str, str, int]) -> moves.Steered:
    verb, item_id, rank = move
    if verb == "pin":
        return moves.pinned(steered, item_id, rank, size=SIZE)
    step = {"unpin": moves.unpinned, "exclude": moves.without, "include": moves.shown_again}[verb]
    return step(steered, item_id)


def on_a_table(slots: list[str | None], excluded: set[str], move: tuple[str, str, int]) -> None:
    """Make the move with cards: whoever is in the way moves on until a slot is free; the last one may fall off."""
    verb, item_id, rank = move
    if verb == "include":
        excluded.discard(item_id)
        return
    slots[:] = [None if each == item_id else each for each in slots]
    if verb == "exclude":
        excluded.add(item_id)
    if verb == "pin":
        excluded.discard(item_id)
        carried: str | None = item_id
        at = rank - 1
        while carried is not None and at < SIZE:
            slots[at], carried = carried, slots[at]
            at += 1


@given(MOVES)
@settings(deadline=None)
def test_moves_are_those_of_cards_on_a_table(made: list[tuple[str, str, int]]) -> None:
    steered, slots, excluded = moves.Steered(), [None] * SIZE, set[str]()
    for move in made:
        steered = after(steered, move)
        on_a_table(slots, excluded, move)  # type: ignore[arg-type]  # a list of no names yet
    assert steered.items == {item: at for at, item in enumerate(slots, start=1) if item is not None}
    assert set(steered.excluded) == excluded


@given(MOVES)
@settings(deadline=None)
def test_the_rule_says_the_same_when_it_is_read_again(made: list[tuple[str, str, int]]) -> None:
    newest = RulePart(action=RuleAction.PIN, tags=("new",), pin_count=3, position=2)
    boost = RulePart(action=RuleAction.BOOST, brands=("Loam",), strength=3.0)
    steered = moves.Steered(sets=(newest,), kept=(boost,))
    for move in made:
        steered = after(steered, move)
    first, *also = moves.parts_of_steered(steered)
    spec = RuleSpec(
        rule_id=1, name="r", also=tuple(also), **{name: getattr(first, name) for name in PART_FIELDS}
    )  # fmt: skip

    again = moves.steered_by(spec)

    assert again == steered
    assert moves.decoded(moves.encoded(steered)) == steered


def test_items_that_follow_each_other_are_one_action() -> None:
    steered = moves.Steered(items={"B": 2, "A": 1, "D": 4})
    found = [(part.position, part.items) for part in moves.parts_of_steered(steered)]
    assert found == [(1, ("A", "B")), (4, ("D",))]


def test_a_pin_of_what_matches_takes_the_place_of_the_same() -> None:
    newest = RulePart(action=RuleAction.PIN, tags=("new",), pin_count=3)
    elsewhere = msgspec.structs.replace(newest, position=4, pin_count=2)
    other = msgspec.structs.replace(newest, tags=("sale",))
    steered = moves.with_set(moves.with_set(moves.with_set(moves.Steered(), newest), other), elsewhere)
    assert steered.sets == (other, elsewhere)
    assert moves.without_set(steered, 0).sets == (elsewhere,)


def test_more_than_a_rule_holds_is_refused() -> None:
    steered = moves.Steered(items={f"SKU-{number}": 2 * number + 1 for number in range(22)})
    with pytest.raises(InvalidQuery, match="22 actions are too many"):
        moves.parts_of_steered(steered)


@pytest.mark.parametrize("text", ["", "[]", '{"items": {"A": "x"}}', '{"more": 1}', '{"sets": [{"action": "fly"}]}'])
def test_what_is_no_state_says_so_and_is_no_past(text: str) -> None:
    with pytest.raises(InvalidQuery, match="reload the page"):
        moves.decoded(text)
    assert moves.past_of(text) == []


def test_who_fell_off_is_named() -> None:
    full = moves.Steered(items={"A": 1, "B": 2})
    pushed: Any = moves.pinned(full, "C", 1, size=2)
    assert pushed.items == {"C": 1, "A": 2}
    assert moves.dropped(full, pushed, moved="C") == ["B"]
