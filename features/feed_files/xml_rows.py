"""XML feeds: Google Merchant's RSS and Atom, Yandex's YML, and lists of ``<product>``; item by item.

Each item is cut out of the text and parsed by itself, so that a broken one costs no other, and no document type
definition, hence no entity of the file's own, is ever read. Names that HTML gives to characters are resolved.
"""

from __future__ import annotations

import html
import html.entities
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from features.feed_files.report import FeedBroken, FeedReport, RawRow
from features.feed_files.text import FeedText

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_ITEM: Final = 2 << 20
MAX_PREAMBLE: Final = 8 << 20
MAX_FIELD: Final = 100_000
_OVERLAP: Final = 64
_BEGINS: Final = re.compile(r"<(?:[A-Za-z]\w*:)?(item|entry|offer|product|shopitem)(?=[\s>])", re.IGNORECASE)
_ENDS: Final = re.compile(r"</(?:rss|channel|feed|yml_catalog|shop|offers|products|items)\s*>", re.IGNORECASE)
_COMMENT: Final = "<!--"
_PREFIX: Final = re.compile(r"[<\s/]([A-Za-z_][\w.-]*):[A-Za-z_]")
_CDATA: Final = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_CONTROL_REFERENCE: Final = re.compile(r"&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01])|[xX]0*(?:[0-8bBcCeEfF]|1[0-9a-fA-F]));")
_NAMED: Final = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_BARE: Final = re.compile(r"&(?!(?:[A-Za-z][A-Za-z0-9]*|#[0-9]+|#[xX][0-9A-Fa-f]+);)")
_STRAY: Final = re.compile(r"<(?![A-Za-z_/!?])")
_XML: Final = frozenset({"amp", "lt", "gt", "quot", "apos"})
_CATEGORY: Final = re.compile(r"<category\s([^>]*)>([^<]*)</category>")
_ATTRIBUTE: Final = re.compile(r"""(\w+)\s*=\s*["']([^"']*)["']""")
_ID: Final = re.compile(r"""<(?:g:)?id>\s*(?:<!\[CDATA\[)?([^<\]]{1,128})|<offer[^>]*?\sid=["']([^"']{1,128})""")
_ROOTS: Final = ("<?xml", "<rss", "<feed", "<yml_catalog", "<channel", "<products", "<items", "<offers", "<shop")


def looks_like_xml(head: str) -> bool:
    """Return whether a text that begins like this is XML and no page of HTML."""
    return head.startswith("<") and any(root in head.lower() for root in _ROOTS)


def read_google_xml(text: FeedText, report: FeedReport) -> Iterator[RawRow]:
    """Yield the items of an XML feed; an item that is not well-formed is refused alone.

    Raises
    ------
    FeedBroken
        The file declares entities, holds no item, or ends before its last tag.
    """
    found = _Items(text, report)
    yield from found.rows()
    if not found.saw_items:
        raise FeedBroken(0, "holds no <item> and no <entry>; is it a Google Merchant feed?")
    if not found.is_closed:
        raise FeedBroken(0, "ends before its last tag; it was cut short")


