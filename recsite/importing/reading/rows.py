"""Tables of text, JSON lines, JSON arrays and Parquet as one stream of rows: column names and values.

A damaged row costs one row. One line of a table is one row, but for a cell in quotation marks that goes over lines:
it has to end within ``MAX_LINES_OF_A_CELL``, and none of its lines may be a row, so that a stray mark joins none. Blank
lines of it are left out.
"""

from __future__ import annotations

import ast
import csv
import io
import json
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from recsite.importing.base import InvalidSource, Shard
from recsite.importing.reading.containers import is_parquet, opened, parquet_file

MAX_LINE: Final = 2 << 20
MAX_LINES_OF_A_CELL: Final = 100
_BATCH: Final = 5_000
_DELIMITERS: Final = ("\t", ";", "|", ",")
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_JSON: Final = json.JSONDecoder()

Header = tuple[str, ...]
HeaderOf = Callable[[list[str]], Header | None]
"""Returns the columns of a table whose first line is data, from that line; None where that line is the header."""


class Row(NamedTuple):
    """One row; ``problem`` says why it has no values."""

    line: int
    values: dict[str, Any]
    raw: str
    problem: str = ""


def read_rows(shard: Shard, header_of: HeaderOf = lambda cells: None) -> Iterator[Row]:
    """Yield the rows of a file in its order; blank lines are none.

    Raises
    ------
    InvalidSource
        It cannot be read to its end.
    """
    if is_parquet(shard):
        yield from _parquet_rows(shard)
        return
    with opened(shard) as handle:
        lines = _lines(handle)
        first = next(lines, None)
        if first is None:
            return
        lines = chain([first], lines)
        start = first[1].lstrip()
        if start.startswith("["):
            yield from _array_rows(lines, shard.name)
        elif start.startswith("{"):
            yield from map(_json_row, lines)
        else:
            yield from _table_rows(lines, header_of)


def _parquet_rows(shard: Shard) -> Iterator[Row]:
    line = 0
    for batch in parquet_file(shard).iter_batches(batch_size=_BATCH):
        for values in batch.to_pylist():
            line += 1
            yield Row(line, values, "")


