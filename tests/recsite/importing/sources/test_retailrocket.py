"""RetailRocket's rows become events."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsite.importing.formats import detect_format, open_source
from tests.recsite.importing.files import HEAD, records, refusals, write


def test_retailrocket_rows_become_events_with_their_own_times(tmp_path: Path) -> None:
    path = write(
        tmp_path / "events.csv", HEAD + "1430623510,7,view,a\n1430623535,7,addtocart,a\n1430623600,8,transaction,b\n"
    )
    source = open_source(tmp_path, site="shop")

    found = records(source)

    assert [type(record.events[0]).__name__ for record in found] == ["ViewItem", "AddToCart", "Purchase"]
    assert [record.events[0].occurred_at_ms for record in found] == [1430623510000, 1430623535000, 1430623600000]
    assert {record.source for record in found} == {"import"}
    assert [record.user_key for record in found] == ["u:7", "u:7", "u:8"]
    assert [item["item_id"] for item in source.items()] == ["a", "b"]
    assert detect_format(path) == "retailrocket"


def test_retailrocket_rows_of_one_order_are_one_purchase(tmp_path: Path) -> None:
    rows = "".join(f"1430623600,8,transaction,{item_id}\n" for item_id in "abc") + "1430623601,8,transaction,d\n"
    source = open_source(write(tmp_path / "events.csv", HEAD + rows), site="shop")

    found = records(source)

    assert [[item.item_id for item in record.events[0].params.items] for record in found] == [["a", "b", "c"], ["d"]]  # type: ignore[union-attr]
    assert [unit.rows for unit in source.units()] == [3, 1]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,7,view,a", "is no time"), ("17,7,view,a", "name the unit"), ("4102444799,7,view,a", "in the future"),
        ("1430623510,7,look,a", "--event look="), ("1430623510,,view,a", "user is empty"),
        ("1430623510,undefined,view,a", "user is empty"), ("1430623510,7", "item is empty"),
        ("1430623510,7,view,a,b,c", "has 6 cells"),
    ],
)  # fmt: skip
def test_retailrocket_bad_rows_are_named_and_the_rest_is_kept(tmp_path: Path, row: str, reason: str) -> None:
    source = open_source(write(tmp_path / "events.csv", f"{HEAD}{row}\n1430623510,7,view,a\n"), site="shop")

    assert len(records(source)) == 1
    ((line, given),) = refusals(source)
    assert line == 2
    assert reason in given
