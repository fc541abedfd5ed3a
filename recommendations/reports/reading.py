"""The archive's rows of a UTC day as what attribution needs: traffic, touches, conversions, refunds."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from features.archive.maintenance import read_table
from features.archive.rows import ONCE
from features.archive.writer import ArchiveFolder
from features.money import SiteMoney, line_minor, to_minor
from features.state.attribution import is_named_by_page, label_of
from recommendations.reports.credit import BOUGHT, CART, conversions_schema, touches_schema
from tracking.contract.user_key import ANONYMOUS_PREFIX, USER_PREFIX
from tracking.deferred import deferred

if TYPE_CHECKING:
    import polars as pl
else:
    pl = deferred("polars")

OTHER_LISTS: Final = "(other lists)|||"
"""The label of lists that pages name and that are no placements."""
_COLUMNS: Final = (
    "user_key", "anonymous_id", "user_id", "event_id", "event", "row", "item_id", "quantity", "price", "value",
    "currency", "occurred_at_ms", "received_at_ms", "item_list_id", "rec_id", "transaction_id", "bot", "source",
    "params",
)  # fmt: skip
_EVENTS: Final = ("view_item_list", "select_item", "add_to_cart", "purchase", "refund")
_RANKS: Final = {"browser": 0, "import": 1, "server": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a UTC day of the archive says of lists.

    Attributes
    ----------
    traffic : columns label, item_id, at_ms, is_list, is_impression, is_click
        One row an impression, a click, or a list without items.
    touches, conversions : as in ``credit``
    refunds : columns order, item_id, pieces, worth
        Without ``item_id`` everything is given back, or an amount: ``worth``, in the site's minor units.
    owners : columns anonymous_id, user_id
        Who an anonymous visitor turned out to be.
    """

    traffic: pl.DataFrame
    touches: pl.DataFrame
    conversions: pl.DataFrame
    refunds: pl.DataFrame
    owners: pl.DataFrame


def read_day(folder: ArchiveFolder, *, site: str, date: str, placements: Collection[str], money: SiteMoney) -> Day:
    """Return a day's rows, of robots none and of re-sends one; memory: one day's list events, carts and orders."""
    parts = [_read_file(folder, path) for path in folder.files(site=site, date=date)]
    rows = pl.concat(parts) if parts else pl.DataFrame(schema=_schema())
    rows = rows.sort("received_at_ms", "event_id", "row", maintain_order=True).unique(
        list(ONCE), keep="first", maintain_order=True
    )
    owners = (
        rows.filter(pl.col("anonymous_id").is_not_null() & pl.col("user_id").is_not_null())
        .group_by("anonymous_id")
        .agg(pl.col("user_id").sort_by("received_at_ms", "user_id").last())
    )
    rows = rows.with_columns(
        person=pl.coalesce(USER_PREFIX + pl.col("user_id"), "user_key"),
        at_ms=pl.col("occurred_at_ms"),
    )
    rows = rows.join(_labels(rows, site, placements), on=["item_list_id", "rec_id"], how="left", nulls_equal=True)
    seen, clicked = pl.col("event") == "view_item_list", pl.col("event") == "select_item"
    traffic = rows.filter((seen | clicked) & pl.col("label").is_not_null()).select(
        "label", "item_id", "at_ms",
        is_list=seen & (pl.col("row") == 0),
        is_impression=seen & pl.col("item_id").is_not_null(),
        is_click=clicked & pl.col("item_id").is_not_null(),
    )  # fmt: skip
    touches = rows.filter(
        pl.col("item_id").is_not_null()
        & pl.col("label").is_not_null()
        & (seen | clicked | (pl.col("event").is_in(["add_to_cart", "purchase"]) & pl.col("rec_id").is_not_null()))
    ).select("person", "item_id", "at_ms", "label", is_click=~seen)
    return Day(
        traffic=traffic,
        touches=touches.cast(touches_schema()),  # type: ignore[arg-type]
        conversions=_conversions(rows, money),
        refunds=_refunds(rows, money),
        owners=owners,
    )


