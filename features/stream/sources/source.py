"""Who sent events: a network on one day, or one user key; and which rows of the archive are theirs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from tracking.deferred import deferred
from tracking.models import QuarantinedSource

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
else:
    pl = deferred("polars")
    pa = deferred("pyarrow")

SOURCE_COLUMNS: Final = ("user_key", "user_id", "source", "network")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A network's tag, or a user key; ``only`` narrows it to some of its user keys.

    Of a network, what pages sent of users for whom the shop's server does not vouch is the source's: a customer who
    logged in there is nobody's mask.
    """

    network: int | None = None
    user_key: str = ""
    only: Collection[str] | None = None

    @classmethod
    def of(cls, row: QuarantinedSource) -> Source:
        """Return the source that a row names."""
        return cls(network=row.network, user_key=row.user_key)

    @property
    def columns(self) -> Sequence[str]:
        """The columns that ``mask`` looks at."""
        return SOURCE_COLUMNS

    def mask(self, table: pa.Table) -> pl.Series:
        """Return which rows of the archive are the source's; bool, shape (n_rows,)."""
        frame = cast("pl.DataFrame", pl.from_arrow(table.select(list(SOURCE_COLUMNS))))
        return frame.select(self.expression().alias("is_theirs"))["is_theirs"]

    def expression(self) -> pl.Expr:
        """Return the same as an expression over ``columns``."""
        if self.network is None:
            mine = pl.col("user_key") == self.user_key
        else:
            mine = (pl.col("network") == self.network) & pl.col("user_id").is_null() & (pl.col("source") == "browser")
        if self.only is not None:
            mine &= pl.col("user_key").is_in(list(self.only))
        return mine.fill_null(value=False)
