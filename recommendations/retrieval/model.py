"""Candidates of a trained model version: its sources run together, its item indices translated to rows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.state.user_features import UserFeatures
from recommendations.core.objectives import NEEDS, Weights, mixed, values_of
from recommendations.core.row_index import is_first
from recommendations.core.types import FloatArray, Ranked, RequestUser, RowArray
from recommendations.inference import HIDDEN, ModelSet, RetrievalQuery, SourceResult
from recommendations.items.index import ItemIndex
from recommendations.metrics import STAGE_SECONDS
from recommendations.ranking.batch import RankingTables
from recommendations.ranking.columns import CANDIDATES_PER_SOURCE, COLUMNS, ITEM_COLUMNS, ITEM_FEATURES
from recommendations.ranking.item_features import RecentPopularity, UserOrders
from recommendations.ranking.online import Listing, one_ranking_input
from recommendations.ranking.rrf import FusionWeights
from recommendations.retrieval.base import PER_SOURCE, Ranker
from recommendations.retrieval.item_rows import item_rows

_RETRIEVAL_SECONDS: Final = STAGE_SECONDS.labels("retrieval")
_RANKING_SECONDS: Final = STAGE_SECONDS.labels("ranking")
MAX_HISTORY: Final = 50
POPULARITY_DEPTH: Final = 100
ENOUGH_PRODUCTS: Final = 40
"""What a source is to propose at least where its best items are all the sizes there are of some products."""

MOST_ASKED: Final = 500
"""What a graph is asked for costs time; a catalogue of thirty sizes each is better counted by product."""

_NOTHING_EXCLUDED: Final = np.empty(0, np.int64)
RANKED_SOURCES: Final = tuple(name for name in CANDIDATES_PER_SOURCE if name != "popularity")
"""The sources in the ranker's features; popularity comes from arrays, not from a graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswer:
    """What the sources of a model said to one question, as the ranker wants to see it again."""

    history: NDArray[np.int64]
    results: Mapping[str, SourceResult]


