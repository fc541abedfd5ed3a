"""Tables: CSV with any usual separator, and tab-separated files, row by row, as spreadsheets and shops write them.

Quotation marks are where tables break: one that is not meant as a quotation (``27" monitor``) joins all rows up to the
next one. A cell is quoted only where its mark is closed before a separator or at the end of a line. A quotation that
goes over lines is taken only if none of those lines is a whole row by itself.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from features.feed_files.names import normalised
from features.feed_files.report import FeedBroken, FeedReport, RawRow
from features.feed_files.text import FeedText

MAX_FIELD: Final = 100_000
MAX_LINES_OF_A_CELL: Final = 400
MAX_CELLS: Final = 2_000
_SEPARATORS: Final = "\t;,|"
_IDS: Final = frozenset({
    "item_id", "id", "sku", "identifier", "variant_sku", "handle", "url_handle", "product_id", "productid", "offer_id",
    "article_number", "artikelnummer", "item_number", "mpn", "gtin", "ean",
})  # fmt: skip
_AMOUNTS: Final = ("price", "preis", "prix", "precio", "prezzo", "qty", "quantity", "stock", "cost", "amount")
_MOST_PREAMBLE: Final = 20
_MARKS: Final = re.compile('"+')
_REFERENCE: Final = re.compile(r"&(#?\w{1,10});")


def read_csv(text: FeedText, report: FeedReport) -> Iterator[RawRow]:
    """Yield the rows of a CSV file with a header; the separator is told from the header, or from Excel's ``sep=``."""
    return read_table(text, report)


def read_tsv(text: FeedText, report: FeedReport) -> Iterator[RawRow]:
    """Yield the rows of a tab-separated file with a header, such as Google's text feeds."""
    return read_table(text, report, separator="\t")


