"""Pure: which list an add-to-cart or an order is attributed to, by the attribution that somebody chose.

*Last click*: the newest click on the item within the window before. *Last touch*: that click, else the newest
impression of it, so that what was seen and bought later counts (view-through). *Linear*: every click within the
window, in equal parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from tracking.deferred import deferred

if TYPE_CHECKING:
    import polars as pl
else:
    pl = deferred("polars")

HOUR_MS: Final = 3_600_000
CART, BOUGHT = "c", "p"


class Attribution(NamedTuple):
    """A model with its window."""

    name: str
    words: str
    window_words: str
    window_ms: int

    @property
    def key(self) -> str:
        """How it is stored and asked for, such as ``last_click_1d``."""
        return f"{self.name}_{self.window_words}"

    @property
    def label(self) -> str:
        """What people call it."""
        if self.window_words == "1d":
            return _("%(model)s, one day") % {"model": _(self.words)}
        return _("%(model)s, seven days") % {"model": _(self.words)}


MODELS: Final = {
    "last_click": gettext_noop("Last click"),
    "last_touch": gettext_noop("Last touch, with view-through"),
    "linear": gettext_noop("Linear over all clicks"),
}
WINDOWS: Final = {"1d": 24 * HOUR_MS, "7d": 7 * 24 * HOUR_MS}
ATTRIBUTIONS: Final = {
    one.key: one
    for name, words in MODELS.items()
    for window, window_ms in WINDOWS.items()
    for one in (Attribution(name, words, window, window_ms),)
}
USUAL: Final = "last_click_1d"


def touches_schema() -> dict[str, type[pl.DataType]]:
    """Return the columns of touches: who saw or clicked what, when, in which list."""
    return {
        "person": pl.String,
        "item_id": pl.String,
        "at_ms": pl.Int64,
        "label": pl.String,
        "is_click": pl.Boolean,
    }


def conversions_schema() -> dict[str, type[pl.DataType]]:
    """Return the columns of conversions: who put into the cart or bought what, when, for how much."""
    return {
        "number": pl.Int64, "person": pl.String, "item_id": pl.String, "at_ms": pl.Int64, "kind": pl.String,
        "pieces": pl.Int64, "revenue": pl.Int64, "currency": pl.String, "order": pl.String,
    }  # fmt: skip


def credited(touches: pl.DataFrame, conversions: pl.DataFrame, attribution: Attribution) -> pl.DataFrame:
    """Return each conversion once for each list that it is attributed to, with the share of that list.

    Parameters
    ----------
    touches : columns of ``touches_schema``
        Clicks and impressions, in any order.
    conversions : columns of ``conversions_schema``
        One row an item that went into a cart or was bought; ``number`` tells them apart.

    Returns
    -------
    the columns of ``conversions``, ``label`` and ``share``
        Shares of a conversion add up to 1; conversions of no list are left out. Of touches in the same
        millisecond the label that sorts last wins.
    """
    if attribution.name != "last_touch":
        touches = touches.filter("is_click")
    pairs = conversions.join(touches.rename({"at_ms": "touched_ms"}), on=["person", "item_id"], how="inner").filter(
        (pl.col("touched_ms") <= pl.col("at_ms")) & (pl.col("touched_ms") >= pl.col("at_ms") - attribution.window_ms)
    )
    if attribution.name == "linear":
        return pairs.with_columns(share=1.0 / pl.len().over("number")).drop("touched_ms", "is_click")
    newest = pairs.sort("is_click", "touched_ms", "label").unique("number", keep="last", maintain_order=True)
    return newest.with_columns(share=pl.lit(1.0)).drop("touched_ms", "is_click")


def attributed(shares: pl.DataFrame, by: list[str], *, is_shared: bool) -> pl.DataFrame:
    """Add up what ``credited`` returned by the columns ``by``: carts, orders, units, revenue; float64.

    An order counts once for each list (and each other value of ``by``) that has a share in it; where ``is_shared``, as
    linear attribution does, for the part of its credited lines that are attributed to each: its parts add up to 1.
    """
    is_cart = pl.col("kind") == CART
    bought = shares.filter(~is_cart)
    if not is_shared:
        orders = bought.unique([*by, "order"]).group_by(by).agg(orders=pl.len().cast(pl.Float64))
    else:
        per_line = pl.col("share") / pl.col("number").n_unique().over("order")
        orders = bought.with_columns(part=per_line).group_by(by).agg(orders=pl.col("part").sum())
    sums = shares.group_by(by).agg(
        carts=(pl.col("pieces") * pl.col("share")).filter(is_cart).sum().cast(pl.Float64),
        units=(pl.col("pieces") * pl.col("share")).filter(~is_cart).sum().cast(pl.Float64),
        revenue=(pl.col("revenue") * pl.col("share")).filter(~is_cart).sum().cast(pl.Float64),
    )
    joined = sums.join(orders, on=by, how="left", nulls_equal=True)
    return joined.with_columns(pl.col("orders").fill_null(0.0)).sort(by)


def whole_minor(frame: pl.DataFrame, column: str = "revenue") -> pl.DataFrame:
    """Round parts of minor units so that their sum stays what it was, to the unit."""
    return frame.with_columns(
        pl.col(column).cum_sum().round().diff(null_behavior="ignore").fill_null(pl.col(column).round()).cast(pl.Int64)
    )