class ModelLink:
    """A model version joined to an item index; made in the background when either changes.

    The ``CandidateModel`` that the pipeline is given.

    Attributes
    ----------
    version : str
    sources : tuple of str
    index_of_row, row_of_index
        See ``ItemRows``.
    """

    def __init__(self, model: ModelSet, item_index: ItemIndex, *, version: str) -> None:
        self.version = version
        self.sources = model.sources
        fusion = model.manifest.fusion
        self.fusion = FusionWeights(weights=fusion.weights, k=fusion.k)
        self._model = model
        catalogue = item_index.catalogue
        rows = item_rows(model.item_ids, model.popularity_all_time, item_index)
        self.row_of_index, self.index_of_row = rows.row_of_index, rows.index_of_row
        # What is sold out or not in the catalogue is hidden inside the graphs, so that it takes nobody's place.
        self._item_bias: FloatArray = np.where(rows.can_be_had, np.float32(0.0), HIDDEN).astype(np.float32)
        # Of the sizes of a shoe one is listed: with so many of them, sources are asked for more.
        self._k = min(max(PER_SOURCE, ENOUGH_PRODUCTS * rows.variants), MOST_ASKED)
        self._products = item_index.products
        self._prices, self._margins = catalogue.price, catalogue.margin
        self._popularity = _popular(model.popularity_recent, model.popularity_all_time)
        self._tables = _tables_of(model)
        self._decimals = model.manifest.ranker.decimals if model.manifest.ranker is not None else 2
        if self._tables is not None:
            self._tables = replace(
                self._tables, item_facts=self._features_of_today(self._tables.item_facts, catalogue.price)
            )

    @property
    def ranked_sources(self) -> tuple[str, ...]:
        """The sources that the ranker reads; none where there is no ranker."""
        return RANKED_SOURCES if self._tables is not None else ()

    def popularity_of_rows(self) -> FloatArray:
        """Return each row's interactions in the training data, of late first."""
        counts = self._model.popularity_recent + self._model.popularity_all_time * np.float32(1e-3)
        popularity: FloatArray = np.where(self.index_of_row > 0, counts[self.index_of_row], 0).astype(np.float32)
        return popularity

    def indices(self, rows: Sequence[int]) -> list[int]:
        """Return the item index of each row, 0 where the model does not know the item."""
        found: list[int] = self.index_of_row.take(rows).tolist()
        return found

    def knows(self, rows: Sequence[int]) -> bool:
        """Return whether the model knows any of these rows."""
        return any(self.indices(rows))

    def candidates(
        self, newest_first: Sequence[int], *, sources: tuple[str, ...], given: RowArray | None
    ) -> tuple[dict[str, Ranked], Ranker | None]:
        """Return what sources of the model propose, and what asks its ranker about them; see ``CandidateModel``."""
        answer = self.retrieve(newest_first, sources=sources, candidates=given, k=self._k)
        lists = self.lists(answer, given=given)
        if self._tables is None:
            return lists, None

        def ranked(user: RequestUser, counts: Mapping[str, FloatArray], objectives: Weights) -> RowArray:
            return self.rank(answer, k=2 * self._k, user=user.features, counts=counts, objectives=objectives)

        return lists, ranked

    def retrieve(
        self, newest_first: Sequence[int], *, sources: tuple[str, ...], candidates: RowArray | None = None, k: int
    ) -> ModelAnswer:
        """Run sources of the model for these rows; one graph run a source, on this thread.

        Raises
        ------
        ModelUnavailable
            ONNX Runtime failed.
        """
        started = time.perf_counter()
        history = self.index_of_row[np.asarray(newest_first[:MAX_HISTORY][::-1], np.int64)]
        wanted = None
        if candidates is not None:
            wanted = self.index_of_row[candidates]
            wanted = wanted[wanted > 0]
            wanted = wanted[is_first(wanted)]
        results = self._model.retrieve(
            RetrievalQuery(
                indices=history,
                exclude=_NOTHING_EXCLUDED,
                item_bias=self._item_bias,
                candidates=wanted,
                k=k,
                sources=sources,
            )
        )
        _RETRIEVAL_SECONDS.observe(time.perf_counter() - started)
        return ModelAnswer(history=history, results=results)

    def lists(self, answer: ModelAnswer, *, given: RowArray | None = None) -> dict[str, Ranked]:
        """Return an answer as rows of the catalogue, by source, one of each product.

        Of the rows that the model knows as one item, a given one stands for it.
        """
        found = [(name, result) for name, result in answer.results.items() if len(result.indices)]
        if not found:
            return {}
        row_of_index = self.row_of_index
        if given is not None:
            row_of_index = row_of_index.copy()
            row_of_index[self.index_of_row[given[::-1]]] = given[::-1]
            row_of_index[0] = -1
        rows_of_all = row_of_index.take(np.concatenate([result.indices for _, result in found]))
        is_known = rows_of_all >= 0
        every_row_is_known = bool(is_known.all())
        lists: dict[str, Ranked] = {}
        start = 0
        for name, result in found:
            part = slice(start, start + len(result.indices))
            start = part.stop
            rows, scores = rows_of_all[part], result.score
            if not every_row_is_known:
                rows, scores = rows[is_known[part]], scores[is_known[part]]
            if given is None and self._products.has_variants:
                firsts = is_first(self._products.of_row.take(rows)).nonzero()[0][:PER_SOURCE]
                rows, scores = rows[firsts], scores[firsts]
            if len(rows):
                lists[name] = Ranked(rows=rows, scores=scores)
        return lists

    def rank(
        self,
        answer: ModelAnswer,
        *,
        k: int,
        user: UserFeatures | None = None,
        counts: Mapping[str, FloatArray] | None = None,
        objectives: Weights = (),
    ) -> RowArray:
        """Return rows in the order of the ranker, best first: those of the answer, the history and popular ones.

        Parameters
        ----------
        user : UserFeatures, optional
            Whose orders the ranker may look at.
        counts : mapping of window to float32, shape (n_rows,), optional
            What is popular just now (``ItemIndex.counts``).
        objectives : tuple of (str, float)
            What to order for instead; those that the version has not learnt count nothing, and where none of them is
            known, the order is as without.

        Raises
        ------
        ModelUnavailable
            There is no ranker, or ONNX Runtime failed.
        """
        history = answer.history[answer.history > 0].astype(np.int32)
        if self._tables is None or not len(history):
            return self.row_of_index[:0]
        started = time.perf_counter()
        lists = {name: (result.indices, result.score) for name, result in answer.results.items()}
        lists["popularity"] = self._popularity
        items, features = one_ranking_input(
            lists,
            history,
            self._tables,
            user=ranking_user(user, decimals=self._decimals),
            popularity=self._recent_popularity(counts),
        )
        scores = self._model.rank(features)
        mixture = self._mixed(objectives, items, features, scores) if objectives else None
        # Of equal mixtures the ranker's order stays, and ties of that go to the lower index.
        order = (np.argsort(-scores, kind="stable") if mixture is None else np.lexsort((-scores, -mixture)))[:k]
        rows: RowArray = self.row_of_index.take(items.take(order))
        rows = rows[rows >= 0]
        if self._products.has_variants:  # a row may stand for two items: for its product, and for itself
            rows = rows[is_first(rows)]
        _RANKING_SECONDS.observe(time.perf_counter() - started)
        return rows

    def _mixed(
        self, objectives: Weights, items: RowArray, features: FloatArray, scores: FloatArray
    ) -> FloatArray | None:
        """Return one score a candidate by what the placement weighs; None where the version knows none of it."""
        names = [name for name, _ in objectives]
        chances = self._model.chances(features, scores, {NEEDS[name] for name in names})
        rows = self.row_of_index.take(items)
        listed = rows >= 0
        np.maximum(rows, 0, out=rows)
        price = np.where(listed, self._prices.take(rows), np.nan)
        margin = np.where(listed, self._margins.take(rows), np.nan)
        values = {name: values_of(name, chances, price=price, margin=margin) for name in names}
        return mixed({name: value for name, value in values.items() if value is not None}, objectives)

    def _features_of_today(self, features: FloatArray, price: FloatArray) -> FloatArray:
        """Return item features with the prices that users pay now, where the catalogue has one."""
        known = np.flatnonzero(self.row_of_index >= 0)
        today = price[self.row_of_index[known]]
        priced = known[today > 0]
        fresh = features.copy()
        fresh[priced, ITEM_FEATURES.index("log_price")] = np.log(price[self.row_of_index[priced]])
        return fresh

    def _recent_popularity(self, counts: Mapping[str, FloatArray] | None) -> RecentPopularity | None:
        """Return what counts the interactions of candidates; None where nothing is counted."""
        if not counts or "24h" not in counts or "7d" not in counts:
            return None
        day, week = counts["24h"], counts["7d"]

        def popularity(queries: NDArray[np.int64], items: RowArray) -> tuple[FloatArray, FloatArray]:
            rows = self.row_of_index.take(items)
            listed = rows >= 0
            np.maximum(rows, 0, out=rows)
            return day.take(rows) * listed, week.take(rows) * listed

        return popularity


