"""Files of items, row by row: tables, JSON and XML, packed or not. None is ever in memory as a whole.

A file passes four stages: what it is packed in (``containers``), its encoding (``text``), its format (here), and the
words of the shop system that wrote it (``dialects``). Single rows are refused through the report; when the rest of a
file cannot be read at all, ``FeedBroken`` is raised, and what came before stays.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final
from zipfile import BadZipFile

from django.utils.translation import gettext_noop

from features.feed_files.containers import Limits, unpacked
from features.feed_files.dialects.translation import in_our_words
from features.feed_files.json_rows import is_lines, read_json, read_jsonl
from features.feed_files.packing import damages
from features.feed_files.report import FeedBroken, FeedReport, RawRow
from features.feed_files.tables import read_csv, read_tsv
from features.feed_files.text import FeedText
from features.feed_files.xml_rows import looks_like_xml, read_google_xml

Reader = Callable[[FeedText, FeedReport], Iterator[RawRow]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFormat:
    """A format of feeds; the forms, the command and ``docs/catalogue.md`` follow from ``FORMATS`` or are compared.

    Attributes
    ----------
    name, words : str
        As it is stored, and as a person reads it.
    begins : callable
        Whether a text that begins like this (without spaces before) looks like it.
    read : callable
        Yields the rows; refuses single ones through the report.
    """

    name: str
    words: str
    begins: Callable[[str], bool]
    read: Reader


def read_feed(
    handle: BinaryIO,
    report: FeedReport,
    *,
    file_format: str = "",
    mapping: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> Iterator[RawRow]:
    """Yield the rows of a feed in our words; container, encoding, format and dialect are told from the content.

    Parameters
    ----------
    handle : binary file
    report : FeedReport
        Receives refused rows, what was mended, the columns and how the file was read.
    file_format : str, optional
        The name of a format, where it is known.
    mapping : mapping of str to str, optional
        Column to field, for columns that a person chose; an empty field leaves the column out.
    limits : Limits, optional

    Raises
    ------
    FeedBroken
        The format cannot be told, or the file ends or breaks in a way that no further row can be found.
    """
    yield from in_our_words(_raw_rows(handle, report, file_format, limits), report, mapping=mapping or {})


def _raw_rows(handle: BinaryIO, report: FeedReport, file_format: str, limits: Limits | None) -> Iterator[RawRow]:
    try:
        text = FeedText(unpacked(handle, report, limits=limits), report)
        chosen = file_format or detect_format(text.head)
        known = {one.name: one for one in FORMATS}
        if chosen not in known:
            raise FeedBroken(0, f"format {chosen!r} is not one of {', '.join(known)}")
        report.note(known[chosen].words)
        yield from known[chosen].read(text, report)
    except damages(BadZipFile, struct.error) as error:  # a torn archive, or a disk that fails
        raise FeedBroken(0, f"the file cannot be read to its end: {error}") from error


def detect_format(head: str) -> str:
    """Return the format of a text from its beginning.

    Raises
    ------
    FeedBroken
        It is a page of HTML, or no text at all.
    """
    text = head.lstrip()
    if sum(character < " " and character not in "\t\n\r\x0b\x0c" for character in text) * 20 > len(text):
        raise FeedBroken(1, "is no text but a binary file; export the catalogue as CSV, JSON or XML")
    chosen = next(one.name for one in reversed(FORMATS) if one.begins(text))
    if chosen in ("csv", "tsv") and text.startswith("<") and "<" in text[1:]:
        raise FeedBroken(1, "is a web page (HTML), not a feed; does the address ask for a login, or is it the shop's?")
    return chosen


#: In the order of the forms; of several that a file looks like, the last one is taken.
FORMATS: Final = (
    FeedFormat(name="csv", words=gettext_noop("CSV"), begins=lambda text: True, read=read_csv),
    FeedFormat(
        name="tsv",
        words=gettext_noop("tab-separated (Google text feed)"),
        begins=lambda text: text.split("\n", 1)[0].count("\t") > text.split("\n", 1)[0].count(","),
        read=read_tsv,
    ),
    FeedFormat(name="jsonl", words=gettext_noop("JSON lines"), begins=is_lines, read=read_jsonl),
    FeedFormat(
        name="json",
        words=gettext_noop("JSON (a list, or an object with one)"),
        begins=lambda text: text.startswith(("[", "{")) and not is_lines(text),
        read=read_json,
    ),
    FeedFormat(
        name="google_xml",
        words=gettext_noop("XML (Google Merchant RSS or Atom, YML)"),
        begins=looks_like_xml,
        read=read_google_xml,
    ),
)
