"""A share of positions for new items, so that they are seen often enough to be learnt about. Off by default.

What nobody has seen, no model can rank. Positions are given by chance and not by score, so that what is logged about
them is fair to every new item. Chance follows from the user, the placement and the hour: a page that is loaded again
shows the same list, and a cached list is the list that would be made.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np

from recommendations.core.chance import Chance, mask_of
from recommendations.items.index import DAY_MS
from recommendations.pipeline import variants
from recommendations.pipeline.state import PipelineState
from recommendations.retrieval.arrivals import FRESH_DAYS
from recommendations.retrieval.sources import Reason

LOOKED_AT: Final = 200
EVERY: Final = 7
"""Of so many positions one is for what the model does not know yet, for users who look at such items.

Given to everybody, one position of twenty took .009 from HR@20 of known items in the demo shop; given to those who look
at new items already, two of twenty took nothing that could be measured (``python -m benchmarks cold``)."""

KEPT_FIRST: Final = 1
"""Positions at the top that are never given away: the best item stays where it is looked for."""

HOUR_MS: Final = 3_600_000


def add_new_items(state: PipelineState) -> None:
    """Write new items into some positions of the list; none where the placement wants none.

    Each position below the first is given to a new item with the placement's chance, as long as there are new items
    that the list may show. An item is new for 30 days. Given candidates are never added to.
    """
    query = state.query
    share = query.placement.exploration
    if share <= 0 or query.candidates is not None or len(state.rows) <= KEPT_FIRST:
        return
    seed = (state.user.key or "").encode(), query.placement.name.encode()
    chance = np.random.default_rng([*map(zlib.crc32, seed), state.context.now_ms // HOUR_MS])
    positions = KEPT_FIRST + np.flatnonzero(chance.random(len(state.rows) - KEPT_FIRST) < share)
    new = _new_rows(state)
    if len(new) >= len(state.rows) - KEPT_FIRST:  # with fewer, a slot's chance hangs on what the others drew
        state.drawn_from = len(new)
    if not len(positions):
        return
    chosen = chance.permutation(new)[: len(positions)].tolist()
    rows = list(state.rows)
    for position, row in zip(positions.tolist(), chosen, strict=False):
        rows[position] = row
        state.filled[row] = Reason.EXPLORATION.value
    state.rows = tuple(rows)


def chance_of(state: PipelineState) -> Chance | None:
    """Return what chance had to do with a finished list; None where it had nothing, or cannot be told.

    What a pin, a replacement or the rule of the first position put somewhere is fixed there.
    """
    if not state.drawn_from:
        return None
    pinned = {pin.row for pin in state.pins}
    fixed = [
        slot for slot, row in enumerate(state.rows) if slot < KEPT_FIRST or row in pinned or row in state.replacements
    ]
    drawn = [slot for slot, reason in enumerate(state.reasons) if reason == Reason.EXPLORATION.value]
    return Chance(
        permille=round(1000 * state.query.placement.exploration),
        among=state.drawn_from,
        drawn=mask_of(drawn),
        fixed=mask_of(fixed),
    )


def positions_of_arrivals(state: PipelineState) -> dict[int, int]:
    """Return which new items stand at the end of a list of a model that does not know them, row to position.

    No model ranks an item that is newer than it. For a user who looks at such items, those most like what was looked
    at (the source ``fresh``) have the last positions of a list that a ranker orders; none where nothing is alike, or
    the list is short.
    """
    model, fresh = state.context.model, state.candidates.get("fresh")
    most = state.query.limit // EVERY
    if (
        model is None
        or fresh is None
        or not most
        or not state.strategy.uses_ranker
        or state.query.candidates is not None
    ):
        return {}
    if all(model.indices(tuple(dict.fromkeys(state.about)))):
        return {}
    rows = variants.standing_for(state, fresh.rows[fresh.scores > 0])
    rows = rows[np.isin(rows, state.ranked.rows)]
    unknown = rows[np.asarray(model.indices(rows.tolist()), np.int64) == 0][:most].tolist()
    return {row: state.query.limit - len(unknown) + position for position, row in enumerate(unknown)}


def _new_rows(state: PipelineState) -> list[int]:
    """Return new items that may be shown and whose products are not listed yet, one of each."""
    item_index = state.context.item_index
    newest = item_index.newest[:LOOKED_AT]
    since_ms = state.context.now_ms - FRESH_DAYS * DAY_MS
    fresh = state.eligibility.keep(newest[item_index.catalogue.first_seen_ms[newest] >= since_ms]).tolist()
    product_of = item_index.products.of_row
    taken = set(product_of[list(state.rows)].tolist())
    found = []
    for row in fresh:
        product = int(product_of[row])
        if product not in taken:
            found.append(row)
            taken.add(product)
    return found
