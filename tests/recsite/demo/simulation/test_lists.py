"""Lists of the simulated past: seen before they are clicked, and nothing else of a visit changes."""

from __future__ import annotations

from random import Random

import pytest

from recsite.demo.catalogue import Product
from recsite.demo.setup import PLACEMENTS
from recsite.demo.simulation.lists import LIST_SIZE, list_events
from recsite.demo.simulation.shoppers import event_id_at, told_params
from tracking.contract.events import EventRecord, SelectItem, ViewItem, ViewItemList


def test_what_was_clicked_stood_in_the_list_just_before(products: list[Product]) -> None:
    views = [
        ViewItem(
            event_id=f"view-{number:08d}", occurred_at_ms=1_800_000_000_000 + number * 5_000, params=told_params(one)
        )
        for number, one in enumerate(products[:400])
    ]
    told = list(list_events(views, others=lambda: products[-9:], chance=Random(7), event_id=event_id_at))
    lists = [event for event in told if isinstance(event, ViewItemList)]
    clicks = [event for event in told if isinstance(event, SelectItem)]
    assert len(lists) > len(clicks) > 20
    assert all(len(event.params.items) <= LIST_SIZE for event in lists)
    times = {view.params.items[0].item_id: view.occurred_at_ms for view in views}
    for click in clicks:
        (item,) = click.params.items
        shown = next(one for one in lists if one.occurred_at_ms == click.occurred_at_ms - 600)
        assert shown.params.items[item.index or 0].item_id == item.item_id
        assert click.occurred_at_ms < times[item.item_id]
        assert shown.params.item_list_id == click.params.item_list_id


@pytest.mark.slow
def test_every_placement_of_the_shop_was_seen_and_clicked_in_the_past(history: list[EventRecord]) -> None:
    """So that no placement stands without impressions on the first visit."""
    seen, clicked = set(), set()
    for record in history:
        for event in record.events:
            if isinstance(event, ViewItemList):
                seen.add(event.params.item_list_id)
            if isinstance(event, SelectItem):
                clicked.add(event.params.item_list_id)
    assert {name for name, *_ in PLACEMENTS} == seen == clicked


def test_what_was_seen_a_moment_ago_was_seen_in_that_visit(history: list[EventRecord]) -> None:
    viewed: dict[str | None, set[str]] = {}
    shown = 0
    for record in history:
        for event in record.events:
            items = {item.item_id for item in getattr(event.params, "items", ())}
            if isinstance(event, ViewItem):
                viewed.setdefault(event.session_id, set()).update(items)
            if isinstance(event, ViewItemList) and event.params.item_list_id == "recently_viewed":
                assert items <= viewed[event.session_id]
                shown += 1
    assert shown > 100
