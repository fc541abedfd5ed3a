"""The conditions of a request: priced together before any is evaluated, and never evaluated on the event loop."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from recommendations.core.deadline import Deadline
from recommendations.exceptions import FilterTooExpensive
from recommendations.filters.language import Condition, names_of, normal_form
from recommendations.filters.price import MAX_PRICE, price_of
from recommendations.items.index import ItemIndex
from recommendations.pipeline.query import ListQuery
from recommendations.serving.faults import Part, note_failure
from recommendations.serving.workers import workers


async def price_filters(queries: Sequence[ListQuery], item_index: ItemIndex, *, deadline: Deadline) -> float:
    """Return what those conditions of a publishable key's request cost whose masks are not at hand; see ``price_of``.

    One total for all placements of the request; the same condition in several of them costs once. When there is no
    time left to make the columns that prices depend on, nothing is evaluated, and the price is 0. A mistake of ours
    costs no page: it is logged, and the price is 0.

    Raises
    ------
    FilterTooExpensive
        All conditions together cost more than ``MAX_PRICE``, whether at hand or not.
    """
    try:
        return await _priced(queries, item_index, deadline)
    except FilterTooExpensive:
        raise
    except Exception as error:
        note_failure(item_index.catalogue.site, Part.PAGE, error)
        return 0.0


async def _priced(queries: Sequence[ListQuery], item_index: ItemIndex, deadline: Deadline) -> float:
    conditions = _conditions(queries)
    if not conditions:
        return 0.0
    names = {name for condition in conditions for name in names_of(condition)}
    if not item_index.has_columns(names) and not await workers.done(partial(item_index.make_columns, names), deadline):
        return 0.0
    price = price_of(conditions, item_index)
    if price > MAX_PRICE:
        dearest = max(range(len(queries)), key=lambda index: _price(queries[index], item_index))
        raise FilterTooExpensive(field=f"placements[{dearest}].filter", reason=_reason(price))
    return price_of(_missing(conditions, item_index), item_index)


async def make_masks(queries: Sequence[ListQuery], item_index: ItemIndex, *, deadline: Deadline) -> None:
    """Make the masks of a request's conditions on a worker thread, and wait for them no longer than the deadline.

    A list whose mask is missing afterwards is empty: what its condition keeps out is never shown.
    """
    missing = _missing(_conditions(queries), item_index)
    if missing:
        await workers.done(partial(_make, missing, item_index, deadline), deadline)


def _make(conditions: Sequence[Condition], item_index: ItemIndex, deadline: Deadline) -> None:
    for condition in conditions:
        item_index.request_mask(condition, deadline)


def _conditions(queries: Sequence[ListQuery]) -> list[Condition]:
    """Return the conditions, each different one once."""
    conditions = [query.condition for query in queries if query.condition is not None]
    return list({normal_form(condition): condition for condition in conditions}.values())


def _missing(conditions: Sequence[Condition], item_index: ItemIndex) -> list[Condition]:
    """Return those whose masks are not at hand; making one of them serves the others of its normal form, too."""
    return [condition for condition in conditions if not item_index.has_request_mask(condition)]


def _price(query: ListQuery, item_index: ItemIndex) -> float:
    return price_of(_conditions([query]), item_index)


def _reason(price: float) -> str:
    return (
        f"costs too much: all filters of the request cost {price:,.0f} µs, and the most is {MAX_PRICE:,.0f}; compare "
        "with = or in, where 'has' and 'under' search long lists of texts, compare fewer attributes, put the condition "
        "into the placement, or send the request from the shop's server with a secret key"
    )
