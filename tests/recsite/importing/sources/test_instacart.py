"""Instacart's orders get users and relative times from ``orders.csv``."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsite.importing.base import InvalidSource
from recsite.importing.formats import open_source
from recsite.importing.sources.instacart import PUBLISHED_MS
from tests.recsite.importing.files import records, refusals, write

ORDERS = (
    "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order\n"
    "12,5,prior,2,2,10,7.0\n11,5,prior,1,2,8,\n"
)
LINES = "order_id,product_id,add_to_cart_order,reordered\n12,9,1,1\n12,8,2,0\n11,9,1,0\n99,1,1,0\n"


def test_orders_stand_at_their_distances_before_the_day_of_publication(tmp_path: Path) -> None:
    write(tmp_path / "orders.csv", ORDERS)
    write(tmp_path / "order_products__prior.csv", LINES)
    source = open_source(tmp_path, site="shop")

    first, second = [record.events[0] for record in records(source)]

    assert second.occurred_at_ms == PUBLISHED_MS + 10 * 3_600_000
    assert second.occurred_at_ms - first.occurred_at_ms == (7 * 24 + 2) * 3_600_000
    assert {item.item_id for item in second.params.items} == {"8", "9"}  # type: ignore[union-attr]
    assert refusals(source) == [(5, "order_id is not in orders.csv")]


def test_lines_without_orders_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(InvalidSource, match=r"orders\.csv"):
        open_source(write(tmp_path / "order_products__prior.csv", LINES), site="shop")
