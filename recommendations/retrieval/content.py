"""Items like the given ones by what they are, which also works for items that nobody saw yet.

Their texts and pictures say it where they have been read (``items.content``); before that, and for items that say
nothing, category, brand and price do.
"""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from recommendations.core.types import (
    NO_ROWS,
    NO_SCORES,
    NOTHING_RANKED,
    FloatArray,
    Ranked,
    RequestUser,
    RowArray,
    summed_by_row,
)
from recommendations.core.words import gettext_noop
from recommendations.items.content import ContentIndex
from recommendations.items.index import ItemIndex
from recommendations.retrieval.base import PER_SOURCE, ServingContext

LOOKED_AT: Final = 300
"""Most popular items of the category that are compared; bounds the time for a shop with one huge category."""

ITEMS_COMPARED: Final = 3
LIKENESS: Final = np.float32(1.5)
LIKE_PRICE: Final = np.float32(0.1)
LIKE_BRAND: Final = np.float32(0.1)
SAME_BRAND: Final = np.float32(0.5)
PRICE_WEIGHT: Final = np.float32(0.5)
POPULARITY_WEIGHT: Final = np.float32(0.2)


Scored = tuple[RowArray, FloatArray, NDArray[np.int64]]
"""Rows, how much each is like one of those that the list is about, and which one; a row may stand there twice."""

MAX_KNOWN: Final = 2_048
"""Answers that are kept of an item index, of about a kilobyte each."""

_known: Final[WeakKeyDictionary[ItemIndex, dict[bytes, Ranked]]] = WeakKeyDictionary()
_NO_ORIGIN: Final = np.empty(0, np.int64)
_BY_AGE: Final = np.power(np.float32(0.7), np.arange(ITEMS_COMPARED), dtype=np.float32)
_BY_POPULARITY: Final = (POPULARITY_WEIGHT / np.sqrt(np.arange(1, LOOKED_AT + 1))).astype(np.float32)


class ContentSource:
    """Items whose texts and pictures are alike, or of the same category, brand and a like price: best of all both."""

    name = "content"
    label = gettext_noop("similar by what it is")

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return items like the newest of those the list is about."""
        return alike(about, context.item_index)


def alike(about: RowArray, item_index: ItemIndex) -> Ranked:
    """Return rows that are like the newest ``ITEMS_COMPARED`` of the given ones, at most ``PER_SOURCE``.

    Two sources of a list ask the same, and so do all lists of one page: the answers last given are kept.
    """
    about = about[:ITEMS_COMPARED]
    known = _known.get(item_index)
    if known is None:
        known = _known[item_index] = {}
    key = about.tobytes()
    answer = known.get(key)
    if answer is None:
        if len(known) >= MAX_KNOWN:
            known.clear()
        answer = known[key] = _alike(about, item_index)
    return answer


def _alike(about: RowArray, item_index: ItemIndex) -> Ranked:
    found = [by_category(about, item_index)]
    if item_index.content is not None and len(about):
        found.append(by_likeness(about, item_index, item_index.content))
    found = [each for each in found if len(each[0])]
    if not found:
        return NOTHING_RANKED
    rows, scores, origin = (np.concatenate(parts) for parts in zip(*found, strict=True))
    scores = scores * _BY_AGE.take(origin)
    scores[(rows[:, None] == about).any(axis=1)] = 0.0
    best = summed_by_row(rows, scores).best_first()
    count = min(int(np.count_nonzero(best.scores > 0)), PER_SOURCE)
    return Ranked(rows=best.rows[:count].copy(), scores=best.scores[:count].copy())


def by_likeness(about: RowArray, item_index: ItemIndex, content: ContentIndex) -> Scored:
    """Return the rows of the content table that are like the given ones."""
    rows, similarity, origin = content.like(about)
    catalogue = item_index.catalogue
    distance = np.abs(item_index.log_price.take(rows) - item_index.log_price.take(about).take(origin))
    brand = catalogue.brand.take(about).take(origin)
    scores = LIKENESS * similarity + LIKE_PRICE / (np.float32(1.0) + distance)
    scores += LIKE_BRAND * ((catalogue.brand.take(rows) == brand) & (brand > 0))
    return rows, scores, origin


def by_category(about: RowArray, item_index: ItemIndex) -> Scored:
    """Return rows of the same leaf category, best of all of the same brand and a like price."""
    catalogue = item_index.catalogue
    parts = [item_index.in_category(category) for category in catalogue.category[about].tolist()]
    parts = [slice(part.start, min(part.stop, part.start + LOOKED_AT)) for part in parts]
    lengths = [part.stop - part.start for part in parts]
    if not any(lengths):
        return NO_ROWS, NO_SCORES, _NO_ORIGIN
    # One pass over the items of all of them.
    origin = np.arange(len(about)).repeat(lengths)
    rows = np.concatenate([item_index.by_category[part] for part in parts])
    distance = np.concatenate([item_index.log_price_by_category[part] for part in parts])
    distance -= item_index.log_price[about][origin]
    np.abs(distance, out=distance)
    brand = catalogue.brand[about][origin]
    is_same_brand = np.concatenate([item_index.brand_by_category[part] for part in parts]) == brand
    scores = np.concatenate([_BY_POPULARITY[:length] for length in lengths])
    scores += np.float32(1.0) + PRICE_WEIGHT / (np.float32(1.0) + distance)
    scores += SAME_BRAND * (is_same_brand & (brand > 0))
    return rows, scores, origin