def joined_owners(frame: pl.DataFrame, owners: pl.DataFrame) -> pl.DataFrame:
    """Give what an anonymous visitor did to the user that the visitor turned out to be."""
    who = owners.unique("anonymous_id", keep="last", maintain_order=True).select(
        person=ANONYMOUS_PREFIX + pl.col("anonymous_id"), owner=USER_PREFIX + pl.col("user_id")
    )
    return frame.join(who, on="person", how="left").with_columns(person=pl.coalesce("owner", "person")).drop("owner")


def without_refunded(conversions: pl.DataFrame, refunds: pl.DataFrame) -> pl.DataFrame:
    """Return carts and orders less what was given back of them: whole orders, pieces of an item, or an amount.

    An amount that names no items lowers what the order's lines are worth, in equal parts of their worth.
    """
    if refunds.is_empty():
        return conversions
    whole = refunds.filter(pl.col("item_id").is_null() & pl.col("worth").is_null())["order"].unique()
    left = conversions.filter(pl.col("order").is_null() | ~pl.col("order").is_in(whole.implode()))
    pieces = (
        refunds.filter(pl.col("item_id").is_not_null()).group_by("order", "item_id").agg(back=pl.col("pieces").sum())
    )
    amounts = (
        refunds.filter(pl.col("item_id").is_null() & pl.col("worth").is_not_null())
        .group_by("order")
        .agg(given=pl.col("worth").sum())
    )
    left = left.join(pieces, on=["order", "item_id"], how="left").join(amounts, on="order", how="left")
    kept = (pl.col("pieces") - pl.col("back").fill_null(0)).clip(0)
    worth = pl.col("revenue") * kept / pl.col("pieces").clip(1)
    left = left.with_columns(kept=kept, worth=worth)
    total = pl.col("worth").sum().over("order")
    factor = pl.when(total > 0).then((1 - pl.col("given").fill_null(0.0) / total).clip(0.0)).otherwise(1.0)
    return (
        left.with_columns(revenue=(pl.col("worth") * factor).round().cast(pl.Int64), pieces=pl.col("kept"))
        .filter(pl.col("pieces") > 0)
        .select(conversions.columns)
    )


def _schema() -> dict[str, Any]:
    numbers = {"row": pl.Int16, "quantity": pl.Int32, "price": pl.Float64, "value": pl.Float64, "bot": pl.Boolean}
    times = {"occurred_at_ms": pl.Int64, "received_at_ms": pl.Int64}
    return {name: {**numbers, **times}.get(name, pl.String) for name in _COLUMNS}


def _read_file(folder: ArchiveFolder, path: str) -> pl.DataFrame:
    frame = cast("pl.DataFrame", pl.from_arrow(read_table(folder, path, columns=_COLUMNS)))
    return frame.filter(~pl.col("bot") & pl.col("event").is_in(_EVENTS)).cast(_schema())  # type: ignore[arg-type]


