"""Choose the items of a list from ranked candidates: one of each product, limits, and as different as asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from recommendations.core.types import NOTHING_RANKED, FloatArray, Ranked
from recommendations.items.similarity import SimilarityColumns

LOOK_AT_LEAST: Final = 50
LOOK_TIMES_SIZE: Final = 4
"""Items below that many positions never come up for the sake of difference."""

SAME_CATEGORY: Final = np.float32(0.6)
SAME_BRAND: Final = np.float32(0.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variety:
    """How different the items of a list have to be; 0 means no limit.

    Attributes
    ----------
    difference : float
        From 0, by score alone, to 1, as different as can be.
    """

    difference: float = 0.0
    max_per_category: int = 0
    max_per_brand: int = 0


NO_VARIETY: Final = Variety()


def choose(ranked: Ranked, similarity: SimilarityColumns, variety: Variety, *, size: int) -> Ranked:
    """Return at most ``size`` candidates, in the order of the page.

    Variants of one product are never shown beside each other. Limits are kept as long as other items are there;
    rather than a short list, the best of those that were held back fill it up.
    """
    if not len(ranked) or size <= 0:
        return NOTHING_RANKED
    ranked = ranked.best_first()
    if variety.difference > 0:
        ranked = _reordered(ranked, similarity, variety.difference, size)
    chosen = _within_limits(ranked, similarity, variety, size)
    return Ranked(rows=ranked.rows[chosen], scores=ranked.scores[chosen])


def _within_limits(ranked: Ranked, similarity: SimilarityColumns, variety: Variety, size: int) -> list[int]:
    products: set[int] = set()
    categories: dict[int, int] = {}
    brands: dict[int, int] = {}
    chosen: list[int] = []
    held_back: list[int] = []
    has_limits = bool(variety.max_per_category or variety.max_per_brand)
    for position, product, category, brand in _traits(ranked, similarity, size):
        if product in products:
            continue
        products.add(product)
        if has_limits:
            if (variety.max_per_category and category and categories.get(category, 0) >= variety.max_per_category) or (
                variety.max_per_brand and brand and brands.get(brand, 0) >= variety.max_per_brand
            ):
                held_back.append(position)
                continue
            categories[category] = categories.get(category, 0) + 1
            brands[brand] = brands.get(brand, 0) + 1
        chosen.append(position)
        if len(chosen) == size:
            return chosen
    return chosen + held_back[: size - len(chosen)]


def _traits(ranked: Ranked, similarity: SimilarityColumns, size: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield position, product, category and brand of each candidate, as plain integers and some dozens at a time.

    Most lists are full after a few more than ``size`` candidates.
    """
    step = LOOK_TIMES_SIZE * size
    for start in range(0, len(ranked), step):
        rows = ranked.rows[start : start + step]
        yield from zip(
            range(start, start + len(rows)),
            similarity.product[rows].tolist(),
            similarity.category[rows].tolist(),
            similarity.brand[rows].tolist(),
            strict=True,
        )


def _reordered(ranked: Ranked, similarity: SimilarityColumns, difference: float, size: int) -> Ranked:
    """Order by maximal marginal relevance: score against likeness to what already stands above.

    Likeness is that of category and brand, or that of texts and pictures where it is greater.

    References
    ----------
    Carbonell & Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998.
    """
    n = min(len(ranked), max(LOOK_AT_LEAST, LOOK_TIMES_SIZE * size))
    rows, scores = ranked.rows[:n], ranked.scores[:n]
    relevance = (scores / max(float(scores[0]), 1e-30)).astype(np.float32) * np.float32(1.0 - difference)
    categories, brands = similarity.category[rows], similarity.brand[rows]
    vectors = None if similarity.vectors_of is None else similarity.vectors_of(rows)
    likest: FloatArray = np.zeros(n, np.float32)
    left = np.ones(n, np.bool_)
    order: list[int] = []
    weight = np.float32(difference)
    for _ in range(min(size, n)):
        position = int(np.argmax(np.where(left, relevance - weight * likest, -np.inf)))
        order.append(position)
        left[position] = False
        alike = SAME_CATEGORY * ((categories == categories[position]) & (categories > 0))
        alike += SAME_BRAND * ((brands == brands[position]) & (brands > 0))
        np.maximum(likest, alike.astype(np.float32), out=likest)
        if vectors is not None:
            np.maximum(likest, vectors @ vectors[position], out=likest)
    positions = np.concatenate([np.asarray(order, np.int64), np.flatnonzero(left), np.arange(n, len(ranked))])
    return Ranked(rows=ranked.rows[positions], scores=ranked.scores[positions])
