"""Segments of all buyers: equal to an independent computation, and written where serving reads them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from features.segments.scoring import BuyerTable, compute_segments
from features.state.apply import Arrival, Conditions, apply_events
from features.state.states import decode_profile
from features.state.user_features import rfm_of
from tests.features.conftest import World
from tests.features.making import LATENESS_MS, MINUTE_MS, NOW_MS, applied, event, record, wire

Worlds = Callable[..., World]

ONLINE_RETAIL = Path(__file__).resolve().parents[4] / "shared/data/online_retail/online_retail.parquet"


def test_anonymous_purchases_count_for_their_user() -> None:
    table = BuyerTable()
    known = applied(
        event("purchase", items=["a"], transaction_id="1", value=10.0), user_id="7", anonymous_id="anonymous-0000000009"
    )
    unknown = applied(event("purchase", items=["a"], transaction_id="2", value=5.0, at_ms=NOW_MS + MINUTE_MS))
    table.add("a:anonymous-0000000009", unknown.profile)
    table.add("u:7", known.profile)

    _, found = table.buyers()

    assert found.orders.tolist() == [2]
    assert found.monetary.tolist() == [1_500]
    assert found.last_purchase_ms.tolist() == [NOW_MS + MINUTE_MS]


def test_beyond_the_limit_a_sample_is_taken_and_said_so() -> None:
    table = BuyerTable(max_buyers=100)
    one = applied(event("purchase", items=["a"], transaction_id="1", value=10.0)).profile
    for number in range(1_000):
        table.add(f"a:{number}", one)

    assert not table.is_exact
    assert 25 <= len(table.buyers()[1]) <= 100


@pytest.mark.redis
def test_segments_stand_where_serving_reads_them(worlds: Worlds) -> None:
    world = worlds("memory")
    for number in range(50):
        user = f"anonymous-{number:010d}"
        world.fill(
            [
                wire(
                    record(
                        event(
                            "purchase",
                            items=["a"],
                            transaction_id=f"{number}-{order}",
                            value=10.0 * number,
                            at_ms=NOW_MS + number * 1_000 + order,
                        ),
                        anonymous_id=user,
                    )
                )
                for order in range(1 + number // 10)
            ]
        )
    world.fill([wire(record(event("view_item", items=["a"])))])
    world.drain()

    run = compute_segments(world.client, "shop", partitions=4, ttl_s=600)
    again = compute_segments(world.client, "shop", partitions=4, ttl_s=600)

    assert (run.users, run.is_exact, run.written) == (50, True, 50)
    assert again.written == 0
    assert sum(run.sizes.values()) == 50
    assert sum(users for row in run.cells for users, _ in row) == 50
    keys = list(world.client.scan_iter("rs:*:segment:*"))
    assert len(keys) == 50
    assert all(0 < world.client.ttl(key) <= 600 for key in keys)
    assert run.sizes["champions"] == 10


@pytest.mark.slow
@pytest.mark.skipif(not ONLINE_RETAIL.exists(), reason="the Online Retail log is not on this machine")
def test_rfm_of_online_retail_equals_polars() -> None:
    lines = (
        pl.read_parquet(ONLINE_RETAIL)
        .filter(pl.col("CustomerID").is_not_null() & (pl.col("Quantity") > 0) & (pl.col("UnitPrice") > 0))
        .with_columns(
            at_ms=pl.col("InvoiceDate").cast(pl.Datetime("ms")).dt.epoch("ms"),
            cents=(pl.col("UnitPrice") * 100).round().cast(pl.Int64) * pl.col("Quantity"),
        )
    )
    assert len(lines) == 397_884
    now_ms = int(dt.datetime(2011, 12, 10, tzinfo=dt.UTC).timestamp() * 1_000)
    day = now_ms // 86_400_000
    recent = pl.col("at_ms") // 86_400_000 > day - 90
    expected = lines.group_by("CustomerID").agg(
        pl.col("at_ms").max(),
        pl.col("InvoiceNo").n_unique().alias("orders"),
        pl.col("cents").sum(),
        pl.col("InvoiceNo").filter(recent).n_unique().alias("orders_90d"),
        pl.col("cents").filter(recent).sum().alias("cents_90d"),
    )
    invoices = lines.group_by("CustomerID", "InvoiceNo").agg(pl.col("at_ms").max(), pl.col("cents").sum()).sort("at_ms")
    found: dict[int, bytes] = {}
    conditions = Conditions(lateness_ms=LATENESS_MS)
    for customer, invoice, at_ms, cents in invoices.iter_rows():
        one = record(
            event(
                "purchase",
                event_id=f"invoice-{invoice}",
                items=["any"],
                transaction_id=str(invoice),
                value=cents / 100,
                at_ms=at_ms,
            ),
            user_id=str(customer),
            source="import",
        )
        _, found[customer], _ = apply_events(None, found.get(customer), [Arrival(one, 0)], conditions)

    assert len(found) == len(expected) == 4_338
    for customer, at_ms, orders, cents, orders_90d, cents_90d in expected.iter_rows():
        ours = rfm_of([decode_profile(found[customer])], now_ms=now_ms)
        assert ours.recency_s == (now_ms - at_ms) / 1_000
        assert (ours.frequency, ours.monetary) == (orders, cents)
        assert (ours.frequency_90d, ours.monetary_90d) == (orders_90d, cents_90d)
    assert max(map(len, found.values())) < 2_048
