"""Invoices become purchases, cancellations refunds."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from recsite.importing.formats import open_source
from tests.recsite.importing.files import records, refusals


def online_retail(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    columns = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(path)
    return path


EVENING = datetime(2011, 1, 5, 18, 0)  # noqa: DTZ001
MORNING = datetime(2011, 1, 5, 9, 0)  # noqa: DTZ001  (the file's own times have no zone)


def test_online_retail_invoices_become_purchases_and_cancellations_refunds(tmp_path: Path) -> None:
    path = online_retail(
        tmp_path / "online_retail.parquet",
        [
            ("536366", "22633", "HAND WARMER", 6, EVENING, 1.85, 17850.0),
            ("536365", "85123A", "WHITE HEART", 6, MORNING, 2.55, 17850.0),
            ("536365", "71053", "LANTERN", 2, MORNING, 3.39, 17850.0),
            ("536365", "POST", "POSTAGE", 1, MORNING, 18.0, 17850.0),
            ("536367", "85123A", "WHITE HEART", 1, EVENING, 2.55, None),
            ("C536379", "85123A", "WHITE HEART", -1, EVENING, 2.55, 17850.0),
            ("536380", "22633", "damaged", -5, EVENING, 0.0, None),
            ("536381", "DOT", "DOTCOM POSTAGE", 1, EVENING, 50.0, None),
            ("536382", "M", "Manual", 1, EVENING, 7.5, 17850.0),
            ("C536383", "POST", "POSTAGE", -1, EVENING, 18.0, 17850.0),
        ],
    )
    source = open_source(path, site="shop")

    first, *later = records(source)

    purchase = first.events[0].params
    assert (purchase.transaction_id, purchase.value, purchase.currency) == ("536365", 40.08, "GBP")  # type: ignore[union-attr]
    assert first.user_key == "u:17850"
    assert [record.user_key for record in later] == [
        "u:17850", "a:online-retail-536367", "u:17850", "u:17850", "u:17850",
    ]  # fmt: skip
    assert [item.item_id for item in first.events[0].params.items] == ["85123A", "71053"]  # type: ignore[union-attr]
    service = later[2].events[0].params
    assert ([item.item_id for item in service.items], service.value) == (["M"], 7.5)  # type: ignore[union-attr]
    refund = later[3].events[0]
    assert type(refund).__name__ == "Refund"
    assert (refund.params.items[0].quantity, refund.params.value) == (1, 2.55)  # type: ignore[union-attr]
    assert sorted(refusals(source)) == [(7, "no price"), (8, "no item: DOT is a service, and nobody's")]
    assert {item["item_id"]: item["price"] for item in source.items()} == {
        "85123A": "2.55 GBP", "71053": "3.39 GBP", "22633": "1.85 GBP",
    }  # fmt: skip


def test_an_order_beyond_the_limit_of_items_goes_as_several_events_of_one_order(tmp_path: Path) -> None:
    rows = [("536365", f"{number:05d}", "THING", 1, MORNING, 1.0, 1.0) for number in range(450)]
    source = open_source(online_retail(tmp_path / "long.parquet", rows), site="shop")

    (record,) = records(source)

    assert [len(event.params.items) for event in record.events] == [200, 200, 50]  # type: ignore[union-attr]
    assert {event.params.transaction_id for event in record.events} == {"536365"}  # type: ignore[union-attr]
    assert [event.params.value for event in record.events] == 3 * [450]  # type: ignore[union-attr]  # of the whole order