class _Items:
    """Cuts items out of a text that is read in chunks."""

    def __init__(self, text: FeedText, report: FeedReport) -> None:
        self._chunks = text.chunks()
        self._report = report
        self._buffer = ""
        self._line = text.line + 1
        self._categories: dict[str, str] = {}
        self.saw_items = False
        self.is_closed = False

    def rows(self) -> Iterator[RawRow]:
        """Yield what the items hold."""
        tail = ""
        while (name := self._reaches_item()) is not None:
            fragment = self._item(name)
            tail = fragment[-_OVERLAP * 4 :]
            row = self._row(fragment)
            if row is not None:
                yield row
            self._take(len(fragment))
        # A last item whose own end is lost reaches to the end of the file.
        self.is_closed = "</" in self._buffer or _ENDS.search(tail) is not None

    def _take(self, size: int) -> None:
        self._line += self._buffer.count("\n", 0, size)
        self._buffer = self._buffer[size:]

    def _more(self) -> bool:
        chunk = next(self._chunks, "")
        self._buffer += chunk
        return bool(chunk)

    def _reaches_item(self) -> str | None:
        """Go on to where an item begins; return its tag's name, None at the end."""
        while True:
            begins = _BEGINS.search(self._buffer)
            comment = self._buffer.find(_COMMENT)
            if comment >= 0 and (begins is None or comment < begins.start()):
                ends = self._buffer.find("-->", comment)
                if ends >= 0:
                    self._preamble(self._buffer[:comment])
                    self._take(ends + 3)
                elif len(self._buffer) > MAX_ITEM or not self._more():  # it never ends: what follows counts
                    self._report.mend("", "comments that never end were skipped", "<!--", line=self._line)
                    self._preamble(self._buffer[:comment])
                    self._take(comment + len(_COMMENT))
                continue
            if begins is not None:
                self._preamble(self._buffer[: begins.start()])
                self._take(begins.start())
                self.saw_items = True
                return begins[1]
            size = len(self._buffer)
            if self.saw_items and size > _OVERLAP * 4:
                self._take(size - _OVERLAP * 2)
            elif size > MAX_PREAMBLE:
                raise FeedBroken(self._line, f"has no item in its first {MAX_PREAMBLE:,} characters")
            if not self._more():
                self._preamble(self._buffer)
                return None

    def _preamble(self, text: str) -> None:
        """Read what stands before an item: no entities may be declared; YML names its categories there."""
        if "<!ENTITY" in text:
            raise FeedBroken(self._line, "declares entities, which are not read; write the characters themselves")
        if "<category " not in text:
            return
        names: dict[str, tuple[str, str]] = {}
        for attributes, name in _CATEGORY.findall(text):
            said = dict(_ATTRIBUTE.findall(attributes))
            names[said.get("id", "")] = (html.unescape(name).strip(), said.get("parentId", ""))
        for number in names:
            path: list[str] = []
            above = number
            while above in names and len(path) < 20:
                name, above = names[above]
                path.insert(0, name)
            self._categories[number] = " > ".join(path)

    def _item(self, name: str) -> str:
        """Return the text of the item at the beginning of the buffer, up to its end or to where the next one begins."""
        closing = re.compile(rf"</(?:[A-Za-z]\w*:)?{name}\s*>|<(?:[A-Za-z]\w*:)?{name}(?=[\s>])")
        at = 1
        while True:
            ends = closing.search(self._buffer, at)
            if ends is not None:
                return self._buffer[: ends.end() if ends[0].startswith("</") else ends.start()]
            at = max(1, len(self._buffer) - _OVERLAP)
            if len(self._buffer) > MAX_ITEM or not self._more():
                return self._buffer

    def _row(self, fragment: str) -> RawRow | None:
        try:
            element = ElementTree.fromstring(_parsable(fragment, self._report, self._line))[0]
        except (ParseError, DefusedXmlException, IndexError, ValueError) as error:
            item_id = _ID.search(fragment)
            self._report.refuse(
                self._line,
                field="",
                value=fragment[:80],
                reason=f"is not well-formed XML: {error}; mend this item",
                item_id=next(filter(None, item_id.groups()), "") if item_id else "",
            )
            return None
        values = _values(element)
        path = self._categories.get(str(values.get("categoryid", "")))
        if path:
            values.setdefault("category", path)
        return RawRow(self._line, values)


def _parsable(fragment: str, report: FeedReport, line: int) -> str:
    """Return an item as a document of its own: prefixes declared, characters that XML does not take put right."""
    cleaned, wrong = _CONTROL.subn(" ", fragment)
    parts = _CDATA.split(cleaned)
    named = 0
    for index in range(0, len(parts), 2):
        text, references = _CONTROL_REFERENCE.subn(" ", parts[index])
        wrong += references
        text = _BARE.sub("&amp;", text)
        text, count = _NAMED.subn(_character, text)
        named += count
        parts[index] = _STRAY.sub("&lt;", text)
    if wrong:
        report.mend("", "control characters replaced", fragment[:60], line=line, count=wrong)
    text = "".join(parts)
    prefixes = {prefix for prefix in _PREFIX.findall(text) if prefix not in ("xml", "xmlns")}
    declared = "".join(f' xmlns:{prefix}="{prefix}:"' for prefix in sorted(prefixes))
    return f"<_{declared}>{text}</_>"


def _character(match: re.Match[str]) -> str:
    if match[1] in _XML:
        return match[0]
    return html.entities.html5.get(f"{match[1]};", f"&amp;{match[1]};")


def _values(element: Element) -> dict[str, Any]:
    """Return the attributes and the direct children of an item; Google's own names come before those of RSS and Atom.

    Nested fields, such as the price of shipping, are not the item's.
    """
    values: dict[str, Any] = {}
    of_google: dict[str, str] = {}
    for child in element:
        uri, _, name = str(child.tag).rpartition("}")
        text = (child.text or "").strip()[:MAX_FIELD]
        if len(child) and not text:
            text = _inner_text(child)
        if name == "link" and child.get("href"):
            if child.get("rel", "alternate") != "alternate":
                continue
            text = child.get("href", "")
        elif name == "param" and child.get("name"):
            name = f"attributes.{child.get('name')}"
        into = of_google if uri.startswith("{g:") or "base.google.com" in uri else values
        into.setdefault(name if "." in name else name.lower(), text)
    for name, value in element.attrib.items():
        if "}" not in name:
            values.setdefault(name.lower(), value)
    return {**values, **of_google}


def _inner_text(element: Element) -> str:
    """Return the text of an element that holds markup; none of one whose children are fields of their own."""
    if any(re.match(r"(\{[^}]*\})?(p|b|i|em|strong|br|ul|ol|li|span|div|h\d|a)$", str(child.tag)) for child in element):
        return " ".join("".join(element.itertext()).split())[:MAX_FIELD]
    return ""
