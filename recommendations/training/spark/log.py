"""The archive as sessions in Spark: what ``training.archive.read_archive`` reads, in the same order, of any size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from pyspark import StorageLevel
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from features.archive.rows import ONCE
from recommendations.training.data.archive import ARCHIVE_KINDS, STEP_LETTERS
from recommendations.training.data.dataset import KINDS, SESSION_GAP_MS, InvalidDataset, SessionLog
from recommendations.training.data.voices import CERTAIN, DAY_MS, SHARE
from recommendations.training.fitted import DataRange
from tracking.contract.events import INTERACTIONS
from tracking.contract.user_key import USER_PREFIX

_ROW_BITS = 33  # of Spark's monotonically_increasing_id: the row within its partition


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkLog:
    """Sessions ``first`` to ``last`` (exclusive), numbered in the order of their ends.

    Attributes
    ----------
    sessions : DataFrame
        ``session`` (int), ``ended_at_ms``, ``user`` and ``events``, an array of (at, name, event_id, row, item_id,
        kind) in this order; ``name`` is the letter of the kind and the item, as in a user's state. Every session of
        the archive; cached.
    """

    sessions: DataFrame
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first

    def between(self, first: int, last: int) -> SparkLog:
        """Return some of these sessions; 0 is the first of them."""
        return replace(self, first=self.first + first, last=self.first + last)

    def newest(self, most: int) -> SparkLog:
        """Return the newest ``most`` sessions."""
        return self.between(max(len(self) - most, 0), len(self))

    def ended_by(self, at_ms: int) -> int:
        """Return how many of these sessions ended up to ``at_ms``."""
        return int(self.rows().where(F.col("ended_at_ms") <= at_ms).count())

    def rows(self, *, every: int = 1) -> DataFrame:
        """Return the sessions, or each ``every``-th of them."""
        chosen = self.sessions.where((F.col("session") >= self.first) & (F.col("session") < self.last))
        return chosen.where((F.col("session") - self.first) % every == 0) if every > 1 else chosen

    def interactions(self, *, every: int = 1) -> DataFrame:
        """Return ``session`` (from 0), ``position``, ``item_id``, ``kind``, ``at``, ``user``."""
        return self.rows(every=every).select(
            (F.col("session") - self.first).cast("int").alias("session"),
            "user",
            F.posexplode("events").alias("position", "event"),
        ).select(
            "session", "position", "user",
            F.col("event.item_id").alias("item_id"), F.col("event.kind").alias("kind"), F.col("event.at").alias("at"),
        )  # fmt: skip

    def vocabulary(self, catalogue: Iterable[str] = ()) -> tuple[str, ...]:
        """Return what ``popularity_vocabulary`` returns; ids alone come to the driver, 100 bytes an item."""
        counted = self.interactions().groupBy("item_id").count().toArrow().to_pylist()
        ranked = [row["item_id"] for row in sorted(counted, key=lambda row: (-row["count"], row["item_id"]))]
        missing = sorted(set(catalogue) - set(ranked) - {""})
        return ("", *ranked, *missing)

    def data_range(self) -> DataRange:
        """Return which interactions these are."""
        found = (
            self.interactions()
            .agg(F.min("at").alias("first"), F.max("at").alias("last"), F.count("*").alias("n"))
            .first()
        )
        assert found is not None  # an aggregate without groups has one row
        users = self.rows().select("user").distinct().count()
        return DataRange(
            first_ms=found["first"], last_ms=found["last"], interactions=found["n"], sessions=len(self), users=users
        )

    def collected(self, item_ids: tuple[str, ...], *, every: int = 1) -> SessionLog:
        """Bring sessions to the driver, without items that are not in ``item_ids``."""
        table = self.interactions(every=every).orderBy("session", "position").toArrow()
        index_of = {item_id: index for index, item_id in enumerate(item_ids)}
        items = np.array([index_of.get(item_id, 0) for item_id in table["item_id"].to_pylist()], np.int32)
        known = items > 0
        sessions = table["session"].to_numpy()[known]
        starts = np.flatnonzero(np.diff(sessions, prepend=-1))
        users = np.array(table["user"].to_pylist(), object)[known][starts]
        _, numbers = np.unique(users.astype(str), return_inverse=True)
        return SessionLog(
            item_ids=item_ids,
            items=items[known],
            kinds=table["kind"].to_numpy()[known].astype(np.uint8),
            occurred_at_ms=table["at"].to_numpy()[known],
            offsets=np.append(starts, len(sessions)).astype(np.int64),
            users=numbers.astype(np.int32),
        )


def read_log(spark: SparkSession, url: str, *, site: str) -> SparkLog:
    """Read a site's archive: bots and re-sends are left out, identities are merged, sessions numbered by their ends.

    Raises
    ------
    InvalidDataset
        The archive holds no view, cart or purchase of this site.
    """
    nothing = InvalidDataset(f"The archive {url} holds no view, cart or purchase of {site!r}.")
    folder = url.replace("s3://", "s3a://", 1) if url.startswith("s3://") else url
    try:
        rows = spark.read.option("mergeSchema", "true").parquet(f"{folder.rstrip('/')}/site={site}")
    except AnalysisException as error:
        raise nothing from error
    interactions = rows.where(F.col("event").isin(list(INTERACTIONS)) & F.col("item_id").isNotNull())
    first_received = Window.partitionBy(*ONCE).orderBy("received_at_ms")
    once = interactions.withColumn("copy", F.row_number().over(first_received)).where(F.col("copy") == 1)
    again = Window.partitionBy("transaction_id", "item_id").orderBy(
        F.coalesce(F.col("source") != "browser", F.lit(True)), "occurred_at_ms", "event_id"
    )  # as ``training.data.archive`` has it: of several reports of an order, the shop's own page counts first
    is_of_order = (F.col("event") == "purchase") & F.col("transaction_id").isNotNull()
    once = once.withColumn("report", F.when(is_of_order, F.dense_rank().over(again)).otherwise(1))
    owners = (
        once.where(F.col("user_id").isNotNull() & F.col("anonymous_id").isNotNull())
        .groupBy("anonymous_id")
        .agg(F.max_by("user_id", "occurred_at_ms").alias("owner"))
    )
    kinds = {event: KINDS[kind] for event, kind in ARCHIVE_KINDS.items()}
    kind_of = F.create_map(*(F.lit(part) for pair in kinds.items() for part in pair))
    letter_of = F.create_map(*(F.lit(part) for pair in STEP_LETTERS.items() for part in pair))
    merged = (
        _without_surplus(once.where(~F.col("bot") & F.col("event").isin(list(kinds))))
        .where(F.col("report") == 1)
        .join(owners, "anonymous_id", "left")
        .select(
            F.when(F.col("user_id").isNull() & F.col("owner").isNotNull(), F.concat(F.lit(USER_PREFIX), "owner"))
            .otherwise(F.col("user_key"))
            .alias("user"),
            "session_id",
            F.struct(
                F.col("occurred_at_ms").alias("at"),
                F.concat(letter_of[F.col("event")], "item_id").alias("name"),
                "event_id",
                "row",
                "item_id",
                kind_of[F.col("event")].alias("kind"),
            ).alias("event"),
        )
    )
    if merged.where(F.col("session_id").isNull()).limit(1).count():
        merged = _cut_after_quiet(merged)
    ordered = (
        merged.groupBy("user", "session_id")
        .agg(F.sort_array(F.collect_list("event")).alias("events"))
        .withColumn("ended_at_ms", F.element_at("events", -1)["at"])
        .orderBy("ended_at_ms", *(F.col("events")[0][field] for field in ("at", "name", "event_id", "row")))
        .persist(StorageLevel.MEMORY_AND_DISK)
    )
    sessions, n_sessions = _numbered(ordered)
    if not n_sessions:
        raise nothing
    return SparkLog(sessions=sessions, first=0, last=n_sessions)


def _without_surplus(rows: DataFrame) -> DataFrame:
    """As ``training.data.voices`` has it: of a network's visitors of an item and day, as many as go with the others."""
    if "network" not in rows.columns:  # of an older version as a whole
        return rows
    day = F.floor(F.col("occurred_at_ms") / DAY_MS)
    is_counted = F.col("network").isNotNull() & F.col("user_id").isNull()
    rows = rows.withColumn("day", day).withColumn("is_counted", is_counted)
    voices = (
        rows.where("is_counted")
        .groupBy("day", "item_id", "network", "user_key")
        .agg(F.min("occurred_at_ms").alias("first_ms"))
    )
    of_network = Window.partitionBy("day", "item_id", "network")
    voices = voices.withColumn("rank", F.row_number().over(of_network.orderBy("first_ms", "user_key"))).withColumn(
        "of_network", F.count(F.lit(1)).over(of_network)
    )
    of_item = rows.groupBy("day", "item_id").agg(F.countDistinct("user_key").alias("of_item"))
    surplus = (
        voices.join(of_item, ["day", "item_id"])
        .where(F.col("rank") > CERTAIN + SHARE * (F.col("of_item") - F.col("of_network")))
        .select("day", "item_id", "network", "user_key", F.lit(True).alias("is_counted"))
    )
    return rows.join(surplus, ["day", "item_id", "network", "user_key", "is_counted"], "left_anti")


def _cut_after_quiet(rows: DataFrame) -> DataFrame:
    """Name sessions where some client does not: thirty quiet minutes of a user end one."""
    in_order = Window.partitionBy("user").orderBy("event")
    pause = F.col("event.at") - F.lag("event.at").over(in_order)
    return rows.withColumn(
        "session_id", F.sum(F.when(pause > SESSION_GAP_MS, 1).otherwise(0)).over(in_order).cast("string")
    )


def _numbered(ordered: DataFrame) -> tuple[DataFrame, int]:
    """Number sorted rows from 0 without bringing them together: by the sizes of the partitions before."""
    sizes = {
        row["part"]: row["count"] for row in ordered.groupBy(F.spark_partition_id().alias("part")).count().collect()
    }
    offsets, total = [0], 0
    for part in range(max(sizes, default=-1) + 1):
        total += sizes.get(part, 0)
        offsets.append(total)
    start = F.element_at(F.array([F.lit(offset) for offset in offsets]), F.spark_partition_id() + 1)
    row = F.monotonically_increasing_id().bitwiseAND((1 << _ROW_BITS) - 1)
    return ordered.withColumn("session", (row + start).cast("int")), total
