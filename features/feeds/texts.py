"""Texts as a person would read them: without markup, without characters that are written as their names. Pure."""

from __future__ import annotations

import html
import re
from typing import Final

from features.feeds.mends import BadValue, Mends, mend_or_refuse
from tracking.contract.mending.amounts import NOTHING

_REFERENCE: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_TAG: Final = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|br|center|code|dd|div|dl|dt|em|font|h[1-6]|hr|i|img|li|ol|p|pre|q|s|section|small"
    r"|span|strong|style|sub|sup|table|tbody|td|th|thead|tr|u|ul)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_BREAKS: Final = re.compile(r"</?(?:br|p|div|li|h[1-6]|tr|ul|ol|table)\b", re.IGNORECASE)
_UNSHOWN: Final = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")
_TIMES: Final = 3  # how often a text may have been escaped


def as_text(field: str, value: object, *, longest: int, mends: Mends | None = None) -> str:
    """Return a text of at most ``longest`` characters, without spaces around it.

    Raises
    ------
    BadValue
        It is no text; or, where nothing is mended, it is too long or holds what no database takes.
    """
    if mends is not None:
        value = called(value)
        if isinstance(value, list | tuple):
            named = [called(each) for each in value]
            value = ", ".join(str(each) for each in named if not isinstance(each, dict | list))
    if isinstance(value, dict | list | tuple):
        raise BadValue(field, value, "is not a text")
    if isinstance(value, bool) and mends is not None:
        raise BadValue(field, value, "is not a text; write words")
    text = str(value).strip()
    if _CONTROL.search(text):
        _refuse_control(field, text, mends)
        text = _CONTROL.sub(" ", text).strip()
    if len(text) > longest:
        reason = f"has {len(text)} characters; the most is {longest}"
        mend_or_refuse(mends, field, text, what=f"cut to {longest:,} characters", reason=reason)
        text = text[:longest].rstrip()
    return text


def readable(field: str, value: object, *, longest: int, mends: Mends | None = None) -> str:
    """Return a text without markup and escapes, cut like ``as_text``; where nothing is mended it stays as it is."""
    if mends is None:
        return as_text(field, value, longest=longest)
    text = as_text(field, value, longest=10**9, mends=mends).replace("\u00a0", " ")
    if "&" in text or "<" in text:
        plain = without_markup(text)
        if plain != text:
            mends.count(field, "markup and escaped characters resolved", text)
            text = plain
    return as_text(field, text, longest=longest, mends=mends)


def called(value: object) -> object:
    """Return the name of an object that has one, as in ``{"id": 4, "name": "Shoes"}``; other values as they are."""
    if isinstance(value, dict):
        return next((value[name] for name in ("name", "title", "label") if isinstance(value.get(name), str)), value)
    return value


def without_markup(text: str) -> str:
    """Return a text as a browser would show it: references resolved, also double-escaped ones, tags left out."""
    for _ in range(_TIMES):
        before = text
        text = _REFERENCE.sub(lambda match: html.unescape(match[0]), text)
        if text == before:
            break
    if "<" in text:
        text = _UNSHOWN.sub(" ", text)
        text = _BREAKS.sub(lambda match: " " + match[0], text)
        text = _TAG.sub("", text)
    return " ".join(text.replace("\u00a0", " ").split())


def unescaped(text: str) -> str:
    """Return a text with its character references resolved, also double-escaped ones."""
    for _ in range(_TIMES):
        text = _REFERENCE.sub(lambda match: html.unescape(match[0]), text)
    return text


def is_nothing(value: object) -> bool:
    """Return whether a program wrote a value that says nothing: NaN, ``null``, ``undefined``."""
    if isinstance(value, float):
        return value != value
    return isinstance(value, str) and value.strip().lower() in _NOTHING


def _refuse_control(field: str, text: str, mends: Mends | None) -> None:
    if mends is not None:
        mends.count(field, "control characters replaced", text)
    elif "\x00" in text:
        raise BadValue(field, text, "holds the character U+0000; remove it")
    elif any("\ud800" <= character <= "\udfff" for character in text):
        raise BadValue(field, text, "holds half of a character; save the file as UTF-8")


_NOTHING: Final = NOTHING - {"-"} | {
    "#n/a", "#ref!", "#value!", "#name?", "#div/0!", "#null!", "#num!", "\\n",
}  # fmt: skip
"""With the errors of a spreadsheet's formulas, and what databases export for NULL."""