def ranking_user(features: UserFeatures | None, *, decimals: int) -> UserOrders | None:
    """Return what the ranker looks at of one user; None for one who never ordered.

    Parameters
    ----------
    decimals : int
        Of the site's currency, as the ranker learnt it.
    """
    if features is None or not features.rfm.frequency:
        return None
    rfm, segment = features.rfm, features.segment
    scores = (segment.recency, segment.frequency, segment.monetary) if segment is not None else (0, 0, 0)
    return UserOrders.of(
        order_age_s=np.array([rfm.recency_s or 0.0]),
        orders=np.array([rfm.frequency]),
        monetary=np.array([rfm.monetary]),
        scores=np.array([scores], np.int8),
        decimals=decimals,
    )


def _popular(recent: FloatArray, all_time: FloatArray) -> Listing:
    """Return the popularity list as training makes it: of late, ties by all time."""
    order = np.lexsort((-all_time, -recent))
    items = order[recent[order] > 0][:POPULARITY_DEPTH]
    return items, recent[items]


def _tables_of(model: ModelSet) -> RankingTables | None:
    """Return what the ranker's features need; None without a ranker that is asked in this release's columns.

    A ranker that another release trained finds its own among them by name, as long as the tables are of this form.
    """
    arrays = model.ranking_arrays
    if model.manifest.ranker is None or model.given_columns != COLUMNS:
        return None
    if not set(RANKED_SOURCES).issubset(model.sources):
        return None
    if arrays["item_columns"].shape[1:] != (len(ITEM_COLUMNS),) or arrays["item_facts"].shape[1:] != (
        len(ITEM_FEATURES),
    ):
        return None
    # As plain arrays: a memory map's every slice costs a Python call.
    return RankingTables(
        item_columns=np.asarray(arrays["item_columns"]),
        item_facts=np.asarray(arrays["item_facts"]),
        item_vectors=np.asarray(arrays["item_vectors"]),
        next_indices=np.asarray(arrays["next_indices"]),
        next_weights=np.asarray(arrays["next_weights"]),
    )
