"""Every source of a model set from a log in Spark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recommendations.ranking.columns import LIST_DEPTH
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import RankedLists
from recommendations.training.data.dataset import Kind
from recommendations.training.fit.als import unit_vectors
from recommendations.training.fit.batch import score_als, score_neighbours, score_popularity, score_sessions
from recommendations.training.fit.neighbours import fit_vector_neighbours
from recommendations.training.fit.sessions import fit_sessions
from recommendations.training.fit.walk import fit_walk
from recommendations.training.fitted import AlsFactors, Neighbours, Popularity, SessionIndex
from recommendations.training.settings import Progress, TrainingSettings
from recommendations.training.spark.item_item import fit_baskets, fit_following, fit_tfidf
from recommendations.training.spark.log import SparkLog

RECENT_SHARE = 0.03
SPARK_REGULARIZATION = 0.01
"""Spark multiplies it by the interactions of each session and item, which `implicit` and the fold-in do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkSources:
    """What ``training.fit_sources.FittedSources`` holds, without the ranker's tables."""

    item_ids: tuple[str, ...]
    als: AlsFactors
    neighbours: tuple[Neighbours, ...]
    sessions: SessionIndex
    popularity: Popularity

    def names(self) -> tuple[str, ...]:
        """Return the names of all sources."""
        return ("sessions", *(table.name for table in self.neighbours), "als", "popularity")

    def lists(self, histories: SessionHistories) -> dict[str, RankedLists]:
        """Return the lists of every source, as their graphs would give them."""
        found = {table.name: score_neighbours(table, histories, k=LIST_DEPTH) for table in self.neighbours}
        found["sessions"] = score_sessions(self.sessions, histories, k=LIST_DEPTH)
        found["als"] = score_als(self.als, histories, k=LIST_DEPTH)
        found["popularity"] = score_popularity(self.popularity, histories, k=LIST_DEPTH)
        return found


def fit_sources_on_spark(
    log: SparkLog,
    *,
    settings: TrainingSettings,
    max_sessions: int,
    catalogue: Iterable[str] = (),
    progress: Progress,
    label: str,
) -> SparkSources:
    """Fit every source on ``log``.

    ALS, TFIDF, co-visitation, next, baskets and popularity count the whole log, on the cluster. Session kNN and the
    two walks fade with age anyway; they are fitted by the driver on the newest ``max_sessions`` sessions.

    Memory of the driver: tables as in ``fit_sources`` (3 GB at most), 300 bytes an interaction of those sessions.
    """
    steps = 6
    progress(label, 0, steps)
    item_ids = log.vocabulary(catalogue)
    n_items = len(item_ids)
    k, postings = (int(np.clip(cells // n_items, 50, most)) for cells, most in ((4e7, 200), (2e8, 500)))
    flat = _indexed(log, item_ids).persist()
    progress(label, 1, steps)
    als = fit_als(flat, n_items=n_items, settings=settings)
    vectors = unit_vectors(als.item_factors)
    progress(label, 2, steps)
    covisitation, following = fit_following(flat, n_items=n_items, k=k, next_k=min(k, 100))
    neighbours = [fit_tfidf(flat, n_items=n_items, k=k), covisitation, following]
    neighbours.append(fit_vector_neighbours("factors", vectors, k=min(k, 100)))
    progress(label, 3, steps)
    if flat.where(F.col("kind") >= int(Kind.CART)).limit(1).count():
        neighbours.append(fit_baskets(flat, n_items=n_items))
    popularity = _popularity(flat, n_items=n_items, n_sessions=len(log))
    flat.unpersist()
    progress(label, 4, steps)
    newest = log.newest(max_sessions).collected(item_ids)
    neighbours.append(fit_walk(newest, k=k))
    neighbours.append(fit_walk(newest, name="around", k=k, order_share=0.0, step_weights=(0.5, 1.0)))
    progress(label, 5, steps)
    sessions = fit_sessions(newest, postings=postings)
    progress(label, steps, steps)
    return SparkSources(
        item_ids=item_ids, als=als, neighbours=tuple(neighbours), sessions=sessions, popularity=popularity
    )


def fit_als(flat: DataFrame, *, n_items: int, settings: TrainingSettings, alpha: float = 40.0) -> AlsFactors:
    """Factorise sessions and items by Spark's implicit-feedback ALS."""
    rank = min(settings.factors, max(n_items - 1, 1))
    blocks = max(flat.sparkSession.sparkContext.defaultParallelism, 2)
    als = ALS(
        rank=rank,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        maxIter=settings.als_iterations,
        regParam=SPARK_REGULARIZATION,
        alpha=alpha,
        implicitPrefs=True,
        userCol="session",
        itemCol="item",
        ratingCol="rating",
        seed=settings.seed,
    )
    model = als.fit(flat.select("session", "item").distinct().withColumn("rating", F.lit(1.0)))
    rows = model.itemFactors.toArrow()
    factors = np.zeros((n_items, rank), np.float32)
    factors[rows["id"].to_numpy()] = np.array(rows["features"].to_pylist(), np.float32)
    return AlsFactors(item_factors=factors, regularization=0.05, alpha=alpha)


def _indexed(log: SparkLog, item_ids: tuple[str, ...]) -> DataFrame:
    """Return (session, position, item, kind) with item indices."""
    spark = log.sessions.sparkSession
    rows = pa.table({"item_id": pa.array(item_ids[1:]), "item": pa.array(range(1, len(item_ids)), pa.int32())})
    vocabulary = spark.createDataFrame(rows)
    return log.interactions().join(vocabulary, "item_id").select("session", "position", "item", "kind")


def _popularity(flat: DataFrame, *, n_items: int, n_sessions: int) -> Popularity:
    first_recent = n_sessions - max(round(n_sessions * RECENT_SHARE), 1)
    recent = F.sum(F.when(F.col("session") >= first_recent, 1).otherwise(0))
    rows = flat.groupBy("item").agg(F.count("*").alias("all_time"), recent.alias("recent")).toArrow()
    counts = np.zeros((2, n_items), np.float32)
    for number, name in enumerate(("recent", "all_time")):
        counts[number, rows["item"].to_numpy()] = rows[name].to_numpy()
    return Popularity(recent=counts[0], all_time=counts[1])
