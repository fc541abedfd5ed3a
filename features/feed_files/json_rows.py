"""JSON: one object a line, a list of objects, or an object that holds one. A broken object costs that object."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from typing import Any, Final

from features.feed_files.report import FeedBroken, FeedReport, RawRow
from features.feed_files.text import MAX_LINE, FeedText

MAX_OBJECT: Final = 4 << 20
MAX_WHOLE: Final = 64 << 20
"""Characters of an object that is not a list; it is read as a whole."""

_LISTS: Final = ("products", "items", "offers", "entries", "results", "rows", "records", "data", "@graph", "nodes")
_WRAPPERS: Final = frozenset({*_LISTS, "catalog", "catalogue", "feed", "result", "response", "shop"})
_OF_AN_ITEM: Final = frozenset({"@type", "sku", "item_id", "title", "name"})
_OPENS: Final = re.compile(r"\s*\{")
_KEY: Final = re.compile(r'[\s,]*"((?:[^"\\]|\\.)*)"\s*:\s*')
_NEXT: Final = re.compile(r"[}\],\"]\s*(?=\{)")  # where an object may begin, also if the end of the one before is lost
_SPACE: Final = re.compile(r"[\s,]*")
_BROKEN: Final = object()
_OVERLAP: Final = 100
_DECODER: Final = JSONDecoder(strict=False)  # a control character in a text is mended later, like any other


def is_lines(head: str) -> bool:
    """Return whether a text that begins like this has one object a line."""
    first, _, rest = head.partition("\n")
    if not first.lstrip().startswith("{"):
        return False
    try:
        value = json.loads(first.strip().removesuffix(","))
    except (ValueError, RecursionError):
        # Torn, cut by the end of the head, or the first line of an object that is written over several.
        return len(first.strip()) > 1 and (not rest or rest.lstrip().startswith("{")) and _list_at(head) is None
    return isinstance(value, dict) and (bool(rest.strip()) or _list_in(value) is None)


def read_jsonl(text: FeedText, report: FeedReport) -> Iterator[RawRow]:
    """Yield the objects of a file that holds one JSON object a line."""
    for number, line in text.lines():
        line = line.strip().removesuffix(",")
        if not line:
            continue
        if len(line) >= MAX_LINE:
            report.refuse(number, field="", value=line[:80], reason=f"is longer than {MAX_LINE} characters; cut it")
            continue
        try:
            value = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            report.refuse(number, field="", value=line[:80], reason=f"is not JSON: {error}", item_id=_id_in(line))
            continue
        yield from _rows(value, number, report)


def read_json(text: FeedText, report: FeedReport) -> Iterator[RawRow]:
    """Yield the objects of a list, at the top of a file or in an object such as ``{"products": […]}``."""
    head = text.head
    at = len(head) - len(head.lstrip()) if head.lstrip().startswith("[") else _list_at(head)
    if at is not None:
        yield from _Listed(text.chunks(), report, skipped=at).rows()
        return
    parts: list[str] = []
    size = 0
    for chunk in text.chunks():
        parts.append(chunk)
        size += len(chunk)
        if size > MAX_WHOLE:
            raise FeedBroken(0, f"is one JSON object of more than {MAX_WHOLE:,} characters; write one item a line")
    try:
        value = _DECODER.decode("".join(parts).strip())
    except (ValueError, RecursionError) as error:
        raise FeedBroken(0, f"is not JSON: {error}; write a list of items, or one item a line") from error
    rows = _list_in(value)
    for number, row in enumerate([value] if rows is None else rows, 1):
        yield from _rows(row, number, report)


def _list_at(head: str) -> int | None:
    """Return where the list of an object begins that wraps one, such as ``{"count": 2, "products": [{``."""
    at = _match_end(_OPENS, head)
    while at and (key := _KEY.match(head, at)):
        at = key.end()
        if key[1] in _OF_AN_ITEM:
            return None
        if head.startswith("[", at) and key[1] in _LISTS and head[at + 1 :].lstrip()[:1] in ("{", "]"):
            return at
        if head.startswith("{", at) and key[1] in _WRAPPERS:
            at += 1
            continue
        try:
            _, at = _DECODER.raw_decode(head, at)
        except (JSONDecodeError, RecursionError):
            return None
    return None


def _list_in(value: Any) -> list[Any] | None:
    """Return the list of objects that an object wraps; None where it is an item itself."""
    if not isinstance(value, dict) or _OF_AN_ITEM & value.keys():
        return None
    for name in _LISTS:
        inner = value.get(name)
        if isinstance(inner, list) and all(isinstance(each, dict) for each in inner):
            return inner
        if isinstance(inner, dict) and (found := _list_in(inner)) is not None:
            return found
    return None


def _rows(value: Any, number: int, report: FeedReport) -> Iterator[RawRow]:
    if isinstance(value, dict):
        yield RawRow(number, value)
    else:
        report.refuse(number, field="", value=value, reason='is not an object; write {"item_id": …}')


class _Listed:
    """Reads the objects of a list while the text comes in; rows are numbered from 1."""

    def __init__(self, chunks: Iterator[str], report: FeedReport, *, skipped: int) -> None:
        self._chunks = chunks
        self._report = report
        self._buffer = next(chunks, "")[skipped:].removeprefix("[")
        self._keys: set[str] = set()  # of the first object: what is left of a broken one is not taken for another
        self._number = 0

    def rows(self) -> Iterator[RawRow]:
        """Yield the objects up to the end of the list."""
        while self._reaches_value():
            if self._buffer.startswith("]"):
                return
            value = self._value()
            if value is _BROKEN:
                self._number += 1
                self._report.refuse(
                    self._number, field="", value=self._buffer[:80], reason="is not JSON; mend this object",
                    item_id=_id_in(self._buffer[:2_000]),
                )  # fmt: skip
                value = self._next_like_the_first()
                if value is _BROKEN:
                    return
            self._number += 1
            if isinstance(value, dict) and not self._keys:
                self._keys = set(value)
            yield from _rows(value, self._number, self._report)
        raise FeedBroken(0, "ends inside its list; it was cut short")

    def _reaches_value(self) -> bool:
        """Pass over what separates values; return whether something follows."""
        while True:
            self._buffer = self._buffer[_match_end(_SPACE, self._buffer) :]
            if self._buffer:
                return True
            self._buffer = next(self._chunks, "")
            if not self._buffer:
                return False

    def _value(self) -> Any:
        """Take the next value, or return ``_BROKEN`` and leave it there."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer)
            except (JSONDecodeError, RecursionError) as error:
                more = "" if _is_wrong(error, self._buffer) else _following(self._chunks, len(self._buffer))
                if not more:
                    return _BROKEN
                self._buffer += more
                continue
            self._buffer = self._buffer[end:]
            return value

    def _next_like_the_first(self) -> Any:
        """Pass over a broken object and take the next one; ``_BROKEN`` where no other follows."""
        self._buffer = self._buffer[1:]
        while True:
            following = _NEXT.search(self._buffer)
            if following is None:
                more = next(self._chunks, "")
                if not more:
                    return _BROKEN
                self._buffer = self._buffer[-_OVERLAP:] + more
                continue
            self._buffer = self._buffer[following.end() :]
            value = self._value()
            if isinstance(value, dict) and len(self._keys & value.keys()) * 2 >= len(self._keys):
                return value
            self._buffer = self._buffer[1:] if value is _BROKEN else "}" + self._buffer


def _is_wrong(error: Exception, buffer: str) -> bool:
    """Return whether more text would not help."""
    if not isinstance(error, JSONDecodeError) or len(buffer) > MAX_OBJECT:
        return True
    return not error.msg.startswith("Unterminated") and error.pos < len(buffer.rstrip()) - 8


def _following(chunks: Iterator[str], size: int) -> str:
    """Return about as much text as there was, so that long objects are read a few times only."""
    parts: list[str] = []
    while size > 0 and (chunk := next(chunks, "")):
        parts.append(chunk)
        size -= len(chunk)
    return "".join(parts)


def _match_end(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.match(text)
    return match.end() if match else 0


def _id_in(text: str) -> str:
    """Return the id that a broken object names, for the report."""
    match = re.search(r'"(?:item_id|id|sku)"\s*:\s*"?([^",}\s]{1,128})', text)
    return match[1] if match else ""
