"""A row of a feed to the values of an item: names as shops and Google Merchant Center write them, checked one by one.

Pure. A row names only what it changes; what it does not name stays as it is. An empty text empties the field. Rows of
files are mended: with a ``Mends``, what cannot be kept is dropped and counted, and only a row without an id, or with a
price that cannot be read, is refused. Rows of programs are not: their first bad value is refused.

References
----------
Google Merchant Center, "Product data specification" (names, prices as ``12.99 EUR``, availability words).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, Final

from features.feed_files.dialects.languages import language_of
from features.feeds.addresses import as_address
from features.feeds.availability import availability_of
from features.feeds.mends import BadValue, Mends, mend_or_refuse
from features.feeds.money import as_price
from features.feeds.names import ATTRIBUTE_FIELDS, Meaning, meaning_of
from features.feeds.periods import as_moment, as_period
from features.feeds.texts import as_text, called, is_nothing, readable, unescaped
from tracking.contract.mending.amounts import Separator, read_currency
from tracking.contract.mending.values import as_id

__all__ = ["BadValue", "Understanding", "item_changes"]

MAX_TITLE: Final = 500
MAX_DESCRIPTION: Final = 20_000
MAX_CATEGORY: Final = 500
MAX_TAGS: Final = 50
MAX_ATTRIBUTES: Final = 50
_MAX_STOCK: Final = 2_000_000_000
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_SPREADSHEET: Final = re.compile(r"\d+\.0+")
_GUARDED: Final = re.compile(r'="([^"]+)"|\'(\d[\w.\-]*)')
_SHORTENED: Final = re.compile(r"\d(?:[.,]\d+)?E\+\d{1,2}")
_LEVELS: Final = re.compile(r"\s*[>»\u203a\u2192]\s*|/(?=\s)|(?<=\s)/|\s\|\s")
_NUMBERED: Final = re.compile(r"\d+\s*[-:]\s*(?=\S)")
_YES: Final = frozenset({
    "1", "true", "yes", "on", "y", "t", "active", "enabled", "published", "visible", "live", "ja", "oui", "si", "sí",
    "tak", "да",
})  # fmt: skip
_NO: Final = frozenset({
    "0", "false", "no", "off", "n", "f", "inactive", "disabled", "unpublished", "hidden", "draft", "archived", "nein",
    "non", "nie", "нет", "2",
})  # fmt: skip
_NEVER_DROPPED: Final = frozenset({"item_id", "price"})
"""A record's identity and its money: a row in which they cannot be read is refused."""


@dataclass(slots=True, kw_only=True)
class Understanding:
    """How the rows of one feed are understood, and what was learnt of it so far.

    Attributes
    ----------
    currency : str
        Of prices that name none: the row's own ``currency`` comes first.
    decimal : "." or ",", optional
        Settles amounts with two readings.
    locale : str
        The language of a feed of translations: its titles become translations, all else stays.
    base_locale : str
        Of rows that name a language each: the first one's; rows in others are translations.
    ignored : set of str
        Names of fields that mean nothing here.
    used : set of str
        Fields that a row named.
    """

    currency: str
    decimal: Separator | None = None
    locale: str = ""
    base_locale: str = ""
    ignored: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)


def item_changes(raw: Mapping[str, Any], *, understanding: Understanding, mends: Mends | None = None) -> dict[str, Any]:
    """Return the fields of ``Item`` that a row sets; ``item_id`` is always among them.

    Parameters
    ----------
    raw : mapping
        Fields by the feed's names; a prefix ``g:`` and case do not matter.
    understanding : Understanding
    mends : Mends, optional
        Counts what was mended or dropped; without it, the first bad value refuses the row.

    Raises
    ------
    BadValue
        The first value that cannot be taken.
    """
    row = _Row(understanding, mends)
    for written, value in raw.items():
        if value is None and meaning_of(written).field not in _NULLABLE:
            continue
        if mends is not None and is_nothing(value):
            mends.count(written, "NaN and the like taken for nothing", value)
            continue
        row.sort(written, value)
    return row.changes()