def _lines(handle: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield (number, text) of the lines that are not blank; a line that is too long is cut, and so has no reading."""
    source: Any = handle
    head = handle.peek(2)[:2] if isinstance(handle, io.BufferedReader) else b""
    if head in _UTF16:
        source = io.BufferedReader(_Recoded(handle))
    number = 0
    while line := source.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            while line and not line.endswith(b"\n"):
                line = source.readline(MAX_LINE)
            yield number, f"(longer than {MAX_LINE} bytes)"
            continue
        text = _decoded(line)
        if number == 1:
            text = text.removeprefix("\ufeff")
        if text.strip():
            yield number, text


class _Recoded(io.RawIOBase):
    """UTF-16 as UTF-8."""

    def __init__(self, handle: BinaryIO) -> None:
        self._text = io.TextIOWrapper(handle, encoding="utf-16", errors="replace", newline="")
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or self._text.read(len(buffer)).encode()
        taken = self._rest[: len(buffer)]
        self._rest = self._rest[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _decoded(line: bytes) -> str:
    """Return a line as text; what is no UTF-8 is Windows-1252, as spreadsheets write it."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


def _json_row(line: tuple[int, str]) -> Row:
    number, text = line
    plain = text.strip().removesuffix(",")  # as of an array without its brackets
    try:
        values = msgspec.json.decode(plain)
    except (msgspec.DecodeError, RecursionError, ValueError):
        values = _of_python(plain)
        if values is None:
            return Row(number, {}, text, "is not valid JSON")
    return _object_row(number, values, plain)


def _of_python(text: str) -> object:
    """Return the value of a line that a program printed as Python writes it, with single quotes; None for others."""
    if not text.startswith("{'"):
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _object_row(number: int, values: object, text: str) -> Row:
    if not isinstance(values, dict):
        return Row(number, {}, text, "is not a JSON object")
    return Row(number, values, text)


def _array_rows(lines: Iterator[tuple[int, str]], name: str) -> Iterator[Row]:
    """Yield the objects of one array, element by element, without holding all of it."""
    buffer, number = "", 0
    for number, text in lines:
        buffer += text
        if number == 1 or buffer.lstrip().startswith("["):
            buffer = buffer.lstrip().removeprefix("[")
        buffer = buffer.lstrip(" \t\r\n,")
        while buffer and not buffer.startswith("]"):
            try:
                values, end = _JSON.raw_decode(buffer)
            except (ValueError, RecursionError):
                if len(buffer) > MAX_LINE:
                    raise InvalidSource(f"{name} line {number} is not valid JSON, nor the lines before it") from None
                break
            yield _object_row(number, values, buffer[:end])
            buffer = buffer[end:].lstrip(" \t\r\n,")
    if not buffer.startswith("]"):
        yield Row(number, {}, buffer, "is not valid JSON: the array is cut off here")


def _table_rows(lines: Iterator[tuple[int, str]], header_of: HeaderOf) -> Iterator[Row]:
    number, text = next(lines)
    delimiter = ""
    if text.lower().startswith("sep=") and len(text.strip()) <= 5:
        delimiter = text.strip("\r\n")[4:5]
        number, text = next(lines, (number, ""))
    delimiter = delimiter or delimiter_of(text)
    cells = [cell.strip() for cell in _cells(text, delimiter)]
    header = header_of(cells)
    again = ""
    if header is None:
        header, again = tuple(cells), text.strip()
    else:
        lines = chain([(number, text)], lines)
    for number, text in _joined(lines, len(header), delimiter):
        if text.strip() != again:  # files that were put together repeat their header
            yield _table_row(number, text, header, delimiter)


def _joined(lines: Iterator[tuple[int, str]], n_columns: int, delimiter: str) -> Iterator[tuple[int, str]]:
    """Yield the lines; those of a cell that goes over several are one."""
    waiting: deque[tuple[int, str]] = deque()
    while True:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            return
        number, text = line
        if text.count('"') % 2 == 0 or not _opens_cell(text, delimiter):
            yield line
            continue
        whole = text
        for index in range(MAX_LINES_OF_A_CELL):
            if index == len(waiting):
                following = next(lines, None)
                if following is None:
                    break
                waiting.append(following)
            following_text = waiting[index][1]
            if len(_cells(following_text, delimiter)) == n_columns > 1 and following_text.count('"') % 2 == 0:
                break  # a row by itself
            whole += following_text
            if whole.count('"') % 2 == 0:
                if len(_quoted(whole, delimiter)) == n_columns:
                    text = whole
                    for _ in range(index + 1):
                        waiting.popleft()
                break
        yield number, text


def _opens_cell(text: str, delimiter: str) -> bool:
    return len(delimiter) == 1 and (text.startswith('"') or f'{delimiter}"' in text)


def _table_row(number: int, text: str, header: Header, delimiter: str) -> Row:
    cells = _cells(text, delimiter)
    if len(cells) > len(header) and not any(cell.strip() for cell in cells[len(header) :]):
        cells = cells[: len(header)]
    if len(cells) > len(header):
        return Row(number, {}, text, f"has {len(cells)} cells, and the header {len(header)} columns")
    values: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=False):
        if not values.get(name):  # of columns of one name, the first that says something
            values[name] = cell
    return Row(number, values, text)


def _cells(text: str, delimiter: str) -> list[str]:
    line = text.rstrip("\r\n")
    if len(delimiter) > 1 or '"' not in line:
        return line.split(delimiter)
    if line.count('"') % 2:
        return line.split(delimiter)  # a stray mark, as in 24" screen
    return _quoted(line, delimiter) or line.split(delimiter)


def _quoted(text: str, delimiter: str) -> list[str]:
    """Return the cells of one record with quotation marks; none of what the module for tables does not take."""
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error:  # a lone carriage return, or a cell that is too long for it
        return []


def delimiter_of(line: str) -> str:
    """Return what separates the cells of a line."""
    if "::" in line:
        return "::"
    return max(_DELIMITERS, key=line.count)


def columns_of(head: bytes) -> tuple[str, ...]:
    """Return the columns that a file begins with: the names of its first object, or the cells of its first line."""
    first, _, _ = head.decode("utf-8", "replace").partition("\n")
    if head.startswith(b"{"):
        try:
            values, _ = _JSON.raw_decode(head.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            values = _of_python(first.strip().removesuffix(","))
        return tuple(values) if isinstance(values, dict) else ()
    return tuple(cell.strip() for cell in _cells(first, delimiter_of(first)))
