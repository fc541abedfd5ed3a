"""What every preset does with the cells of a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recsite.importing.formats import open_source
from tests.recsite.importing.files import records, refusals, write

HEAD = "event_time,event_type,product_id,category_code,brand,price,user_id\n"


def event_of(path: Path, row: str) -> Any:
    (record,) = records(open_source(write(path / "log", HEAD + row), site="shop"))
    return record.events[0]


def test_what_a_row_says_of_its_item_is_kept(tmp_path: Path) -> None:
    event = event_of(tmp_path, "2021-03-01,view,0071,home.lamp,ikea,12.5,7")
    (item,) = event.params.items
    assert (item.item_id, item.item_category, item.item_category2) == ("0071", "home", "lamp")
    assert (item.item_brand, item.price) == ("ikea", 12.5)


@pytest.mark.parametrize(
    ("written", "price"), [("12,50 EUR", 12.5), ("", None), ("ask us", None), ("1,299.00", 1299.0)]
)
def test_a_price_is_mended_or_dropped_and_the_event_counts(written: str, price: float | None, tmp_path: Path) -> None:
    row = f'2021-03-01,purchase,a,,,"{written}",7'
    assert event_of(tmp_path, row).params.items[0].price == price


@pytest.mark.parametrize("user", ["null", "undefined", "guest", "NaN", ""])
def test_nobody_is_no_user(user: str, tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "log", f"{HEAD}2021-03-01,view,a,,,1,{user}\n"), site="shop")
    assert refusals(source) == [(2, "user is empty, or stands for nobody")]


def test_a_user_may_be_called_0_in_a_data_set(tmp_path: Path) -> None:
    (record,) = records(open_source(write(tmp_path / "log", f"{HEAD}2021-03-01,view,a,,,1,0\n"), site="shop"))
    assert record.user_id == "0"
