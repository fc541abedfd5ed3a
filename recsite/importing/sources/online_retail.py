"""UCI "Online Retail": the invoices of a UK gift shop as one Parquet file, one line an item.

An invoice becomes one purchase, at the time of its last line. Services such as postage are paid for, so they count in
its value, but they are no items; an invoice of services alone keeps them, so that the customer's money is not lost,
and the catalogue does not. What is no sale is left out and named: corrections of stock, lines without a price.
Invoices that begin with ``C`` are cancellations: refunds of their lines, under the cancellation's own number, as the
file does not say which invoice they cancel. Invoices without a customer count under an anonymous id of their own;
services alone do not, there. Times are taken as UTC. A longer order than an event may hold goes as several purchase
events of one record, which share the ``transaction_id``.

References
----------
D. Chen, "Online Retail", UCI Machine Learning Repository 2015, CC BY 4.0.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from recsite.importing.base import InvalidSource, RefusedRow, SourceFormat, Unit, stable_event_id
from recsite.importing.reading.rows import columns_of
from tracking.contract.events import (
    SCHEMA_VERSION,
    Event,
    EventItem,
    EventRecord,
    Purchase,
    PurchaseParams,
    Refund,
    RefundParams,
)  # fmt: skip
from tracking.contract.parts import parts_of
from tracking.deferred import deferred

if TYPE_CHECKING:
    import polars as pl
else:
    pl = deferred("polars")

FILE_NAME: Final = "online_retail.parquet"
COLUMNS: Final = (
    "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID",
)  # fmt: skip
SERVICES: Final = frozenset({"POST", "DOT", "C2", "M", "D", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK"})
"""Postage, carriage, manual entries, discounts, samples, bad debts, fees, charity: no items."""

CURRENCY: Final = "GBP"
_CANCELLATION: Final = re.compile(r"C\d+")


class _Line(NamedTuple):
    number: int
    invoice: str
    code: str
    description: str
    quantity: int
    at: datetime
    price: float
    customer: float | None


class OnlineRetailSource:
    """The Parquet file, or its folder; titles come from ``catalogue_derived.csv`` beside it, where there is one."""

    name = "online_retail"
    currency: str | None = CURRENCY

    def __init__(self, path: Path, *, site: str) -> None:
        self.path = path / FILE_NAME if path.is_dir() else path
        self._site = site

    def total(self) -> int:
        """Return how many invoices there are."""
        return int(self._frame["InvoiceNo"].n_unique())

    def items(self) -> Iterator[dict[str, Any]]:
        """Yield each item with its title, price and first sale; the file has no categories and no pictures."""
        titles: dict[str, Counter[str]] = defaultdict(Counter)
        prices: dict[str, list[float]] = defaultdict(list)
        first_sold: dict[str, datetime] = {}
        for line in self._lines():
            is_sale = _CANCELLATION.fullmatch(line.invoice) is None and _why_no_sale(line) is None
            if is_sale and not _is_service(line):
                titles[line.code][line.description] += 1
                prices[line.code].append(line.price)
                first_sold.setdefault(line.code, line.at)
        given = self._given_catalogue()
        for code, names in titles.items():
            title, price = given.get(code, ("", 0.0))
            yield {
                "item_id": code,
                "title": title or (names.most_common(1)[0][0] or f"Item {code}"),
                "price": f"{price or median(prices[code]):.2f} {CURRENCY}",
                "first_seen_at": first_sold[code].isoformat(),
            }

    def units(self) -> Iterator[Unit]:
        """Yield one unit an invoice, in order of time."""
        for _, group in groupby(self._lines(), key=lambda line: line.invoice):
            yield self._unit(list(group))

    def _unit(self, lines: list[_Line]) -> Unit:
        refusals: list[RefusedRow] = []
        sold: list[_Line] = []
        is_refund = _CANCELLATION.fullmatch(lines[0].invoice) is not None
        for line in lines:
            reason = _why_no_refund(line) if is_refund else _why_no_sale(line)
            if reason is None:
                sold.append(line)
            else:
                refusals.append(_refusal(line, reason))
        first = lines[0]
        if first.customer is None and all(_is_service(line) for line in sold):
            refusals.extend(_refusal(line, f"no item: {line.code} is a service, and nobody's") for line in sold)
            sold = []
        if not sold:
            return Unit(refusals=tuple(refusals), line=first.number, rows=len(lines))
        at_ms = int(first.at.timestamp() * 1_000)
        record = EventRecord(
            v=SCHEMA_VERSION,
            site=self._site,
            received_at_ms=at_ms,
            user_id=None if first.customer is None else str(int(first.customer)),
            anonymous_id=f"online-retail-{first.invoice}" if first.customer is None else None,
            source="import",
            events=_events(sold, at_ms=at_ms, is_refund=is_refund),
        )
        return Unit((record,), tuple(refusals), first.number, len(lines))

    @cached_property
    def _frame(self) -> pl.DataFrame:
        """The lines, invoice by invoice in order of time: 540,000 lines take about 60 MB."""
        try:
            frame = pl.read_parquet(self.path, columns=list(COLUMNS))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise InvalidSource(f"{self.path} cannot be read as Online Retail's Parquet: {error}") from error
        frame = frame.with_row_index("line", offset=1)
        ended = frame.group_by("InvoiceNo").agg(pl.col("InvoiceDate").max().alias("ended"))
        return frame.join(ended, on="InvoiceNo").sort("ended", "InvoiceNo", "line")

    def _lines(self) -> Iterator[_Line]:
        columns = ("line", *COLUMNS[:4], "ended", *COLUMNS[5:])
        for number, invoice, code, description, quantity, at, price, customer in self._frame.select(
            columns
        ).iter_rows():
            yield _Line(
                number,
                str(invoice).strip(),
                str(code).strip(),
                " ".join(str(description or "").split()),
                int(quantity or 0),
                at.replace(tzinfo=UTC),
                float(price or 0.0),
                customer,
            )

    def _given_catalogue(self) -> dict[str, tuple[str, float]]:
        path = self.path.with_name("catalogue_derived.csv")
        if not path.exists():
            return {}
        with path.open(encoding="utf-8-sig", newline="") as handle:
            return {
                row["StockCode"].strip(): (row["title"].strip(), float(row["price"] or 0))
                for row in csv.DictReader(handle)
            }


def _why_no_sale(line: _Line) -> str | None:
    """Return why a line is no sale, ``None`` when it is one."""
    if line.price <= 0:
        return "no price"
    return "no sale: a correction of the stock" if line.quantity <= 0 else None


def _why_no_refund(line: _Line) -> str | None:
    if line.price <= 0:
        return "no price"
    return "a cancellation of nothing" if line.quantity >= 0 else None


def _is_service(line: _Line) -> bool:
    return line.code.upper() in SERVICES


def _refusal(line: _Line, reason: str) -> RefusedRow:
    raw = f"{line.invoice} {line.code} {line.description} {line.quantity} x {line.price}"
    return RefusedRow(line.number, reason, raw, is_loss=False)  # by the rules of the data set


def _events(lines: list[_Line], *, at_ms: int, is_refund: bool) -> tuple[Event, ...]:
    invoice = lines[0].invoice
    goods = [line for line in lines if not _is_service(line)]
    for_services = sum(line.price * abs(line.quantity) for line in lines if _is_service(line)) if goods else 0.0
    quantities: dict[tuple[str, float], int] = defaultdict(int)
    for line in goods or lines:  # an order has at least one item, so services alone stand for items
        quantities[line.code, line.price] += abs(line.quantity)
    parts = parts_of(
        EventItem(item_id=code, price=price, quantity=quantity) for (code, price), quantity in quantities.items()
    )
    worth = [sum((item.price or 0.0) * item.quantity for item in part) for part in parts]
    events: list[Event] = []
    for part, items in enumerate(parts):
        # Each part of an order carries the value of all of it; what was given back is the sum of its parts.
        extra = for_services if part == 0 or not is_refund else 0.0
        value = round(extra + (worth[part] if is_refund else sum(worth)), 2)
        event_id = stable_event_id("online_retail", invoice, part, at_ms=at_ms)
        if is_refund:
            back = RefundParams(transaction_id=invoice, items=items, currency=CURRENCY, value=value)
            events.append(Refund(event_id=event_id, occurred_at_ms=at_ms, params=back))
        else:
            bought = PurchaseParams(transaction_id=invoice, items=items, currency=CURRENCY, value=value)
            events.append(Purchase(event_id=event_id, occurred_at_ms=at_ms, params=bought))
    return tuple(events)


FORMAT: Final = SourceFormat(
    name=OnlineRetailSource.name,
    summary="UCI Online Retail as Parquet, with catalogue_derived.csv beside it if there is one",
    open=lambda path, options: OnlineRetailSource(path, site=options.site),
    recognises=lambda head: set(COLUMNS) <= set(columns_of(head)),
)
