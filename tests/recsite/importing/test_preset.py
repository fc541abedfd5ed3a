"""What every preset does with the cells of a row."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsite.importing.base import ImportOptions, Unit
from recsite.importing.formats import choose, open_chosen, open_source
from tests.recsite.importing.files import records, refusals, write
from tracking.contract.events import PurchaseParams

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


def test_an_id_of_a_data_frame_has_no_decimals(tmp_path: Path) -> None:
    (record,) = records(open_source(write(tmp_path / "log", f"{HEAD}2021-03-01,view,71.0,,,1,7.0\n"), site="shop"))
    assert (record.user_id, record.events[0].params.items[0].item_id) == ("7", "71")  # type: ignore[union-attr]


def test_an_id_that_a_spreadsheet_shortened_is_named(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "log", f"{HEAD}2021-03-01,view,1.2E+06,,,1,7\n"), site="shop")
    assert "shortened by a spreadsheet" in refusals(source)[0][1]


MAPPING = {"user": "user", "item": "item", "time": "time", "event": "event", "order": "order", "quantity": "n",
           "price": "price"}  # fmt: skip
LINES = st.lists(
    st.tuples(st.sampled_from("ABC"), st.integers(-3, 3).filter(bool), st.integers(1, 500)), min_size=1, max_size=8
)


def orders(lines: list[tuple[str, str, object, object]]) -> list[Unit]:
    """Return what becomes of the lines of order T1, each an event, an item, pieces and a price."""
    table = "user,item,time,event,order,n,price\n" + "".join(
        f"7,{item},1614556800,{event},T1,{pieces},{price}\n" for event, item, pieces, price in lines
    )
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write(table)
        file.flush()
        choice = choose([Path(file.name)], is_mapped=True)
        return list(open_chosen(choice, ImportOptions(site="shop", mapping=MAPPING)).units())


@pytest.mark.slow
@given(LINES)
def test_lines_below_zero_lower_the_value_of_their_order_and_every_row_is_counted(
    lines: list[tuple[str, int, int]],
) -> None:
    units = orders([("purchase", *line) for line in lines])

    assert sum(unit.rows for unit in units) == len(lines)
    found = [record.events[0].params for unit in units for record in unit.records]
    sold = [(item, pieces, price) for item, pieces, price in lines if pieces > 0]
    assert bool(found) == bool(sold)
    for params in found:
        assert isinstance(params, PurchaseParams)
        assert params.value == max(0, sum(pieces * price for _, pieces, price in lines))
        assert sum(item.quantity for item in params.items) == sum(pieces for _, pieces, _ in sold)


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 3)), min_size=1, max_size=5, unique=True))
def test_every_line_of_a_refund_is_given_back(lines: list[tuple[str, int]]) -> None:
    units = orders([("refund", item, -pieces, 5) for item, pieces in lines])

    found = [record.events[0].params for unit in units for record in unit.records]
    assert sorted((params.items[0].item_id, params.items[0].quantity) for params in found) == sorted(lines)  # type: ignore[union-attr]


def test_a_refund_without_an_item_gives_back_the_order_or_a_value() -> None:
    units = orders([("refund", "", "", ""), ("refund", "", "", "5.00")])
    found = [record.events[0].params for unit in units for record in unit.records]
    assert sorted((params.transaction_id, params.value or 0) for params in found) == [("T1", 0), ("T1", 5.0)]  # type: ignore[union-attr]


def test_a_user_may_be_called_0_in_a_data_set(tmp_path: Path) -> None:
    (record,) = records(open_source(write(tmp_path / "log", f"{HEAD}2021-03-01,view,a,,,1,0\n"), site="shop"))
    assert record.user_id == "0"
