"""All sources of a model set, fitted on one log, and their lists for many histories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommendations.ranking.batch import RankingTables
from recommendations.ranking.columns import LIST_DEPTH
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import FloatArray, RankedLists
from recommendations.training.data.dataset import Kind, SessionLog
from recommendations.training.data.items import ItemFeatures, item_features_of
from recommendations.training.fit.als import fit_als, unit_vectors
from recommendations.training.fit.batch import score_als, score_neighbours, score_popularity, score_sessions
from recommendations.training.fit.neighbours import (
    fit_baskets,
    fit_covisitation,
    fit_next,
    fit_tfidf,
    fit_vector_neighbours,
)
from recommendations.training.fit.sessions import fit_sessions
from recommendations.training.fit.walk import fit_walk
from recommendations.training.fitted import AlsFactors, DataRange, Neighbours, Popularity, SessionIndex
from recommendations.training.settings import Progress, TrainingSettings, no_progress

PRIOR_COUNT = 50.0  # an item's conversion is half its own after that many interactions
RECENT_SHARE = 0.03  # the newest sessions that "recent" popularity counts
SOURCES = ("sessions", "tfidf", "covisitation", "next", "walk", "around", "factors", "als", "popularity")


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedSources:
    """Every source of one log."""

    als: AlsFactors
    neighbours: tuple[Neighbours, ...]
    sessions: SessionIndex
    popularity: Popularity
    tables: RankingTables

    def table(self, name: str) -> Neighbours:
        """Return the item-item table of this name."""
        return next(table for table in self.neighbours if table.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Sources with the vocabulary and the interactions that they were fitted on."""

    item_ids: tuple[str, ...]
    data_range: DataRange
    sources: FittedSources


FIT_CLASSES = (Fit, FittedSources, DataRange, AlsFactors, Neighbours, SessionIndex, Popularity, RankingTables)
"""What a ``Fit`` is made of, for those who store it."""


def fit_sources(
    log: SessionLog,
    *,
    settings: TrainingSettings,
    items: Mapping[str, ItemFeatures] | None = None,
    progress: Progress = no_progress,
    label: str = "fit",
) -> FittedSources:
    """Fit every source on ``log``, whose vocabulary falls by popularity.

    Memory: an item-item table takes ``8 · k`` bytes an item, the session index 124 bytes a session and
    ``4 · postings`` an item. Both widths shrink as the catalogue grows, so that seven tables and the postings together
    stay below 3 GB up to 800,000 items. ALS and session kNN look at the newest ``settings.max_sessions`` alone: ALS
    holds a vector a session, and session kNN fades with age.
    """
    steps = 7
    k, postings = (_width(log.n_items, cells=cells, most=most) for cells, most in ((4e7, 200), (2e8, 500)))
    progress(label, 0, steps)
    newest = log.between(max(len(log) - settings.max_sessions, 0), len(log))
    als = fit_als(
        newest,
        factors=min(settings.factors, max(log.n_items - 1, 1)),
        iterations=settings.als_iterations,
        seed=settings.seed,
        num_threads=settings.num_threads,
    )
    vectors = unit_vectors(als.item_factors)
    progress(label, 1, steps)
    factors = fit_vector_neighbours("factors", vectors, k=min(k, 100))
    progress(label, 2, steps)
    tfidf = fit_tfidf(log, k=k, num_threads=settings.num_threads)
    following = fit_next(log, k=min(k, 100))
    neighbours = [tfidf, fit_covisitation(log, k=k), following, factors]
    progress(label, 3, steps)
    neighbours.append(fit_walk(log, k=k))
    progress(label, 4, steps)
    neighbours.append(fit_walk(log, name="around", k=k, order_share=0.0, step_weights=(0.5, 1.0)))
    progress(label, 5, steps)
    if (log.kinds >= Kind.CART).any():
        neighbours.append(fit_baskets(log))
    sessions = fit_sessions(newest, postings=postings)
    progress(label, 6, steps)
    popularity = fit_popularity(log)
    tables = RankingTables(
        item_columns=item_columns(log, popularity),
        item_facts=item_features_of(log, items or {}),
        item_vectors=vectors,
        next_indices=following.indices,
        next_weights=following.weights,
    )
    progress(label, steps, steps)
    return FittedSources(als=als, neighbours=tuple(neighbours), sessions=sessions, popularity=popularity, tables=tables)


def _width(n_items: int, *, cells: float, most: int) -> int:
    """Return the columns of a table that keep it within ``cells``; never fewer than 50."""
    return int(np.clip(cells // n_items, 50, most))


def fit_popularity(log: SessionLog) -> Popularity:
    """Count interactions, ever and in the newest sessions."""
    newest = log.between(len(log) - max(round(len(log) * RECENT_SHARE), 1), len(log))
    return Popularity(recent=newest.counts().astype(np.float32), all_time=log.counts().astype(np.float32))


def item_columns(log: SessionLog, popularity: Popularity) -> FloatArray:
    """Return ``ranking.ITEM_COLUMNS`` of each item; rates are smoothed towards 0, conversion to the site's mean."""
    sessions = log.session_of
    same_session = sessions[1:] == sessions[:-1]
    before, after = log.items[:-1][same_session], log.items[1:][same_session]
    followed = np.bincount(before, minlength=log.n_items)
    reloaded = np.bincount(before[before == after], minlength=log.n_items)
    holders = np.bincount(log.matrix().indices, minlength=log.n_items)
    count, recent = popularity.all_time, popularity.recent
    carts, bought = (
        np.bincount(log.items[log.kinds == kind], minlength=log.n_items) for kind in (Kind.CART, Kind.PURCHASE)
    )
    mean = bought.sum() / max(len(log.items), 1)
    columns = np.column_stack(
        [
            np.log1p(count),
            np.log1p(recent),
            (recent + 1) / (count * RECENT_SHARE + 1),
            reloaded / (followed + 10),
            (count - holders) / (count + 5),
            carts / (count + 10),
            (bought + PRIOR_COUNT * mean) / (count + PRIOR_COUNT),
        ]
    ).astype(np.float32)
    columns[0] = 0
    return columns


def list_sources(
    fitted: FittedSources,
    histories: SessionHistories,
    *,
    names: tuple[str, ...],
    progress: Progress = no_progress,
    label: str = "list",
) -> dict[str, RankedLists]:
    """Return the lists of these sources, ``LIST_DEPTH`` deep, as their graphs would give them."""
    lists = {}
    for done, name in enumerate(names):
        progress(label, done, len(names))
        if name == "sessions":
            lists[name] = score_sessions(fitted.sessions, histories, k=LIST_DEPTH)
        elif name == "als":
            lists[name] = score_als(fitted.als, histories, k=LIST_DEPTH)
        elif name == "popularity":
            lists[name] = score_popularity(fitted.popularity, histories, k=LIST_DEPTH)
        else:
            lists[name] = score_neighbours(fitted.table(name), histories, k=LIST_DEPTH)
    progress(label, len(names), len(names))
    return lists
