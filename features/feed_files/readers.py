"""Files of items, row by row: CSV and TSV, JSON lines, Google Merchant XML. None is ever in memory as a whole.

A reader yields ``RawRow`` and refuses single rows through the report; when the rest of a file cannot be read at all,
it raises ``FeedBroken``, and what came before stays.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler

from defusedxml.common import DefusedXmlException
from defusedxml.sax import make_parser

from features.feed_files.report import FeedBroken, FeedReport, RawRow

MAX_LINE: Final = 1 << 20
MAX_FIELD: Final = 100_000
_CHUNK: Final = 1 << 16
_GZIP: Final = b"\x1f\x8b"

Reader = Callable[[BinaryIO, FeedReport], Iterator[RawRow]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFormat:
    """A format of feeds; the forms, the command and ``docs/catalogue.md`` follow from ``FORMATS`` or are compared.

    Attributes
    ----------
    name, words : str
        As it is stored, and as a person reads it.
    suffixes : tuple of str
        Endings of file names, without the dot.
    begins : callable
        Whether the first bytes of a file, without a byte order mark and spaces, look like it.
    read : callable
        Yields the rows; refuses single ones through the report.
    """

    name: str
    words: str
    suffixes: tuple[str, ...]
    begins: Callable[[bytes], bool]
    read: Reader


def read_feed(handle: BinaryIO, report: FeedReport, *, file_format: str = "", name: str = "") -> Iterator[RawRow]:
    """Yield the rows of a feed, packed with gzip or not; without ``file_format`` it is told from name and content.

    Raises
    ------
    FeedBroken
        The format cannot be told, or the file ends or breaks in a way that no further row can be found.
    """
    stream = _unpacked(handle)
    chosen = file_format or detect_format(name, stream.peek(4_096))
    known = {one.name: one for one in FORMATS}
    if chosen not in known:
        raise FeedBroken(0, f"format {chosen!r} is not one of {', '.join(known)}")
    try:
        yield from known[chosen].read(stream, report)
    except (OSError, EOFError, zlib.error) as error:  # a torn gzip file, or a disk that fails
        raise FeedBroken(0, f"the file cannot be read to its end: {error}") from error


def detect_format(name: str, head: bytes) -> str:
    """Return the format of a file from its name, else from its first bytes."""
    suffix = name.lower().removesuffix(".gz").rpartition(".")[2]
    by_suffix = {ending: one.name for one in FORMATS for ending in one.suffixes}
    if suffix in by_suffix:
        return by_suffix[suffix]
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return next(one.name for one in reversed(FORMATS) if one.begins(text))


def read_csv(handle: BinaryIO, report: FeedReport) -> Iterator[RawRow]:
    """Yield the rows of a CSV file with a header; the delimiter is told from the header."""
    return _read_table(handle, report, delimiter="")


def read_tsv(handle: BinaryIO, report: FeedReport) -> Iterator[RawRow]:
    """Yield the rows of a tab-separated file with a header, such as Google's text feeds."""
    return _read_table(handle, report, delimiter="\t")


def read_jsonl(handle: BinaryIO, report: FeedReport) -> Iterator[RawRow]:
    """Yield the objects of a file that holds one JSON object a line."""
    number = 0
    while line := handle.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise FeedBroken(number, f"is longer than {MAX_LINE} bytes; write one item a line")
        text = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not text:
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            report.refuse(number, field="", value=text[:80].decode("utf-8", "replace"), reason=f"is not JSON: {error}")
            continue
        if isinstance(value, dict):
            yield RawRow(number, value)
        else:
            report.refuse(number, field="", value=value, reason='is not an object; write {"item_id": …}')


def read_google_xml(handle: BinaryIO, report: FeedReport) -> Iterator[RawRow]:
    """Yield the items of a Google Merchant feed, RSS 2.0 or Atom; entities and external references are refused."""
    found = _MerchantItems()
    parser = make_parser()
    parser.setContentHandler(found)
    found.setDocumentLocator(parser)  # which feed(), other than parse(), leaves to the caller
    try:
        while chunk := handle.read(_CHUNK):
            parser.feed(chunk)
            yield from found.taken()
        parser.close()
    except (SAXException, DefusedXmlException, UnicodeError) as error:
        yield from found.taken()
        line = error.getLineNumber() if isinstance(error, SAXParseException) else found.line
        reason = error.getMessage() if isinstance(error, SAXException) else str(error)
        raise FeedBroken(line or 0, f"is not well-formed XML: {reason}") from error
    yield from found.taken()
    if not found.saw_items:
        raise FeedBroken(0, "holds no <item> and no <entry>; is it a Google Merchant feed?")