def read_table(text: FeedText, report: FeedReport, *, separator: str = "") -> Iterator[RawRow]:
    """Yield the rows of a table; cells that are empty are left out, missing ones at the end are empty.

    Raises
    ------
    FeedBroken
        There is no header.
    """
    lines = _Lines(text.lines())
    header, separator = _header(lines, report, separator)
    names = [normalised(name) for name in header]
    for key, name in zip(names, header, strict=True):
        if key:
            report.saw(key, name.strip())
    shape = _Shape(names=names, separator=separator)
    while (first := lines.take()) is not None:
        number, line = first
        if not line.strip():
            continue
        cells = _cells(line, lines, shape)
        while len(cells) > len(names) and not cells[-1].strip():
            cells.pop()  # a separator too many at the end
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(names):
            reason = f"has {len(cells)} cells where the header names {len(names)}; quote values that hold {separator!r}"
            report.refuse(number, field="", value=line, reason=reason, item_id=shape.item_id(cells))
            continue
        if [normalised(cell) for cell in cells] == names:
            report.mend("", "the header again, skipped", "", line=number)
            continue
        values: dict[str, str] = {}
        for name, cell in zip(header, cells, strict=False):
            # In a table an empty cell says nothing; JSON can say null.
            if cell.strip() and name.strip():
                values.setdefault(name.strip(), cell)
        yield RawRow(number, values)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What a row of the table looks like: how many cells, and which of them hold ids and amounts."""

    names: list[str]
    separator: str

    def item_id(self, cells: list[str]) -> str:
        """Return what stands where the id should be."""
        index = next((index for index, name in enumerate(self.names) if name in _IDS), 0)
        return cells[index].strip()[:128] if index < len(cells) else ""

    @property
    def has_amounts(self) -> bool:
        """Return whether a column is known to hold numbers."""
        return any(word in name for name in self.names for word in _AMOUNTS)

    def is_row(self, cells: list[str]) -> bool:
        """Return whether cells can be a row: as many as the header has, an id, digits where amounts are."""
        if len(cells) != len(self.names) or not self.item_id(cells) or " " in self.item_id(cells):
            return False
        if self.has_amounts:
            amounts = [
                cell.strip()
                for name, cell in zip(self.names, cells, strict=True)
                if any(word in name for word in _AMOUNTS)
            ]
            return all(not cell or (len(cell) <= 40 and any(map(str.isdigit, cell))) for cell in amounts)
        return len(cells) > 2 or not any(cell.startswith(" ") for cell in cells[1:])


class _Lines:
    """Lines that can be looked at before they are taken."""

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        self._lines = lines
        self._seen: deque[tuple[int, str]] = deque()

    def take(self) -> tuple[int, str] | None:
        """Return the next line with its number, None at the end."""
        return self._seen.popleft() if self._seen else next(self._lines, None)

    def ahead(self, index: int) -> str | None:
        """Return the line ``index`` lines further on, and leave it there."""
        while len(self._seen) <= index:
            following = next(self._lines, None)
            if following is None:
                return None
            self._seen.append(following)
        return self._seen[index][1]

    def skip(self, count: int) -> None:
        """Pass over lines."""
        for _ in range(count):
            self.take()


def _header(lines: _Lines, report: FeedReport, separator: str) -> tuple[list[str], str]:
    """Return the header and the separator; lines before the one that names an id are passed over and counted."""
    candidates: list[tuple[int, list[str], str]] = []
    for index in range(_MOST_PREAMBLE):
        line = lines.ahead(index)
        if line is None:
            break
        said = line.strip().lower()
        if said.startswith("sep=") and len(said) <= 5:
            separator = line.strip()[4:] or "\t"
            continue
        if not said or said.startswith("#"):
            continue
        found = separator or _separator(line)
        cells = split_line(line, found)[0]
        candidates.append((index, cells, found))
        if any(normalised(cell) in _IDS for cell in cells):
            break
    else:
        candidates = candidates[:1]
    if not candidates:
        raise FeedBroken(1, "is empty; the first line must name the fields, as in item_id,title,price")
    named = candidates[-1] if any(normalised(cell) in _IDS for cell in candidates[-1][1]) else candidates[0]
    index, cells, separator = named
    if len(cells) > MAX_CELLS:
        raise FeedBroken(index + 1, f"names {len(cells)} columns; the most is {MAX_CELLS}")
    if index:
        report.mend("", "lines before the header were skipped", lines.ahead(0), line=1, count=index)
    lines.skip(index + 1)
    return cells, separator


def _separator(line: str) -> str:
    return max(_SEPARATORS, key=lambda each: len(split_line(line, each)[0]))


def split_line(line: str, separator: str, *, joins: bool = False) -> tuple[list[str], str | None]:
    """Return the cells of a line, and what follows a quotation mark that is not closed in it.

    Parameters
    ----------
    line, separator : str
    joins : bool
        A quotation with a stray mark in it goes on to its end, over separators; else its cell ends at the next one.

    Returns
    -------
    list of str, str or None
        The open quotation is not among the cells; None where there is none.
    """
    if '"' not in line:
        return line.split(separator), None
    cells: list[str] = []
    at = 0
    while True:
        start = at
        while line.startswith(" ", start):
            start += 1
        if line.startswith('"', start):
            end, is_proper = _closing(line, start + 1, separator)
            if end is None and is_proper:
                return cells, line[start + 1 :]
            if end is not None and (is_proper or joins):
                cells.append(line[start + 1 : end].replace('""', '"'))
                at = line.find(separator, end + 1)
                if at < 0:
                    return cells, None
                at += len(separator)
                continue
        following = line.find(separator, at)
        cells.append(_literal(line[at:] if following < 0 else line[at:following]))
        if following < 0:
            return cells, None
        at = following + len(separator)


def _closing(line: str, at: int, separator: str) -> tuple[int | None, bool]:
    """Return where a quotation ends, and whether every mark before is doubled, as it should be.

    It ends at an odd number of marks before a separator or the end of the line.
    """
    is_proper = True
    for marks in _MARKS.finditer(line, at):
        is_odd = len(marks[0]) % 2 == 1
        if is_odd and _ends_cell(line, marks.end(), separator):
            return marks.end() - 1, is_proper
        is_proper = is_proper and not is_odd
    return None, is_proper


def _ends_cell(line: str, at: int, separator: str) -> bool:
    while line.startswith(" ", at):
        at += 1
    return at >= len(line) or line.startswith(separator, at)


def _literal(cell: str) -> str:
    """Return a cell whose marks are characters; one that was quoted without doubling its marks loses the outer ones."""
    text = cell.strip()
    if len(text) > 2 and text.startswith('"') and text.endswith('""'):
        return text[1:-1]
    return cell


def _cells(line: str, lines: _Lines, shape: _Shape) -> list[str]:
    """Return the cells of a row that begins with ``line``, and take the lines that belong to it."""
    cells, quoted = split_line(line, shape.separator)
    if quoted is None:
        if len(cells) > len(shape.names):
            joined, still_open = split_line(line, shape.separator, joins=True)
            if still_open is None and len(joined) <= len(shape.names):
                return joined
            if shape.separator == ";":
                return _with_references(line, shape) or cells
        return cells
    found = _quoted_over_lines(line, cells, quoted, lines, shape)
    return _without_quotation(line, cells, quoted, shape) if found is None else found


def _with_references(line: str, shape: _Shape) -> list[str] | None:
    """Return the cells of a line in which a semicolon also ends ``&amp;`` and its like; None where that is no help."""
    cells, still_open = split_line(_REFERENCE.sub(lambda found: f"&{found[1]}\x1f", line), shape.separator)
    if still_open is not None or len(cells) > len(shape.names):
        return None
    return [cell.replace("\x1f", ";") for cell in cells]


def _quoted_over_lines(line: str, cells: list[str], quoted: str, lines: _Lines, shape: _Shape) -> list[str] | None:
    """Return the cells of a row with a quotation that goes over lines; None where the mark is a stray one."""
    is_whole = shape.is_row(_without_quotation(line, cells, quoted, shape))
    parts = [quoted]
    size = len(quoted)
    index = 0
    while index < MAX_LINES_OF_A_CELL and size <= MAX_FIELD:
        following = lines.ahead(index)
        if following is None:
            return None
        index += 1
        end, is_proper = _closing(following, 0, shape.separator)
        # After a complete row, a complete one is no part of it; after a piece of a row it may only look so.
        if not is_proper or ((is_whole or end is None) and shape.is_row(split_line(following, shape.separator)[0])):
            return None
        size += len(following)
        if end is None:
            parts.append(following)
            continue
        parts.append(following[:end])
        cells = [*cells, "\n".join(parts).replace('""', '"')]
        at = following.find(shape.separator, end + 1)
        more, reopened = ([], None) if at < 0 else split_line(following[at + len(shape.separator) :], shape.separator)
        cells += more
        if len(cells) + (reopened is not None) > len(shape.names):
            return None
        if reopened is None:
            lines.skip(index)
            return cells
        parts = [reopened]
    return None


def _without_quotation(line: str, cells: list[str], quoted: str, shape: _Shape) -> list[str]:
    """Return the cells of a line whose open mark is a character; the rest of the line is read on its own."""
    rest = quoted.split(shape.separator, 1)
    first = _literal('"' + rest[0])
    if len(rest) == 1:
        return [*cells, first]
    more, still_open = split_line(rest[1], shape.separator)
    if still_open is not None:
        more += _without_quotation(rest[1], [], still_open, shape)
    return [*cells, first, *more]