class _Row:
    """The values of one row, by what they mean."""

    def __init__(self, understanding: Understanding, mends: Mends | None) -> None:
        self._understanding = understanding
        self._mends = mends
        self._values: dict[str, Any] = {}
        self._attributes: dict[str, Any] = {}
        self._titles: dict[str, str] = {}
        self._changes: dict[str, Any] = {}
        self._currency = ""

    def sort(self, written: str, value: Any) -> None:
        """Put a value where it belongs."""
        meaning = meaning_of(written)
        name = meaning.field
        if name in ATTRIBUTE_FIELDS or name.startswith("attributes."):
            self._understanding.used.add(name)
            with _Dropping(self._mends):
                key = as_text(name, name.removeprefix("attributes."), longest=64, mends=self._mends)
                self._attributes[key] = _attribute(name, value, self._mends)
        elif meaning.language:
            self._understanding.used.add("title")
            with _Dropping(self._mends):
                self._titles[meaning.language] = readable("title", value, longest=MAX_TITLE, mends=self._mends)
        elif meaning.currency:
            self._sort_price(meaning, value)
        else:
            self._values.setdefault(name, value)

    def _sort_price(self, meaning: Meaning, value: Any) -> None:
        """Take the price in the site's currency, of several; else the first."""
        if value in (None, ""):
            return
        known = self._values.get(meaning.field)
        if known is None or meaning.currency == self._understanding.currency:
            self._values[meaning.field] = value
            self._values["currency"] = meaning.currency

    def changes(self) -> dict[str, Any]:
        """Return what the row sets."""
        values, changes = self._values, self._changes
        changes["item_id"] = _identifier(values.pop("item_id", None), self._mends)
        if (language := self._language()) is not None:
            return self._translation(language)
        google_category = values.pop("google_category", None)
        if google_category is not None:
            self._understanding.used.add("google_category")
            if not values.get("category") and (path := self._google_path(google_category)):
                values["category"] = path
        with _Dropping(self._mends):
            self._currency = _currency(values.pop("currency", None), self._understanding.currency)
        self._take_period()
        for name, value in values.items():
            with _Dropping(None if name in _NEVER_DROPPED else self._mends):
                self._take(name, value)
        self._check_sale(values)
        if self._currency and "currency" not in changes:
            changes["currency"] = self._currency
        if self._titles:
            changes["titles"] = {**changes.get("titles", {}), **self._titles}
        if self._attributes:
            changes["attributes"] = {**changes.get("attributes", {}), **self._attributes}
        return changes

    def _take(self, name: str, value: Any) -> None:
        convert = _CONVERTERS.get(name)
        if convert is not None:
            self._changes[name] = convert(name, value, self._mends)
        elif name in _PRICES:
            self._take_price(name, value)
        else:
            self._understanding.ignored.add(name)
            return
        self._understanding.used.add(name)

    def _take_price(self, name: str, value: Any) -> None:
        changes, own = self._changes, self._currency
        default = own or self._understanding.currency
        if self._mends is not None and isinstance(value, list) and len(value) == 1:
            value = value[0]
        minor, found = as_price(name, value, currency=default, decimal=self._understanding.decimal, mends=self._mends)
        if found is not None and changes.setdefault("currency", found) != found:
            raise BadValue(name, value, f"is not in {changes['currency']} as the row's other prices are")
        if found is not None and own and found != own and self._mends is not None:
            self._mends.count("currency", f"{own} beside an amount in {found}; the amount's own is taken", value)
        changes[_PRICES[name]] = minor

    def _check_sale(self, values: Mapping[str, Any]) -> None:
        """Leave a sale out that was dropped, costs nothing, or no less than the price: systems write 0 for no sale."""
        changes = self._changes
        if "sale_price" not in values:
            return
        sale, price = changes.setdefault("sale_price_minor", None), changes.get("price_minor")
        if self._mends is not None and sale is not None and price and not 0 < sale < price:
            what = "no sale: it costs nothing" if sale == 0 else "no sale: it costs no less than the price"
            self._mends.count("sale_price", what, values["sale_price"])
            changes["sale_price_minor"] = None

    def _take_period(self) -> None:
        """Take when a sale begins and ends; a sale whose period cannot be read is left out."""
        values, changes = self._values, self._changes
        period = values.pop("sale_period", None)
        bounds = {name: values.pop(name) for name in ("sale_starts_at", "sale_ends_at") if name in values}
        if period is not None or bounds:
            self._understanding.used.update(("sale_starts_at", "sale_ends_at"))
        try:
            starts, ends = as_period("sale_period", period)
            if "sale_starts_at" in bounds:
                starts = as_moment("sale_starts_at", bounds["sale_starts_at"])
            if "sale_ends_at" in bounds:
                ends = as_moment("sale_ends_at", bounds["sale_ends_at"], is_end=True)
        except BadValue as error:
            if self._mends is None:
                raise
            self._mends.count(error.field, f"sale dropped: its period {_kind(error.reason)}", error.value)
            values["sale_price"], starts, ends = "", None, None
        if period is not None or bounds or "sale_price" in values:  # a sale without a period is always on
            changes["sale_starts_at"], changes["sale_ends_at"] = starts, ends

    def _language(self) -> str | None:
        """Return the language of a row that is a translation; None for a row of an item."""
        understanding = self._understanding
        translation, locale = self._values.pop("translation", None), self._values.pop("locale", None)
        if understanding.locale:
            return understanding.locale
        if translation:
            return language_of(str(translation))
        language = language_of(str(locale)) if locale else ""
        if locale:
            understanding.used.add("locale")
        if not language:
            return None
        understanding.base_locale = understanding.base_locale or language
        return None if language == understanding.base_locale else language

    def _translation(self, language: str) -> dict[str, Any]:
        title = self._values.get("title")
        self._understanding.used.add("title")
        if title and language:
            self._titles.setdefault(language, readable("title", title, longest=MAX_TITLE, mends=self._mends))
        self._understanding.ignored.update(self._values.keys() - {"title"})
        return {**self._changes, "titles": self._titles}

    def _google_path(self, value: Any) -> str:
        """Return the path of one of Google's categories; a number alone is none, and stays out of what is shown."""
        text = _NUMBERED.sub("", str(value).strip(), count=1)
        if not text.isdigit():
            return text
        if self._mends is not None:
            self._mends.count("google_category", "a number is no path; kept out of the category", value)
        return ""