class _MerchantItems(ContentHandler):
    """Collects the direct children of each item; ``taken`` hands over what is complete."""

    def __init__(self) -> None:
        super().__init__()
        self.saw_items = False
        self._complete: list[RawRow] = []
        self._values: dict[str, Any] | None = None
        self._path: list[str] = []
        self._text: list[str] = []
        self._size = 0
        self._item_line = 0
        self._locator: Any = None

    @property
    def line(self) -> int:
        """The line that is being read."""
        return int(self._locator.getLineNumber() or 0) if self._locator else 0

    def taken(self) -> list[RawRow]:
        """Return the items that are complete, once."""
        complete, self._complete = self._complete, []
        return complete

    def setDocumentLocator(self, locator: Any) -> None:
        self._locator = locator

    def startElement(self, name: str, attrs: Any) -> None:
        if self._values is not None:
            self._path.append(name)
            if len(self._path) > 1:  # nested fields, such as the price of shipping, are not the item's
                return
            self._text, self._size = [], 0
            if name == "link" and attrs.get("href"):
                self._text = [attrs.get("href")]  # Atom
        elif name in ("item", "entry"):
            self.saw_items = True
            self._values = {}
            self._item_line = self.line

    def characters(self, content: str) -> None:
        self._size += len(content)
        if self._values is not None and len(self._path) == 1 and self._size <= MAX_FIELD:
            self._text.append(content)

    def endElement(self, name: str) -> None:
        if self._values is None:
            return
        if not self._path:
            self._complete.append(RawRow(self._item_line, self._values))
            self._values = None
            return
        self._path.pop()
        if not self._path:
            self._values.setdefault(name.lower().rpartition(":")[2], "".join(self._text).strip())


def _read_table(handle: BinaryIO, report: FeedReport, *, delimiter: str) -> Iterator[RawRow]:
    # surrogateescape: one wrongly encoded value refuses its row, not the rest of the file.
    text = io.TextIOWrapper(handle, encoding="utf-8-sig", errors="surrogateescape", newline="")
    csv.field_size_limit(MAX_FIELD)
    header_line = text.readline(MAX_LINE)
    if not header_line.strip():
        raise FeedBroken(1, "is empty; the first line must name the fields, as in item_id,title,price")
    delimiter = delimiter or max(",;\t|", key=header_line.count)
    header = [name.strip() for name in next(csv.reader([header_line], delimiter=delimiter))]
    if not any(name.lower().removeprefix("g:") in ("item_id", "id", "sku") for name in header):
        raise FeedBroken(1, f"names no field item_id or id, only {', '.join(header)[:200]}")
    rows = csv.reader(text, delimiter=delimiter)
    while True:
        line = rows.line_num + 2
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            report.refuse(line, field="", value="", reason=f"cannot be read: {error}")
            continue
        if not any(cells):
            continue
        if len(cells) != len(header):
            reason = (
                f"has {len(cells)} fields where the header names {len(header)}; quote values that hold {delimiter!r}"
            )
            report.refuse(line, field="", value=delimiter.join(cells), reason=reason)
            continue
        wrong = next(
            (name for name, cell in zip(header, cells, strict=True) if not cell.isprintable() and _torn(cell)), ""
        )
        if wrong:
            value = dict(zip(header, cells, strict=True))[wrong].encode("utf-8", "backslashreplace").decode()
            report.refuse(line, field=wrong, value=value, reason="is not UTF-8; save the file as UTF-8")
            continue
        # In a table an empty cell says nothing; JSON can say null.
        yield RawRow(line, {name: cell for name, cell in zip(header, cells, strict=True) if cell.strip()})


def _torn(cell: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in cell)


def _unpacked(handle: BinaryIO) -> io.BufferedReader:
    buffered = handle if isinstance(handle, io.BufferedReader) else io.BufferedReader(_Raw(handle))
    if buffered.peek(2)[:2] == _GZIP:
        return io.BufferedReader(gzip.GzipFile(fileobj=buffered))
    return buffered


class _Raw(io.RawIOBase):
    """Gives Django's uploaded files, which only ``read``, the interface that a buffer needs."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._handle.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


#: In the order of the forms; of several that a file looks like, the last one is taken.
FORMATS: Final = (
    FeedFormat(name="csv", words="CSV", suffixes=("csv",), begins=lambda text: True, read=read_csv),
    FeedFormat(
        name="tsv",
        words="tab-separated (Google text feed)",
        suffixes=("tsv",),
        begins=lambda text: b"\t" in text.split(b"\n", 1)[0],
        read=read_tsv,
    ),
    FeedFormat(
        name="jsonl",
        words="JSON lines",
        suffixes=("jsonl", "ndjson"),
        begins=lambda text: text.startswith(b"{"),
        read=read_jsonl,
    ),
    FeedFormat(
        name="google_xml",
        words="Google Merchant XML",
        suffixes=("xml", "rss"),
        begins=lambda text: text.startswith(b"<"),
        read=read_google_xml,
    ),
)
