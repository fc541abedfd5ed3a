"""Item-item tables in Spark: the same weights as ``training.fit_neighbours``, summed over the whole log."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from recommendations.training.data.dataset import Kind
from recommendations.training.fit.neighbours import DECAY, KIND_WEIGHTS, LAST_N
from recommendations.training.fitted import Neighbours

MAX_DISTINCT = 200
"""Items of a session that make pairs, the most popular ones: a session of n makes n² pairs, and is a robot's."""


def fit_tfidf(flat: DataFrame, *, n_items: int, k: int) -> Neighbours:
    """Fit TFIDF-weighted cosine of sessions; ``flat`` is (session, position, item, kind)."""
    held = _held(flat)
    idf = F.lit(math.log(n_items)) - F.log1p(F.size("items"))
    together = _pairs(held.withColumn("weight", idf * idf)).persist()
    table = _table("tfidf", _cosine(together), n_items=n_items, k=k, decay=DECAY, last_n=LAST_N)
    together.unpersist()
    return table


def fit_baskets(flat: DataFrame, *, n_items: int, k: int = 50, min_support: int = 2) -> Neighbours:
    """Fit cosine between items that one session bought or put into the cart; never the item itself."""
    held = _held(flat.where(F.col("kind") >= int(Kind.CART))).withColumn("weight", F.lit(1.0))
    together = _pairs(held).persist()
    others = _cosine(together, F.col("total") >= min_support).where(F.col("item") != F.col("other"))
    table = _table("baskets", others, n_items=n_items, k=k, decay=DECAY, last_n=LAST_N)
    together.unpersist()
    return table


def fit_following(
    flat: DataFrame,
    *,
    n_items: int,
    k: int,
    next_k: int,
    steps: int = 10,
    backward: float = 0.5,
    kind_weights: Mapping[Kind, float] = KIND_WEIGHTS,
) -> tuple[Neighbours, Neighbours]:
    """Fit ``covisitation`` and ``next``: pairs within ``steps`` positions, by kind weight / distance."""
    in_order = Window.partitionBy("session").orderBy("position")
    weight_of = F.create_map(*(F.lit(part) for kind in Kind for part in (int(kind), kind_weights[kind])))
    later = [
        F.lead(F.struct("item", "kind"), distance).over(in_order).alias(f"_{distance}")
        for distance in range(1, steps + 1)
    ]
    pairs = [
        F.struct(
            F.col(f"_{distance}.item").alias("other"),
            (weight_of[F.col(f"_{distance}.kind")] / distance).alias("weight"),
        )
        for distance in range(1, steps + 1)
    ]
    forward = (
        flat.select("item", *later)
        .select("item", F.explode(F.array(pairs)).alias("pair"))
        .where(F.col("pair.other").isNotNull())
        .groupBy("item", F.col("pair.other").alias("other"))
        .agg(F.sum("pair.weight").alias("weight"))
        .persist()
    )
    reverse = forward.select(
        F.col("other").alias("item"), F.col("item").alias("other"), (F.col("weight") * backward).alias("weight")
    )
    both = forward.unionByName(reverse).groupBy("item", "other").agg(F.sum("weight").alias("weight"))
    tables = (
        _table("covisitation", _row_normalised(both), n_items=n_items, k=k, decay=DECAY, last_n=LAST_N),
        _table("next", _row_normalised(forward), n_items=n_items, k=next_k, decay=1.0, last_n=1),
    )
    forward.unpersist()
    return tables


def _held(flat: DataFrame) -> DataFrame:
    """Return the distinct items of each session."""
    return flat.groupBy("session").agg(F.sort_array(F.collect_set("item")).alias("items"))


def _pairs(held: DataFrame) -> DataFrame:
    """Return (item, other, total): the sum of ``weight`` over the sessions that hold both."""
    paired = F.slice("items", 1, MAX_DISTINCT)
    return (
        held.select("weight", paired.alias("items"), F.explode(paired).alias("item"))
        .select("weight", "item", F.explode("items").alias("other"))
        .groupBy("item", "other")
        .agg(F.sum("weight").alias("total"))
    )


def _cosine(together: DataFrame, kept: Column | None = None) -> DataFrame:
    """Divide the totals of pairs by the roots of those of each item with itself."""
    own = together.where(F.col("item") == F.col("other")).select("item", F.sqrt("total").alias("length"))
    pairs = together if kept is None else together.where(kept)
    return (
        pairs.join(own, "item")
        .join(own.select(F.col("item").alias("other"), F.col("length").alias("other_length")), "other")
        .select("item", "other", (F.col("total") / (F.col("length") * F.col("other_length"))).alias("weight"))
    )


def _row_normalised(pairs: DataFrame) -> DataFrame:
    row_sum = F.sum("weight").over(Window.partitionBy("item"))
    return pairs.select("item", "other", (F.col("weight") / row_sum).alias("weight"))


def _table(name: str, pairs: DataFrame, *, n_items: int, k: int, decay: float, last_n: int) -> Neighbours:
    """Bring the ``k`` greatest entries of each row to the driver: 16 bytes an entry, ties by lower index."""
    best = Window.partitionBy("item").orderBy(F.desc("weight"), "other")
    rows = (
        pairs.withColumn("weight", F.col("weight").cast("float"))
        .where(F.col("weight") > 0)
        .withColumn("rank", F.row_number().over(best))
        .where(F.col("rank") <= k)
        .select("item", "other", "weight", "rank")
        .toArrow()
    )
    indices, weights = np.zeros((n_items, k), np.int32), np.zeros((n_items, k), np.float32)
    items, ranks = rows["item"].to_numpy(), rows["rank"].to_numpy() - 1
    indices[items, ranks] = rows["other"].to_numpy()
    weights[items, ranks] = rows["weight"].to_numpy()
    return Neighbours(name=name, indices=indices, weights=weights, decay=decay, last_n=last_n)
