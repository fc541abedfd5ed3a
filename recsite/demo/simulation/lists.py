"""Lists that simulated shoppers of the past saw and clicked, beside what else they did; deterministic.

Nothing of a visit changes by it: what came from a list is a share of what was looked at anyway, and the other lists
were only seen. So the history has figures of lists from the first day on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Final

from recsite.demo.catalogue import Product
from tracking.contract.events import (
    AddToCart,
    BaseEvent,
    EventItem,
    ItemListParams,
    PageView,
    Search,
    SelectItem,
    ViewItem,
    ViewItemList,
)

LIST_SIZE: Final = 6
FROM_A_LIST: Final = 0.15
"""Share of the products looked at that were clicked in a list."""
SEEN_BESIDE: Final = 0.15
"""Share of the products looked at with a list below that nobody clicked."""
VIEWED_BESIDE: Final = 0.3
"""Share of those lists that show what the visit saw before."""
_SHOWN_MS: Final = 900
_CLICKED_MS: Final = 300
"""So long before the product's page the list was seen, and clicked: less than between two events of a visit."""
_AFTER: Final[dict[type[BaseEvent], tuple[str, ...]]] = {
    PageView: ("home_for_you", "home_for_you", "home_trending", "home_new"),
    Search: ("search_rerank",),
    AddToCart: ("cart_cross_sell", "product_bought_together"),
    ViewItem: ("product_similar", "product_similar", "product_bought_together", "product_also_viewed"),
}
"""The lists of the page from which a product is opened."""
_VIEWED: Final = "recently_viewed"

Others = Callable[[], Sequence[Product]]


def list_events(
    events: Iterable[BaseEvent], *, others: Others, chance: Random, event_id: Callable[[Random, int], str]
) -> Iterator[BaseEvent]:
    """Yield the list events of one visit.

    Parameters
    ----------
    events : iterable of BaseEvent
        What the shopper did.
    others : callable
        Returns products that may stand in a list.
    event_id : callable
        From chance and time to an id.
    """
    before: type[BaseEvent] = ViewItem
    viewed: dict[str, None] = {}  # in order, the newest last
    for event in events:
        if isinstance(event, ViewItem):
            item_id = event.params.items[0].item_id
            name = chance.choice(_AFTER.get(before, _AFTER[ViewItem]))
            luck = chance.random()
            if luck < FROM_A_LIST + SEEN_BESIDE:
                if item_id in viewed or (viewed and luck >= FROM_A_LIST and chance.random() < VIEWED_BESIDE):
                    name, shown = _VIEWED, list(reversed(viewed))
                else:
                    shown = [product.item_id for product in others()]
                ids = [each for each in shown if each != item_id][: LIST_SIZE - 1]
                slot = min(int(chance.expovariate(0.6)), len(ids))
                if luck < FROM_A_LIST:
                    ids.insert(slot, item_id)
                at_ms = event.occurred_at_ms
                yield _said(ViewItemList, event, name, ids, 0, event_id(chance, at_ms - _SHOWN_MS), at_ms - _SHOWN_MS)
                if luck < FROM_A_LIST:
                    clicked_ms = at_ms - _CLICKED_MS
                    yield _said(SelectItem, event, name, [item_id], slot, event_id(chance, clicked_ms), clicked_ms)
            viewed.pop(item_id, None)
            viewed[item_id] = None
        before = type(event)


def _said(
    kind: type[ViewItemList] | type[SelectItem],
    beside: BaseEvent,
    name: str,
    ids: Sequence[str],
    first: int,
    event_id: str,
    at_ms: int,
) -> BaseEvent:
    items = tuple(EventItem(item_id=item_id, index=first + number) for number, item_id in enumerate(ids))
    return kind(
        event_id=event_id,
        occurred_at_ms=at_ms,
        session_id=beside.session_id,
        params=ItemListParams(items=items, item_list_id=name),
    )
