"""Tables of exchange rates as banks and spreadsheets write them → quotes, or every fault by line and field. Pure.

Two shapes are told apart by the header. *Long*: a row a rate, with ``day``, ``currency``, ``rate`` and, where it is
not the site's, ``worth_in``: one ``currency`` is worth so many ``worth_in``. *Wide*: a row a day and a column a
currency, as the European Central Bank publishes them: one euro is worth so many of the column's currency.

A table is taken whole or not at all: half of one would convert by older rates in silence.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any, Final

from features.money import Quote
from tracking.contract.mending.currencies import CURRENCIES

MAX_ROWS: Final = 100_000
"""Rates of one table, and of one site: ten years of business days of forty currencies."""
MIN_RATE: Final = Decimal("0.000001")
MAX_RATE: Final = Decimal(10) ** 9
RATE_DIGITS: Final = 12
"""Significant digits that are kept: more than any bank publishes, and exact in every database."""
FIRST_DAY: Final = dt.date(1990, 1, 1)
MAX_DAYS_AHEAD: Final = 62
"""Tables of customs and of head offices are made for the coming month."""
WIDE_BASE: Final = "EUR"
MAX_FAULTS: Final = 20

_EPOCH: Final = dt.date(1970, 1, 1)
_NAMES: Final[Mapping[str, str]] = {
    "day": "day", "date": "day", "datum": "day", "valid_from": "day", "time_period": "day",
    "currency": "currency", "code": "currency", "from": "currency", "currency_code": "currency",
    "rate": "rate", "value": "rate", "exchange_rate": "rate", "obs_value": "rate",
    "worth_in": "worth_in", "to": "worth_in", "in": "worth_in", "target": "worth_in",
}  # fmt: skip
_NOTHING: Final = frozenset({"", "n/a", "na", "-", "nan", "null"})
_NUMBER: Final = re.compile(r"\d{1,12}(?:[.,]\d{1,20})?")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class BadTable(ValueError):
    """A table of rates that is not taken; ``faults`` says each reason, the first ``MAX_FAULTS`` of them."""

    def __init__(self, faults: Sequence[Fault], n_faults: int) -> None:
        super().__init__("; ".join(str(fault) for fault in faults[:3]))
        self.faults = tuple(faults)
        self.n_faults = n_faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One value that cannot be taken.

    Attributes
    ----------
    line : int
        Of the file, from 1; of a list, the index from 0.
    field : str
    value : str
        At most 60 characters.
    reason : str
        Why, and what to write instead.
    """

    line: int
    field: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.field}={self.value!r} {self.reason}"


@dataclass(slots=True, kw_only=True)
class RateTable:
    """What a table says.

    Attributes
    ----------
    quotes : list of Quote
    ignored : list of str
        Columns that are no currency of today.
    """

    quotes: list[Quote] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