class _Dropping:
    """Drops and counts a bad value; without a ``Mends`` it is refused."""

    def __init__(self, mends: Mends | None) -> None:
        self._mends = mends

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if self._mends is None or not isinstance(error, BadValue):
            return False
        self._mends.count(error.field, f"dropped: {_kind(error.reason)}", error.value)
        return True


def _kind(reason: str) -> str:
    """Return a reason without the value and the numbers in it, so that its like are counted together."""
    first = reason.partition(";")[0]
    return re.sub(r"\d[\d,.]*", "n", re.sub(r"^'.*?' ", "", first))


def _identifier(value: object, mends: Mends | None) -> str:
    found, _ = as_id(value)
    if found is None:
        said = (
            "is missing; every row needs the item's id"
            if value in (None, "")
            else ("is no id; write the item's id, of at most 128 characters")
        )
        raise BadValue("item_id", value, said)
    if mends is not None and (guarded := _GUARDED.fullmatch(found)):
        mends.count("item_id", "a spreadsheet's mark for text taken off", found)
        found = next(filter(None, guarded.groups()))
    if mends is not None and _SPREADSHEET.fullmatch(found):
        mends.count("item_id", "decimals of a spreadsheet taken off", found)
        return found.partition(".")[0]
    if mends is not None and _SHORTENED.fullmatch(found):
        raise BadValue("item_id", value, "was shortened by a spreadsheet; format the column as text and export again")
    return found


def _text(longest: int) -> Convert:
    return lambda field, value, mends: as_text(field, value, longest=longest, mends=mends)


def _readable(longest: int) -> Convert:
    return lambda field, value, mends: readable(field, value, longest=longest, mends=mends)


def _group(field: str, value: object, mends: Mends | None) -> str:
    if value in (None, ""):
        return ""
    found, _ = as_id(value)
    if found is None:
        raise BadValue(field, value, "is no id; write the id that the variants share, of at most 128 characters")
    return found.partition(".")[0] if mends is not None and _SPREADSHEET.fullmatch(found) else found


def _category(field: str, value: object, mends: Mends | None) -> str:
    if isinstance(value, list | tuple):
        value = " > ".join(filter(None, (str(called(name) or "") for name in value)))
    text = as_text(field, called(value), longest=MAX_CATEGORY if mends is None else 10**6, mends=mends)
    levels = [name for part in _LEVELS.split(text if mends is None else unescaped(text)) if (name := part.strip())]
    path = " > ".join(levels)
    if len(path) > MAX_CATEGORY:
        mend_or_refuse(
            mends, field, path, what=f"cut to the levels that fit {MAX_CATEGORY} characters",
            reason=f"has {len(path)} characters; the most is {MAX_CATEGORY}",
        )  # fmt: skip
        while len(levels) > 1 and len(" > ".join(levels)) > MAX_CATEGORY:
            levels.pop()
        path = " > ".join(levels)[:MAX_CATEGORY]
    return path


def _currency(value: object, expected: str) -> str:
    if value in (None, ""):
        return ""
    found = read_currency(value, expected=expected or None)
    if found is None:
        raise BadValue("currency", value, "is not a currency; write three letters, as in EUR")
    return found


def _availability(field: str, value: object, mends: Mends | None) -> str:
    found = availability_of(value)
    if found is None:
        raise BadValue(field, value, "is not one of in_stock, out_of_stock, preorder, backorder")
    return found


