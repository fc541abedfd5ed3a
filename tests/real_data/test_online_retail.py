"""Recency, frequency and monetary value of Online Retail's customers, equal to polars over the raw file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from features import keys
from features.segments import rfm
from features.segments.rfm import Buyers
from features.segments.scoring import compute_segments
from features.state.user_features import Segment
from recsite.importing.sources.online_retail import SERVICES
from tests.real_data.place import PARTITIONS, Imported, Place

pytestmark = [pytest.mark.slow, pytest.mark.redis]

USABLE_LINES = 397_884


@pytest.fixture(scope="module")
def shop(online_retail: Path, places: Callable[[str], Place]) -> tuple[Place, Imported]:
    """Import the whole file."""
    place = places("redis")
    imported = place.import_events(online_retail, file_format="online_retail")
    place.wait_applied(archived=False)
    return place, imported


@pytest.fixture(scope="module")
def lines(online_retail: Path) -> pl.DataFrame:
    """Return the raw lines that have a price, with their money in minor units."""
    return (
        pl.read_parquet(online_retail)
        .filter(pl.col("UnitPrice") > 0)
        .with_columns(
            (pl.col("Quantity") * pl.col("UnitPrice")).alias("money"),
            pl.col("InvoiceNo").str.contains(r"^C\d").alias("is_cancelled"),
            pl.when(pl.col("CustomerID").is_null())
            .then(pl.format("a:online-retail-{}", "InvoiceNo"))
            .otherwise(pl.format("u:{}", pl.col("CustomerID").cast(pl.Int64)))
            .alias("buyer"),
        )
    )


def by_buyer(lines: pl.DataFrame) -> dict[str, tuple[int, int, int]]:
    """Return last purchase (epoch ms), orders and money (minor units, an invoice at a time) of each buyer."""
    invoices = lines.group_by("buyer", "InvoiceNo").agg(
        pl.col("InvoiceDate").max().dt.epoch("ms").alias("at"),
        (pl.col("money").sum() * 100).round().cast(pl.Int64).alias("money"),
    )
    table = invoices.group_by("buyer").agg(pl.col("at").max(), pl.len(), pl.col("money").sum())
    return {buyer: (at, orders, money) for buyer, at, orders, money in table.iter_rows()}


def test_rfm_of_every_customer_equals_polars_over_the_usable_lines(
    lines: pl.DataFrame, shop: tuple[Place, Imported]
) -> None:
    usable = lines.filter(pl.col("CustomerID").is_not_null() & (pl.col("Quantity") > 0))
    assert usable.height == USABLE_LINES
    expected = by_buyer(usable)

    found = {
        user_key: (p.last_purchase_ms, p.orders, p.revenue)
        for user_key, p in shop[0].profiles().items()
        if user_key.startswith("u:") and p.orders
    }

    assert len(expected) == 4_338
    assert found == expected


def test_cancellations_are_refunds_at_their_own_value(lines: pl.DataFrame, shop: tuple[Place, Imported]) -> None:
    cancelled = lines.filter(pl.col("is_cancelled") & pl.col("CustomerID").is_not_null())
    expected = {buyer: (n, -money) for buyer, (_, n, money) in by_buyer(cancelled).items()}

    found = {
        user_key: (p.refunds, p.refunded)
        for user_key, p in shop[0].profiles().items()
        if user_key.startswith("u:") and p.refunds
    }

    assert len(expected) == 1_589
    assert found == expected


def test_every_event_is_counted_once(shop: tuple[Place, Imported]) -> None:
    place, imported = shop
    assert place.ledger() == {"applied": imported.events}
    assert imported.rows == 541_909


def test_quintile_scores_of_all_buyers_equal_polars(lines: pl.DataFrame, shop: tuple[Place, Imported]) -> None:
    """Buyers are customers and nameless invoices; money is net of cancellations; ranks and fifths are polars'."""
    is_service = pl.col("StockCode").str.to_uppercase().is_in(list(SERVICES))
    sold = lines.filter(pl.col("Quantity") > 0, ~pl.col("is_cancelled")).filter(
        pl.col("CustomerID").is_not_null() | (~is_service).any().over("InvoiceNo")
    )
    bought, cancelled = by_buyer(sold), by_buyer(lines.filter("is_cancelled"))
    table = pl.DataFrame(
        [
            (buyer, at, orders, money + cancelled.get(buyer, (0, 0, 0))[2])
            for buyer, (at, orders, money) in bought.items()
        ],
        schema=["buyer", "at", "orders", "money"],
        orient="row",
    )
    expected = {
        buyer: (recency, frequency, monetary)
        for buyer, recency, frequency, monetary in table.select(
            "buyer", *(score(table[name]).alias(f"{name}_score") for name in ("at", "orders", "money"))
        ).iter_rows()
    }

    found = scores_in(shop[0], list(expected))

    assert set(found) == set(expected)
    assert found == expected


def score(values: pl.Series) -> pl.Series:
    """Return 1 to 5: how many of the fifths' last values are below each value, plus one."""
    ordered = values.sort()
    scored = pl.Series(np.ones(len(values), np.int8))
    for fifth in (1, 2, 3, 4):
        scored += (values > ordered[-(-len(values) * fifth // 5) - 1]).cast(pl.Int8)
    return scored


def scores_in(place: Place, buyers: list[str]) -> dict[str, tuple[int, int, int]]:
    """Compute the segments and return the scores that serving reads."""
    decode = msgspec.msgpack.Decoder(Segment).decode
    with place.client() as client:
        run = compute_segments(client, "default", partitions=PARTITIONS, ttl_s=3_600)
        assert (run.is_exact, run.users) == (True, len(buyers))
        scored: dict[str, tuple[int, int, int]] = {}
        for stored in place.stored_profiles():
            blob = client.get(keys.segment(stored.partition, "default", stored.user_key))
            if blob is not None:
                segment = decode(blob)  # type: ignore[arg-type]
                scored[stored.user_key] = (segment.recency, segment.frequency, segment.monetary)
    return scored


def test_scores_of_customers_alone_equal_polars(shop: tuple[Place, Imported]) -> None:
    rows = [
        (p.last_purchase_ms, p.orders, p.revenue - p.refunded)
        for user_key, p in sorted(shop[0].profiles().items())
        if user_key.startswith("u:") and p.orders
    ]
    columns = [np.array(column, np.int64) for column in zip(*rows, strict=True)]
    buyers = Buyers(last_purchase_ms=columns[0], orders=columns[1], monetary=columns[2])

    found = rfm.scores(buyers, rfm.quintiles(buyers))

    expected = np.stack([score(pl.Series(column)).to_numpy() for column in columns], axis=1)
    assert np.array_equal(found, expected)


def test_items_have_titles_and_prices(shop: tuple[Place, Imported]) -> None:
    said = shop[0].manage(
        "shell",
        "-v0",
        "-c",
        "from features.models import Item\n"
        "bare = Item.objects.filter(title='').count(), Item.objects.filter(price_minor=None).count()\n"
        "print(Item.objects.count(), *bare)\n"
        "one = Item.objects.get(item_id='85123A'); print(one.title, one.price_minor, one.currency)",
    )
    counted, lantern = said.splitlines()[-2:]
    assert counted == "3913 0 0"
    assert lantern == "WHITE HANGING HEART T-LIGHT HOLDER 295 GBP"