class _Bad(ValueError):
    """One cell is wrong."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.value = str(value)[:60]
        self.reason = reason


def read_csv(text: str, *, site_currency: str, today: dt.date) -> RateTable:
    """Return the rates of a CSV file: separated by comma, semicolon or tab; decimals after a point or a comma.

    Raises
    ------
    BadTable
        It has no header that says what is where, no rate, or a value that cannot be taken.
    """
    lines = text.lstrip("\ufeff").splitlines()
    n_blank = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    lines = lines[n_blank:]
    if not lines:
        raise _only(1, "file", "", "is empty; send a header and a row a rate, as in day,currency,rate")
    separator = max(",;\t", key=lines[0].count)
    try:
        rows = [
            (number, [cell.strip() for cell in row])
            for number, row in enumerate(csv.reader(lines, delimiter=separator), start=1 + n_blank)
        ]
    except csv.Error as error:
        raise _only(1, "file", lines[0][:60], f"is no table: {error}; send CSV") from error
    header = rows[0][1]
    numbered = [(line, row) for line, row in rows[1:] if any(row)]
    long = next(((line, row) for line, row in numbered if any(row[len(header) :])), None)
    if long is not None:  # a decimal comma would be taken for the next cell, and 0,86 for nothing
        reason = f"has more cells than the header names, {len(header)}; write decimals after a point, as 0.9214"
        raise _only(long[0], "row", separator.join(long[1])[:60], reason)
    columns = {
        _NAMES[key]: column for column, name in reversed([*enumerate(header)]) if (key := _plain(name)) in _NAMES
    }
    decimals = _Decimals(is_comma_apart=separator != ",")
    if {"day", "currency", "rate"} <= columns.keys():
        return _gathered(_long(numbered, columns, site_currency, decimals), today=today)
    codes = {column: name.upper() for column, name in enumerate(header) if name.upper() in CURRENCIES}
    if "day" in columns and codes:
        ignored = [
            name for column, name in enumerate(header) if name and column not in codes and column != columns["day"]
        ]
        table = _gathered(_wide(numbered, columns["day"], codes, decimals), today=today)
        table.ignored = ignored
        return table
    raise _only(
        1, "header", lines[0][:60],
        "does not say what is where; name day, currency and rate, or day and a column for each currency",
    )  # fmt: skip


def read_rows(rows: Iterable[Mapping[str, Any]], *, site_currency: str, today: dt.date) -> RateTable:
    """Return the rates of a list of objects with ``day``, ``currency``, ``rate`` and, if need be, ``worth_in``.

    Raises
    ------
    BadTable
        There is none, or a value cannot be taken; ``line`` is its index.
    """
    return _gathered(
        (
            (index, row.get("day"), row.get("currency"), row.get("worth_in") or site_currency, row.get("rate"))
            for index, row in enumerate(rows)
        ),
        today=today,
    )


_Cells = tuple[int, object, object, object, object]  # line, day, currency, worth in, rate


def _long(
    rows: Iterable[tuple[int, list[str]]], columns: Mapping[str, int], site_currency: str, decimals: _Decimals
) -> Iterator[_Cells]:
    def cell(row: list[str], name: str) -> str:
        column = columns.get(name)
        return row[column] if column is not None and column < len(row) else ""

    for line, row in rows:
        rate = decimals.with_point(cell(row, "rate"))
        yield line, cell(row, "day"), cell(row, "currency"), cell(row, "worth_in") or site_currency, rate


def _wide(
    rows: Iterable[tuple[int, list[str]]], day_column: int, codes: Mapping[int, str], decimals: _Decimals
) -> Iterator[_Cells]:
    for line, row in rows:
        for column, code in codes.items():
            written = row[column] if column < len(row) else ""
            if written.lower() not in _NOTHING and code != WIDE_BASE:
                yield line, row[day_column], WIDE_BASE, code, decimals.with_point(written)


class _Decimals:
    """Reads decimal commas where commas do not separate cells; refuses a table that uses both signs."""

    def __init__(self, *, is_comma_apart: bool) -> None:
        self._is_comma_apart = is_comma_apart
        self._seen: set[str] = set()

    def with_point(self, written: str) -> object:
        """Return the cell with a decimal point; a fault where it cannot be told from a sign that groups digits."""
        marks = {mark for mark in ",." if mark in written}
        self._seen |= marks
        if "," in marks and not self._is_comma_apart:
            return _Bad("rate", written, "has a comma in a table separated by commas; write it as 0.9214")
        if len(self._seen) > 1:
            return _Bad("rate", written, "mixes commas and points in one table; write all rates as 0.9214")
        return written.replace(",", ".")


def _gathered(rows: Iterable[_Cells], *, today: dt.date) -> RateTable:
    table = RateTable()
    known: dict[tuple[int, str, str], Decimal] = {}
    faults: list[Fault] = []
    n_faults = 0
    for line, *cells in rows:
        try:
            quote = _quote(*cells, today=today)
            pair = (quote.day, quote.currency, quote.worth_in)
            if known.setdefault(pair, quote.rate) != quote.rate:
                raise _Bad("rate", cells[3], f"differs from {known[pair]} for the same day and pair; keep one of them")
        except _Bad as error:
            n_faults += 1
            if len(faults) < MAX_FAULTS:
                faults.append(Fault(line=line, field=error.field, value=error.value, reason=error.reason))
            continue
        if len(known) > MAX_ROWS:
            raise _only(line, "rates", "", f"are more than {MAX_ROWS:,}; leave out the years before your first event")
    if faults:
        raise BadTable(faults, n_faults)
    if not known:
        raise _only(1, "rates", "", "are missing; send at least one")
    table.quotes = [Quote(*pair, rate) for pair, rate in sorted(known.items())]
    return table


def _quote(day: object, currency: object, worth_in: object, rate: object, *, today: dt.date) -> Quote:
    quoted, counted = _code("currency", currency), _code("worth_in", worth_in)
    if quoted == counted:
        raise _Bad("currency", quoted, "is worth one of itself; leave the row out, or name another worth_in")
    return Quote(_day(day, today=today), quoted, counted, _rate(rate))


def _code(field: str, written: object) -> str:
    code = written.strip().upper() if isinstance(written, str) else ""
    if code not in CURRENCIES:
        raise _Bad(field, "" if written is None else written, "is no currency of ISO 4217; write a code such as USD")
    return code


def _rate(written: object) -> Decimal:
    if isinstance(written, _Bad):
        raise written
    text = repr(written) if isinstance(written, float) else str(written).strip()
    is_text = isinstance(written, str | int | float | Decimal) and not isinstance(written, bool)
    if re.fullmatch(r"\d(?:\.\d+)?[eE][+-]?\d{1,2}", text):
        text = f"{Decimal(text):f}"  # 5.27e-05, as programs write small numbers
    if not is_text or not _NUMBER.fullmatch(text):
        shown = "" if written is None else written
        raise _Bad("rate", shown, "is not a rate; write what one unit is worth, as 0.9214")
    rate = Context(prec=RATE_DIGITS).create_decimal(text.replace(",", "."))
    if not MIN_RATE <= rate <= MAX_RATE:
        raise _Bad(
            "rate", written, f"must lie between {MIN_RATE:f} and {MAX_RATE:,f}; quote the pair the other way round"
        )
    return rate


def _day(written: object, *, today: dt.date) -> int:
    day = _date(str(written).strip()) if isinstance(written, str | dt.date) else None
    if day is None:
        raise _Bad("day", "" if written is None else written, "is not a day; write it as 2026-11-28")
    if not FIRST_DAY <= day <= today + dt.timedelta(days=MAX_DAYS_AHEAD):
        raise _Bad("day", written, f"must lie between {FIRST_DAY} and {MAX_DAYS_AHEAD} days from today; correct it")
    return (day - _EPOCH).days


def _date(text: str) -> dt.date | None:
    for pattern, order in (
        (r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]00:00(?::00)?Z?)?", (0, 1, 2)),
        (r"(\d{4})(\d{2})(\d{2})", (0, 1, 2)),
        (r"(\d{1,2})\.(\d{1,2})\.(\d{4})", (2, 1, 0)),
    ):
        if match := re.fullmatch(pattern, text):
            return _as_date(*(int(match.groups()[index]) for index in order))
    if (match := re.fullmatch(r"(\d{1,2}) ([A-Za-z]{3,9})\.? (\d{4})", text)) and match[2][:3].lower() in _MONTHS:
        return _as_date(int(match[3]), _MONTHS.index(match[2][:3].lower()) + 1, int(match[1]))
    return None


def _as_date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _only(line: int, field: str, value: str, reason: str) -> BadTable:
    return BadTable([Fault(line=line, field=field, value=value, reason=reason)], 1)
