"""Nothing of an order is lost or counted twice when it becomes several events."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tracking.contract.events import MAX_ITEMS, EventItem
from tracking.contract.parts import parts_of

ORDERS = st.lists(
    st.builds(
        EventItem,
        item_id=st.integers(0, 260).map(str),
        price=st.integers(0, 3).map(float),
        quantity=st.integers(1, 3),
    ),
    max_size=700,
)


@given(ORDERS)
def test_parts_hold_every_line_once_and_an_item_in_one_part_alone(items: list[EventItem]) -> None:
    parts = parts_of(items)

    assert Counter(item for part in parts for item in part) == Counter(items)
    assert all(0 < len(part) <= MAX_ITEMS for part in parts)
    names = [{item.item_id for item in part} for part in parts]
    assert sum(map(len, names)) == len(set().union(*names))


def test_an_order_that_fits_stays_one() -> None:
    items = [EventItem(item_id=str(number % 7), price=1.0) for number in range(MAX_ITEMS)]
    assert len(parts_of(items)) == 1
    assert parts_of([]) == []
