"""RetailRocket's log: ``timestamp,visitorid,event,itemid[,transactionid]``; events view, addtocart, transaction.

References
----------
"Retailrocket recommender system dataset", Kaggle 2016.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

from recsite.importing.base import InvalidSource, Refusal, SourceFormat, Unit, iso_time, stable_event_id
from tracking.contract.events import (
    MAX_ITEMS,
    SCHEMA_VERSION,
    AddToCart,
    Event,
    EventItem,
    EventRecord,
    ItemsParams,
    Purchase,
    PurchaseParams,
    ViewItem,
)  # fmt: skip

FILE_NAME: Final = "events.csv"
COLUMNS: Final = ("timestamp", "visitorid", "event", "itemid")
KINDS: Final = ("view", "addtocart", "transaction")


class _Row(NamedTuple):
    line: int
    at_ms: int
    visitor: str
    kind: str
    item_id: str
    transaction: str
    refusal: Refusal | None = None


class RetailRocketSource:
    """One ``events.csv``, in order of time.

    Parameters
    ----------
    path : Path
    site : str
    milliseconds : bool
        Times are in milliseconds, as in the original download; else in seconds.
    """

    name = "retailrocket"
    currency: str | None = None

    def __init__(self, path: Path, *, site: str, milliseconds: bool = False) -> None:
        self.path = path / FILE_NAME if path.is_dir() else path
        self._site = site
        self._to_ms = 1 if milliseconds else 1_000

    def total(self) -> int:
        """Return how many units there are."""
        return sum(1 for _ in self._groups())

    def items(self) -> Iterator[dict[str, Any]]:
        """Yield an item for each id, first seen when the log first names it; the log has no titles."""
        first_seen: dict[str, int] = {}
        for row in self._rows():
            if row.refusal is None:
                first_seen.setdefault(row.item_id, row.at_ms)
        for item_id, at_ms in first_seen.items():
            yield {"item_id": item_id, "title": f"Item {item_id}", "first_seen_at": iso_time(at_ms)}

    def units(self) -> Iterator[Unit]:
        """Yield one unit an event; rows of one order, which follow each other, are one purchase."""
        for rows in self._groups():
            row = rows[0]
            if row.refusal is not None:
                yield Unit(refusals=(row.refusal,), line=row.line)
                continue
            record = EventRecord(
                v=SCHEMA_VERSION,
                site=self._site,
                received_at_ms=row.at_ms,
                user_id=row.visitor,
                source="import",
                events=(_event(rows),),
            )
            yield Unit((record,), line=row.line, rows=len(rows))

    def _groups(self) -> Iterator[list[_Row]]:
        def order(row: _Row) -> object:
            return (row.at_ms, row.visitor, row.transaction) if row.kind == "transaction" else row.line

        for _, rows in groupby(self._rows(), key=order):
            yield list(rows)

    def _rows(self) -> Iterator[_Row]:
        with self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as handle:
            reader = csv.DictReader(handle)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise InvalidSource(f"{self.path} has no column {missing[0]!r}; its first line must name {COLUMNS}")
            for row in reader:
                yield self._row(reader.line_num, row)

    def _row(self, line: int, row: dict[str, str | None]) -> _Row:
        kind, visitor, item_id = (str(row[name] or "").strip() for name in ("event", "visitorid", "itemid"))
        raw = ",".join(str(value) for value in row.values())
        time = str(row["timestamp"] or "").strip()
        reason = ""
        if not (time.isascii() and time.isdecimal()):
            reason = f"timestamp={time!r} is not a whole number"
        elif int(time) * self._to_ms > 4_102_444_800_000:
            reason = f"timestamp={time!r} lies behind the year 2100; for milliseconds use --milliseconds"
        elif kind not in KINDS:
            reason = f"event={kind!r} is not one of {', '.join(KINDS)}"
        elif not visitor or not item_id:
            reason = "visitorid or itemid is empty"
        elif any("\udc80" <= character <= "\udcff" for character in raw):
            reason = "is not UTF-8"
        if reason:
            shown = raw.encode("utf-8", "backslashreplace").decode()
            return _Row(line, 0, "", "", "", "", Refusal(line, reason, shown))
        return _Row(line, int(time) * self._to_ms, visitor, kind, item_id, str(row.get("transactionid") or "").strip())


def _event(rows: list[_Row]) -> Event:
    row = rows[0]
    event_id = stable_event_id("retailrocket", row.at_ms, row.visitor, row.kind, row.item_id, at_ms=row.at_ms)
    items = tuple(EventItem(item_id=item_id) for item_id in dict.fromkeys(each.item_id for each in rows))[:MAX_ITEMS]
    if row.kind == "transaction":
        order = row.transaction or f"{row.visitor}-{row.at_ms}"
        bought = PurchaseParams(transaction_id=order, items=items)
        return Purchase(event_id=event_id, occurred_at_ms=row.at_ms, params=bought)
    if row.kind == "addtocart":
        return AddToCart(event_id=event_id, occurred_at_ms=row.at_ms, params=ItemsParams(items=items))
    return ViewItem(event_id=event_id, occurred_at_ms=row.at_ms, params=ItemsParams(items=items))


FORMAT: Final = SourceFormat(
    name=RetailRocketSource.name,
    summary="events.csv: timestamp,visitorid,event,itemid",
    open=lambda path, options: RetailRocketSource(path, site=options.site, milliseconds=options.milliseconds),
    recognises=lambda head: head.lower().startswith(",".join(COLUMNS).encode()),
    file_name=FILE_NAME,
)