def _labels(rows: pl.DataFrame, site: str, placements: Collection[str]) -> pl.DataFrame:
    """Return which list each pair of list id and reply id means; one check of a signature a pair."""
    pairs = (
        rows.filter(pl.col("item_list_id").is_not_null() | pl.col("rec_id").is_not_null())
        .select("item_list_id", "rec_id")
        .unique()
    )
    found = [(list_id, rec_id, _label(site, list_id, rec_id, placements)) for list_id, rec_id in pairs.iter_rows()]
    schema = {"item_list_id": pl.String, "rec_id": pl.String, "label": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


def _label(site: str, list_id: str | None, rec_id: str | None, placements: Collection[str]) -> str | None:
    label = label_of(site, item_list_id=list_id, rec_id=rec_id)
    if label is None or not is_named_by_page(label) or label.partition("|")[0] in placements:
        return label
    return OTHER_LISTS


def _conversions(rows: pl.DataFrame, money: SiteMoney) -> pl.DataFrame:
    """Return carts as they came and each order once: as the shop's server says it, else an import, else the page."""
    carts = rows.filter((pl.col("event") == "add_to_cart") & pl.col("item_id").is_not_null())
    bought = rows.filter((pl.col("event") == "purchase") & pl.col("item_id").is_not_null())
    bought = bought.with_columns(rank=pl.col("source").replace_strict(_RANKS, default=0, return_dtype=pl.Int8))
    best = (
        bought.sort("rank", "received_at_ms", "event_id", descending=[True, False, False])
        .unique("transaction_id", keep="first", maintain_order=True)
        .select("transaction_id", "user_key", "event_id")
    )
    buyer = (
        bought.sort("occurred_at_ms", "received_at_ms")
        .group_by("transaction_id", maintain_order=True)
        .agg(since_ms=pl.col("occurred_at_ms").min())
    )
    bought = (
        bought.join(best, on=["transaction_id", "user_key", "event_id"], how="semi")
        .join(buyer, on="transaction_id")
        .with_columns(at_ms=pl.col("since_ms"))
    )
    schema = conversions_schema()
    lines = _lines(bought, BOUGHT, money) + _lines(carts, CART, money)
    frame = pl.DataFrame(lines, schema={name: kind for name, kind in schema.items() if name != "number"}, orient="row")
    return frame.with_row_index("number").cast(schema)  # type: ignore[arg-type]


def _lines(rows: pl.DataFrame, kind: str, money: SiteMoney) -> list[tuple[Any, ...]]:
    names = ("person", "item_id", "at_ms", "quantity", "price", "value", "currency", "transaction_id", "event_id")
    found: list[tuple[Any, ...]] = []
    for _, order in rows.group_by("transaction_id" if kind == BOUGHT else "event_id", maintain_order=True):
        found += _lines_of(list(order.select(names).iter_rows()), kind, money)
    return found


def _lines_of(lines: Iterable[tuple[Any, ...]], kind: str, money: SiteMoney) -> list[tuple[Any, ...]]:
    """Return the lines of one order or cart event; an order without prices is worth its value, in equal parts."""
    found: list[tuple[Any, ...]] = []
    lines = list(lines)
    pieces = sum(max(1, line[3] or 1) for line in lines)
    has_prices = any(line[4] is not None for line in lines)
    for person, item_id, at_ms, quantity, price, value, currency, order, _ in lines:
        n = max(1, quantity or 1)
        each = price if has_prices else (value / pieces if value is not None and pieces else None)
        own = money.currency_of(currency)
        minor = 0 if kind == CART or each is None else line_minor(each, n, own)
        converted = money.convert(minor, currency, at_ms)
        is_apart = converted is None
        found.append(
            (person, item_id, at_ms, kind, n, minor if is_apart else converted, own if is_apart else None, order)
        )
    return found


def _refunds(rows: pl.DataFrame, money: SiteMoney) -> pl.DataFrame:
    """Return what was given back, a refund with an id of its own once."""
    back = rows.filter((pl.col("event") == "refund") & pl.col("transaction_id").is_not_null())
    known: set[tuple[Any, ...]] = set()
    found: list[tuple[Any, ...]] = []
    for order, item_id, quantity, value, currency, at_ms, params in back.select(
        "transaction_id", "item_id", "quantity", "value", "currency", "at_ms", "params"
    ).iter_rows():
        refund_id = json.loads(params).get("refund_id") if params else None
        said = (order, refund_id, item_id, quantity, None if item_id else value)
        if said not in known:
            known.add(said)
            worth = None
            if item_id is None and value is not None:
                minor = to_minor(value, money.currency_of(currency))
                converted = money.convert(minor, currency, at_ms)
                worth = float(minor if converted is None else converted)
            found.append((order, item_id, quantity or 1, worth))
    schema = {"order": pl.String, "item_id": pl.String, "pieces": pl.Int64, "worth": pl.Float64}
    return pl.DataFrame(found, schema=schema, orient="row")
