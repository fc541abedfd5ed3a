"""Instacart's orders: ``order_products__*.csv`` with ``orders.csv`` beside them, which names users and times.

The data set knows no dates, only the days between a user's orders and the hour of day. So each user's last order is put
on the day on which the data set was published, and the earlier ones before it by their distances.

References
----------
"The Instacart Online Grocery Shopping Dataset 2017".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from recsite.importing.base import ImportOptions, InvalidSource, SourceFormat
from recsite.importing.preset import Preset, PresetSource
from recsite.importing.reading.rows import Row
from recsite.importing.sorted_source import LeftOut
from tracking.contract.events import EventRecord
from tracking.deferred import deferred

if TYPE_CHECKING:
    import polars as pl
else:
    pl = deferred("polars")

PUBLISHED_MS: Final = 1_493_769_600_000
"""3 May 2017, 00:00 UTC."""

_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000

PRESET: Final = Preset(
    name="instacart",
    summary="order_products__*.csv with orders.csv beside them; last orders are put on the day of publication",
    tells=("order_id product_id add_to_cart_order",),
    columns={"user": "user", "item": "product_id", "time": "at:ms", "order": "order_id"},
    default="purchase",
)


class InstacartSource(PresetSource):
    """Lines of orders; users and times come from ``orders.csv``, of which 16 bytes an order stay in memory."""

    def __init__(self, path: Path, options: ImportOptions) -> None:
        super().__init__(PRESET, path, options)
        self._orders_path = self.shards[0].path.with_name("orders.csv")
        if not self._orders_path.exists():
            raise InvalidSource(
                f"{self.shards[0].name} names neither users nor times; put the data set's orders.csv beside it, or "
                "join them yourself and use --format mapped with --map"
            )

    def read_row(self, row: Row) -> Iterator[EventRecord | LeftOut]:
        """Yield the line of an order, with who ordered it and when."""
        order = str(row.values.get("order_id", "")).strip()
        at = self._row_of.search_sorted(int(order)) if order.isdecimal() else len(self._row_of)
        if at >= len(self._row_of) or self._row_of[at] != int(order):
            yield LeftOut("order_id is not in orders.csv")
            return
        user, at_ms = self._orders["user_id"][at], self._orders["at"][at]
        yield from super().read_row(row._replace(values={**row.values, "user": str(user), "at": at_ms}))

    @property
    def _row_of(self) -> pl.Series:
        return self._orders["order_id"]

    @cached_property
    def _orders(self) -> pl.DataFrame:
        columns: dict[str, Any] = {
            "order_id": pl.Int64, "user_id": pl.Int64, "order_number": pl.Int64, "order_hour_of_day": pl.Int64,
            "days_since_prior_order": pl.Float64,
        }  # fmt: skip
        try:
            frame = pl.read_csv(self._orders_path, columns=list(columns), schema_overrides=columns)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise InvalidSource(f"{self._orders_path} is not Instacart's orders.csv: {error}") from error
        days = pl.col("days_since_prior_order").fill_null(0).cum_sum().over("user_id", order_by="order_number")
        frame = frame.with_columns(days.alias("days"))
        before = pl.col("days").max().over("user_id") - pl.col("days")
        at = PUBLISHED_MS - before * _DAY_MS + pl.col("order_hour_of_day") * _HOUR_MS
        return frame.select("order_id", "user_id", at.cast(pl.Int64).alias("at")).sort("order_id")


FORMAT: Final = SourceFormat(
    name=PRESET.name, summary=PRESET.summary, open=InstacartSource, recognises=PRESET.recognises
)
