"""What the lists of a request cost to make, known before they are made: of those that cost too much none is begun.

The unit is that of ``recommendations.filters.price``: about a microsecond of one core. A price depends on the request
and the placement alone, so that the same request always gets the same lists. Measured at 100,000 items by
``python -m benchmarks attack``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from recommendations.core.deadline import Deadline
from recommendations.core.strategies import STRATEGIES, Strategy
from recommendations.exceptions import FilterTooExpensive
from recommendations.items.index import ItemIndex
from recommendations.pipeline.query import ListQuery
from recommendations.retrieval.sources import SOURCES
from recommendations.serving.faults import Part, note_failure
from recommendations.serving.filters import price_filters

MAX_REQUEST_PRICE: Final = 15_000.0
"""The most that the filters and lists of a request with a publishable key cost together."""

PER_LIST: Final = 350.0
PER_ITEM_LISTED: Final = 4.0
PER_ID: Final = 0.8
PER_SOURCE: Final = 100.0
PER_MODEL_SOURCE: Final = 350.0
ALL_MODEL_SOURCES: Final = 6
RANKER: Final = 700.0


@dataclass(frozen=True, slots=True)
class RequestPrice:
    """How many lists of a request are made, and what they and the missing masks of its filters cost."""

    n_made: int
    filters: float = 0.0
    lists: float = 0.0


async def price_request(queries: Sequence[ListQuery], item_index: ItemIndex, *, deadline: Deadline) -> RequestPrice:
    """Price a publishable key's request; a mistake of ours costs no page: it is logged, and the request is free.

    Raises
    ------
    FilterTooExpensive
        See ``price_filters``.
    """
    try:
        filters = await price_filters(queries, item_index, deadline=deadline)
        prices = prices_of(queries)
        n_made = within_price(prices, spent=filters)
        return RequestPrice(n_made, filters, sum(prices[:n_made]))
    except FilterTooExpensive:
        raise
    except Exception as error:
        note_failure(item_index.catalogue.site, Part.PAGE, error)
        return RequestPrice(len(queries))


def within_price(prices: Sequence[float], *, spent: float) -> int:
    """Return how many lists of these prices, from the first on, cost no more than is left; the first is always made.

    Parameters
    ----------
    spent : float
        What the request costs already: the price of its filters.
    """
    total = spent
    for count, price in enumerate(prices):
        total += price
        if count and total > MAX_REQUEST_PRICE:
            return count
    return len(prices)


def prices_of(queries: Sequence[ListQuery]) -> list[float]:
    """Return the price of each list; the model is seen once for those that go with the same items."""
    seen: set[tuple[object, ...]] = set()
    prices = []
    for query in queries:
        placement = query.placement
        names = (placement.strategy, *placement.segment_strategies.values())
        sources = (*placement.sources, *placement.added_sources)
        strategy, price_of_sources = _dearest_strategy(names, sources)
        key = (strategy.name, sources, query.context_items, query.cart)
        price = PER_LIST + PER_ITEM_LISTED * query.limit + PER_ID * _n_ids(query)
        prices.append(price if key in seen else price + price_of_sources)
        if query.candidates is None:
            seen.add(key)
    return prices


def _n_ids(query: ListQuery) -> int:
    n_candidates = 0 if query.candidates is None else len(query.candidates)
    return len(query.context_items) + len(query.cart) + len(query.exclude) + n_candidates


@lru_cache(maxsize=1_024)
def _dearest_strategy(names: tuple[str, ...], sources: tuple[str, ...]) -> tuple[Strategy, float]:
    """Return the dearest strategy of a placement, and its price: the user, and so the segment, is not known yet."""
    priced = [(_price_of_sources(STRATEGIES[name], sources), name) for name in names if name in STRATEGIES]
    price, name = max(priced, key=lambda pair: pair[0])
    return STRATEGIES[name], price


def _price_of_sources(strategy: Strategy, sources: tuple[str, ...]) -> float:
    names = {*strategy.weights, *strategy.beside_model, *sources}
    n_of_model = sum(name not in SOURCES for name in names)
    if strategy.uses_model_weights:
        n_of_model = max(n_of_model, ALL_MODEL_SOURCES)
    price = PER_SOURCE * sum(name in SOURCES for name in names) + PER_MODEL_SOURCE * n_of_model
    return price + (RANKER if strategy.uses_ranker else 0.0)