def _stock(field: str, value: object, mends: Mends | None) -> int | None:
    if value is None or value == "":
        return None
    text = str(value).strip()
    if mends is not None and (rounded := re.fullmatch(r"[<>≥~]?\s*(\d{1,9})\s*(?:\+|pcs\.?|st\.?|stk\.?)?", text)):
        text = rounded[1]
    try:
        pieces = Decimal(text)
    except InvalidOperation:
        pieces = None
    if pieces is None or isinstance(value, bool) or not pieces.is_finite():
        raise BadValue(field, value, "is not a whole number of pieces")
    bounded = max(Decimal(0), min(pieces, Decimal(_MAX_STOCK)))  # before int(): 1e999999999 would take all memory
    if pieces != pieces.to_integral_value():
        mend_or_refuse(
            mends, field, value, what="a fraction of a piece cut off", reason="is not a whole number of pieces"
        )
    return int(bounded)


def _moment(field: str, value: object, mends: Mends | None) -> Any:
    moment = as_moment(field, value)
    if moment is None:
        raise BadValue(field, value, "is not a time; write it as 2026-01-31T09:30:00Z")
    return moment


def _yes_or_no(field: str, value: object, mends: Mends | None) -> bool:
    word = str(value).strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise BadValue(field, value, "is not a yes or a no; write true or false")


def _tags(field: str, value: object, mends: Mends | None) -> list[str]:
    parts: list[object] = list(
        value if isinstance(value, list | tuple) else re.split(r"[|,;]" if mends else r"[|,]", str(value))
    )
    names = map(called, parts)
    tags = list(dict.fromkeys(text for name in names if (text := as_text(field, name, longest=64, mends=mends))))
    if len(tags) > MAX_TAGS:
        mend_or_refuse(
            mends, field, value, what=f"cut to {MAX_TAGS}",
            reason=f"holds {len(tags)} tags; the most is {MAX_TAGS}",
        )  # fmt: skip
    return tags[:MAX_TAGS]


def _attribute(field: str, value: object, mends: Mends | None) -> str | int | float | bool:
    if isinstance(value, float) and not isfinite(value):
        raise BadValue(field, value, "is not a finite number")
    if isinstance(value, bool | int | float):
        return value
    return readable(field, value, longest=500, mends=mends)


def _mapping(field: str, value: object, mends: Mends | None) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except ValueError as error:
            raise BadValue(field, value, f"is not JSON: {error}") from error
    if not isinstance(value, Mapping):
        raise BadValue(field, value, 'is not an object; write {"name": "value"}')
    entries = list(value.items())
    if len(entries) > MAX_ATTRIBUTES:
        mend_or_refuse(
            mends, field, value, what=f"cut to {MAX_ATTRIBUTES} entries",
            reason=f"holds {len(entries)} entries; the most is {MAX_ATTRIBUTES}",
        )  # fmt: skip
    found: dict[str, Any] = {}
    for name, each in entries[:MAX_ATTRIBUTES]:
        with _Dropping(mends):
            found[as_text(field, name, longest=64, mends=mends)] = _attribute(field, each, mends)
    return found


def _titles(field: str, value: object, mends: Mends | None) -> dict[str, Any]:
    titles = _mapping(field, value, mends)
    for locale in titles:
        if not _LOCALE.fullmatch(locale):
            raise BadValue(field, locale, 'is not a locale; write {"de": "…", "fr-CA": "…"}')
    return {
        locale.replace("_", "-"): readable(field, title, longest=MAX_TITLE, mends=mends)
        for locale, title in titles.items()
    }


def _address(field: str, value: object, mends: Mends | None) -> str:
    return as_address(field, value, mends=mends)


_PRICES: Final = {"price": "price_minor", "sale_price": "sale_price_minor", "cost": "cost_minor"}
_NULLABLE: Final = frozenset({*_PRICES, "stock", "sale_starts_at", "sale_ends_at"})
Convert = Callable[[str, object, "Mends | None"], Any]
_CONVERTERS: Final[dict[str, Convert]] = {
    "title": _readable(MAX_TITLE),
    "titles": _titles,
    "description": _readable(MAX_DESCRIPTION),
    "brand": _readable(100),
    "category": _category,
    "url": _address,
    "image_url": _address,
    "availability": _availability,
    "stock": _stock,
    "group_id": _group,
    "tags": _tags,
    "attributes": _mapping,
    "is_active": _yes_or_no,
    "first_seen_at": _moment,
}
#: What a row can set, by our names.
FIELDS: Final = frozenset({
    "item_id", "google_category", "currency", "sale_period", "sale_starts_at", "sale_ends_at", "locale", "translation",
    *_PRICES, *_CONVERTERS,
})  # fmt: skip
