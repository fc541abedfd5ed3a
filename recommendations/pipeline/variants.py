"""Which variant of a product a list shows: one that may be shown, and the one in the user's size and colour."""

from __future__ import annotations

from typing import Final

import numpy as np

from recommendations.core.row_index import positions_in
from recommendations.core.types import FloatArray, Ranked, RequestUser, RowArray
from recommendations.items.index import ItemIndex
from recommendations.pipeline.state import PipelineState
from recommendations.retrieval.sources import Reason

MAX_TASTE: Final = 30
"""Newest items looked at, and bought, whose sizes and colours count."""

BOUGHT_WEIGHT: Final = 3.0
"""What was bought fits; what was looked at was often the variant that a list happened to show."""

OTHER_CATEGORY: Final = np.float32(0.25)
"""A size of shoes says little of shirts, but a colour is a colour."""


def products_to_fuse(state: PipelineState) -> RowArray | None:
    """Return the product of each row where the votes of sources are to be added up by product; else None.

    Of given candidates each stands for itself.
    """
    products = state.context.item_index.products
    return products.of_row if products.has_variants and state.query.candidates is None else None


def standing_for(state: PipelineState, rows: RowArray) -> RowArray:
    """Return, for each row, the candidate that stands for its product; the row itself where there is none."""
    product_of = products_to_fuse(state)
    if product_of is None or not len(state.ranked):
        return rows
    positions, is_candidate = positions_in(product_of.take(state.ranked.rows), product_of.take(rows))
    return np.where(is_candidate, state.ranked.rows.take(positions), rows)


def eligible(state: PipelineState) -> Ranked:
    """Return the candidates that may be shown; where one may not, a variant of its product that may stands in.

    Given candidates are not added to: nothing stands in for them.
    """
    fused = state.fused
    if state.query.candidates is not None:
        return fused.keep(state.eligibility.of(fused.rows))
    rows, kept = state.eligibility.with_variants(fused.rows)
    if rows is not fused.rows:
        _note(state, fused.rows, rows)
    return Ranked(rows=rows, scores=fused.scores).keep(kept)


def suit(state: PipelineState) -> None:
    """Put the variant that suits the user in place of each listed one, if another suits better.

    What the user looked at or bought itself, what merchandisers named and what was given stays as it is.
    """
    item_index = state.context.item_index
    if not item_index.products.has_variants or not state.rows or state.query.candidates is not None:
        return
    taste, weights = _taste(state.user, item_index)
    if not len(taste):
        return
    rows = np.asarray(state.rows, np.int32)
    own = set(taste.tolist())
    editorial = {row for row, reason in state.filled.items() if reason == Reason.EDITORIAL}
    open_to_choice = np.array([row not in own and row not in editorial for row in state.rows], np.bool_)
    positions = open_to_choice.nonzero()[0]
    variants, lengths = item_index.products.variants_of_all(item_index.products.of_row[rows[positions]])
    owners = positions.repeat(lengths)
    may_show = state.eligibility.of(variants)
    variants, owners = variants[may_show], owners[may_show]
    scores = _suiting(variants, taste, weights, item_index)
    order = np.lexsort((item_index.popularity[variants], variants == rows[owners], scores))
    suiting = rows.copy()
    suiting[owners[order]] = variants[order]  # of several variants the one that suits best is written last
    _note(state, rows, suiting)
    state.rows = tuple(suiting.tolist())


def _note(state: PipelineState, before: RowArray, after: RowArray) -> None:
    """Write which rows stand for which, so that an item keeps its reason and its evidence."""
    changed = (before != after).nonzero()[0]
    state.stands_for.update(zip(after[changed].tolist(), before[changed].tolist(), strict=True))


def _taste(user: RequestUser, item_index: ItemIndex) -> tuple[RowArray, FloatArray]:
    """Return what the user looked at and bought, and how much each says."""
    looked_at, bought = user.recents[:MAX_TASTE], user.purchases[:MAX_TASTE]
    weights = np.ones(len(looked_at) + len(bought), np.float32)
    weights[len(looked_at) :] = BOUGHT_WEIGHT
    rows = item_index.catalogue.rows((*looked_at, *bought))  # the id of a product says nothing of a size
    known = (rows >= 0).nonzero()[0]
    return rows[known], weights[known]


def _suiting(variants: RowArray, taste: RowArray, weights: FloatArray, item_index: ItemIndex) -> FloatArray:
    """Return how far the size and colour of each variant are those of the items of the user's taste."""
    category = item_index.catalogue.category
    nearness = np.where(category[variants][:, None] == category[taste], np.float32(1.0), OTHER_CATEGORY)
    nearness *= weights
    scores: FloatArray = np.zeros(len(variants), np.float32)
    for codes in item_index.variant_traits:
        offered = codes[variants]
        same = (offered[:, None] == codes[taste]) & (offered > 0)[:, None]
        scores += (nearness * same).sum(axis=1)
    return scores
