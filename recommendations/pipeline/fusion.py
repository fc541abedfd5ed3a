"""From the lists of many sources to one score a candidate: weighted reciprocal ranks, then the ranker's order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommendations.core.row_index import is_first, positions_in
from recommendations.core.types import (
    NO_ROWS,
    NO_SCORES,
    NOTHING_RANKED,
    FloatArray,
    Ranked,
    RowArray,
    summed_by_row,
)

_LONGEST: Final = 2_000
_RANKS: Final = np.arange(1, _LONGEST + 1, dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """What every source gives every row that it lists, ``weight / (k + rank)``; one source after the other.

    Attributes
    ----------
    names : tuple of str
        The sources.
    ends : int64, shape (n_sources,)
        Where the rows of each end.
    rows, gains : int32, float32, shape (n,)
    """

    names: tuple[str, ...]
    ends: NDArray[np.int64]
    rows: RowArray
    gains: FloatArray


NO_VOTES: Final = Votes(names=(), ends=np.empty(0, np.int64), rows=NO_ROWS, gains=NO_SCORES)


def votes_of(candidates: Mapping[str, Ranked], weights: Mapping[str, float], *, k: float) -> Votes:
    """Return the votes of the sources that have a weight, and list something."""
    used = [
        (name, each.rows, weight)
        for name, each in candidates.items()
        if (weight := weights.get(name, 0.0)) > 0 and len(each.rows)
    ]
    if not used:
        return NO_VOTES
    names, rows, given = zip(*used, strict=True)
    gains, ends = _gains_of(given, tuple(map(len, rows)), k)
    return Votes(names=names, ends=ends, rows=np.concatenate(rows), gains=gains)


def fused(votes: Votes, *, product_of: RowArray | None = None) -> Ranked:
    """Return score(row) = Σ over the sources that list it of ``weight / (k + rank)``, best first.

    The same formula as ``ranking.rrf.fuse``, for one user and with rows of the catalogue in place of item indices.

    Parameters
    ----------
    product_of : int32, shape (n_rows,), optional
        Scores are those of products then: sources that list different sizes of a shoe agree about the shoe. The
        variant that one source gives the most stands for its product.
    """
    if not len(votes.rows):
        return NOTHING_RANKED
    rows, gained = votes.rows, votes.gains
    if product_of is None:
        return summed_by_row(rows, gained).best_first()
    by_gain = gained.argsort(kind="stable")[::-1]
    rows, gained = rows[by_gain], gained[by_gain]
    products = product_of.take(rows)
    best = summed_by_row(products, gained).best_first()
    firsts = rows[is_first(products)]
    return Ranked(rows=firsts[positions_in(product_of.take(firsts), best.rows)[0]], scores=best.scores)


@lru_cache(maxsize=1_024)
def _gains_of(weights: tuple[float, ...], lengths: tuple[int, ...], k: float) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return what each rank of each source adds, and where each source ends; few weights and lengths come up."""
    gains = np.concatenate([_gains(weight, k)[:length] for weight, length in zip(weights, lengths, strict=True)])
    gains.setflags(write=False)
    return gains, np.cumsum(lengths, dtype=np.int64)


@lru_cache(maxsize=256)
def _gains(weight: float, k: float) -> FloatArray:
    """Return what each rank of a source adds; computed once for the weights of a model version."""
    gains: FloatArray = np.float32(weight) / (np.float32(k) + _RANKS)
    gains.setflags(write=False)
    return gains


def reordered(ranked: Ranked, order: RowArray) -> Ranked:
    """Give the rows that a ranker ordered the positions and scores which they hold together.

    Rows that the ranker does not know (items newer than its training) keep their position among them. So scores stay
    positive and comparable, which rules and diversity rely on.

    Parameters
    ----------
    ranked : Ranked
        Best first.
    order : int32 rows
        Best first; those that are not in ``ranked`` are left out.
    """
    if not len(ranked) or not len(order):
        return ranked
    positions, is_ranked = positions_in(ranked.rows, order)
    held = positions[is_ranked]
    held.sort()
    rows = ranked.rows.copy()
    rows[held] = order[is_ranked]
    return Ranked(rows=rows, scores=ranked.scores)


def moved_up(ranked: Ranked, positions: Mapping[int, int]) -> Ranked:
    """Move rows up to the positions that they are given; scores stay with the positions. None is moved down.

    Parameters
    ----------
    ranked : Ranked
        Best first.
    positions : mapping of row to position
        Rows that are not in ``ranked`` are left out.
    """
    if not positions:
        return ranked
    rows: list[int] = ranked.rows.tolist()
    for row, position in sorted(positions.items(), key=lambda pair: pair[1]):
        if row in rows and rows.index(row) > position:
            rows.remove(row)
            rows.insert(position, row)
    return Ranked(rows=np.asarray(rows, np.int32), scores=ranked.scores)
