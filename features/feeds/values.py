"""A row of a feed to the values of an item: names as shops and Google Merchant Center write them, checked one by one.

Pure. A row names only what it changes; what it does not name stays as it is. An empty text empties the field.

References
----------
Google Merchant Center, "Product data specification" (names, prices as ``12.99 EUR``, availability words).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, Final
from urllib.parse import urlsplit

from features.money import to_minor

MAX_DESCRIPTION: Final = 20_000
MAX_TAGS: Final = 50
MAX_ATTRIBUTES: Final = 50
_MAX_AMOUNT: Final = Decimal(10) ** 12
_MAX_STOCK: Final = 2_000_000_000
_PRICE: Final = re.compile(r"(?:(?P<before>[A-Z]{3})\s*)?(?P<amount>\d+(?:\.\d+)?)(?:\s*(?P<after>[A-Z]{3}))?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_AVAILABILITY: Final = {
    "in_stock": "in_stock", "instock": "in_stock", "available": "in_stock", "limited": "in_stock",
    "out_of_stock": "out_of_stock", "outofstock": "out_of_stock", "sold_out": "out_of_stock",
    "soldout": "out_of_stock", "discontinued": "out_of_stock", "preorder": "preorder", "pre_order": "preorder",
    "backorder": "backorder", "back_order": "backorder",
}  # fmt: skip
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"0", "false", "no", "off"})

#: Other names of a field; ``product_type`` is the shop's own tree, hence better than Google's.
ALIASES: Final = {
    "id": "item_id", "sku": "item_id", "name": "title", "link": "url", "image_link": "image_url",
    "image": "image_url", "product_type": "category", "google_product_category": "google_category",
    "item_group_id": "group_id", "cost_of_goods_sold": "cost", "quantity": "stock", "inventory": "stock",
    "sell_on_google_quantity": "stock", "active": "is_active", "labels": "tags",
    "available_since": "first_seen_at",
}  # fmt: skip

#: Google's fields that describe a variant; they are kept as attributes, under these names.
ATTRIBUTE_FIELDS: Final = frozenset(
    {"color", "colour", "size", "material", "pattern", "gender", "age_group", "condition", "gtin", "mpn", "rating"}
    | {f"custom_label_{number}" for number in range(5)}
)


class BadValue(ValueError):
    """A value that cannot be taken; the message says why and what to write instead."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"{field}={value!r}: {reason}")
        self.field = field
        self.value = value
        self.reason = reason


def item_changes(raw: Mapping[str, Any], *, currency: str, ignored: set[str] | None = None) -> dict[str, Any]:
    """Return the fields of ``Item`` that a row sets; ``item_id`` is always among them.

    Parameters
    ----------
    raw : mapping
        Fields by the feed's names; a prefix ``g:`` and case do not matter.
    currency : str
        Of prices that name none: the row's own ``currency`` comes first.
    ignored : set of str, optional
        Receives the names of fields that mean nothing here.

    Raises
    ------
    BadValue
        The first value that cannot be taken.
    """
    row: dict[str, Any] = {}
    changes: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    titles: dict[str, str] = {}
    for written, value in raw.items():
        name = written.strip().lower().removeprefix("g:").replace(" ", "_").replace("-", "_")
        name = ALIASES.get(name, name)
        if value is None and name not in _NULLABLE:
            continue
        if name in ATTRIBUTE_FIELDS or name.startswith("attributes."):
            attributes[_text(name, name.removeprefix("attributes."), longest=64)] = _attribute(name, value)
        elif name.startswith(("title_", "title:")) and _LOCALE.fullmatch(name[6:]):
            titles[name[6:].replace("_", "-")] = _text("title", value, longest=500)
        else:
            row[name] = value
    changes["item_id"] = _identifier(row.pop("item_id", None))
    google_category = row.pop("google_category", None)
    if google_category is not None and not row.get("category"):
        row["category"] = google_category
    own_currency = _currency(row.pop("currency", None))
    for name, value in row.items():
        convert = _CONVERTERS.get(name)
        if convert is not None:
            changes[name] = convert(name, value)
        elif name in _PRICES:
            minor, found = _price(name, value, own_currency or currency)
            changes[_PRICES[name]] = minor
            if found is not None and changes.setdefault("currency", found) != found:
                raise BadValue(name, value, f"is not in {changes['currency']} as the row's other prices are")
        elif ignored is not None:
            ignored.add(name)
    if own_currency and "currency" not in changes:
        changes["currency"] = own_currency
    if titles:
        changes["titles"] = {**changes.get("titles", {}), **titles}
    if attributes:
        changes["attributes"] = {**changes.get("attributes", {}), **attributes}
    return changes


def _identifier(value: object) -> str:
    text = _text("item_id", "" if value is None else value, longest=128)
    if not text:
        raise BadValue("item_id", value, "is missing; every row needs the item's id")
    return text


def _text(field: str, value: object, *, longest: int) -> str:
    if isinstance(value, dict | list):
        raise BadValue(field, value, "is not a text")
    text = str(value).strip()
    if "\x00" in text:
        raise BadValue(field, text, "holds the character U+0000; remove it")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise BadValue(field, text, "holds half of a character; save the file as UTF-8")
    if len(text) > longest:
        raise BadValue(field, text, f"has {len(text)} characters; the most is {longest}")
    return text


def _text_up_to(longest: int) -> Callable[[str, object], str]:
    return lambda field, value: _text(field, value, longest=longest)


def _url(field: str, value: object) -> str:
    text = _text(field, value, longest=2000)
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise BadValue(field, text, f"is not a URL: {error}") from error
    if text and not (parts.scheme in ("http", "https") and parts.netloc) and not re.match(r"/(?!/)", text):
        raise BadValue(field, text, "is not a web address; start it with https:// or, on the shop itself, with /")
    return text


def _category(field: str, value: object) -> str:
    if isinstance(value, list | tuple):
        value = " > ".join(str(name) for name in value)
    names = [name.strip() for name in re.split(r">|/(?=\s)|(?<=\s)/", _text(field, value, longest=500))]
    return " > ".join(name for name in names if name)


def _price(field: str, value: object, currency: str) -> tuple[int | None, str | None]:
    """Return the amount in minor units and its currency; an empty value means no price."""
    if value is None or value == "":
        return None, None
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise BadValue(field, value, 'is not a price; write it as 12.99 or "12.99 EUR"')
    match = _PRICE.fullmatch(str(value).strip().upper().replace("\u00a0", " "))
    if match is None:
        raise BadValue(field, value, 'is not a price; write it with a decimal point, as in "1299.00 EUR"')
    try:
        amount = Decimal(match["amount"])
    except InvalidOperation as error:  # pragma: no cover  (the pattern lets only numbers through)
        raise BadValue(field, value, "is not a number") from error
    if amount > _MAX_AMOUNT:
        raise BadValue(field, value, f"is more than {_MAX_AMOUNT:,}")
    found = match["before"] or match["after"] or currency
    return to_minor(amount, found), found


def _currency(value: object) -> str:
    text = _text("currency", "" if value is None else value, longest=20).upper()
    if text and not _CURRENCY.fullmatch(text):
        raise BadValue("currency", value, "is not a currency; write three letters, as in EUR")
    return text


def _availability(field: str, value: object) -> str:
    word = _text(field, value, longest=100).rpartition("/")[2].lower().replace(" ", "_").replace("-", "_")
    if word not in _AVAILABILITY:
        raise BadValue(field, value, "is not one of in_stock, out_of_stock, preorder, backorder")
    return _AVAILABILITY[word]


def _stock(field: str, value: object) -> int | None:
    if value is None or value == "":
        return None
    try:
        pieces = Decimal(str(value).strip())
    except InvalidOperation:
        pieces = None
    if pieces is None or isinstance(value, bool) or not pieces.is_finite() or pieces != pieces.to_integral_value():
        raise BadValue(field, value, "is not a whole number of pieces")
    return max(0, int(min(pieces, Decimal(_MAX_STOCK))))  # before int(): 1e999999999 would take all memory


def _moment(field: str, value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise BadValue(field, value, "is not a time; write it as 2026-01-31T09:30:00Z") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _yes_or_no(field: str, value: object) -> bool:
    word = str(value).strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise BadValue(field, value, "is not a yes or a no; write true or false")


def _tags(field: str, value: object) -> list[str]:
    names = value if isinstance(value, list | tuple) else re.split(r"[|,]", str(value))
    tags = list(dict.fromkeys(text for name in names if (text := _text(field, name, longest=64))))
    if len(tags) > MAX_TAGS:
        raise BadValue(field, value, f"holds {len(tags)} tags; the most is {MAX_TAGS}")
    return tags


def _attribute(field: str, value: object) -> str | int | float | bool:
    if isinstance(value, float) and not isfinite(value):
        raise BadValue(field, value, "is not a finite number")
    return value if isinstance(value, bool | int | float) else _text(field, value, longest=500)


def _mapping(field: str, value: object) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except ValueError as error:
            raise BadValue(field, value, f"is not JSON: {error}") from error
    if not isinstance(value, Mapping):
        raise BadValue(field, value, 'is not an object; write {"name": "value"}')
    if len(value) > MAX_ATTRIBUTES:
        raise BadValue(field, value, f"holds {len(value)} entries; the most is {MAX_ATTRIBUTES}")
    return {_text(field, name, longest=64): _attribute(field, each) for name, each in value.items()}


def _titles(field: str, value: object) -> dict[str, Any]:
    titles = _mapping(field, value)
    for locale in titles:
        if not _LOCALE.fullmatch(locale):
            raise BadValue(field, locale, 'is not a locale; write {"de": "…", "fr-CA": "…"}')
    return {locale.replace("_", "-"): _text(field, title, longest=500) for locale, title in titles.items()}


_PRICES: Final = {"price": "price_minor", "sale_price": "sale_price_minor", "cost": "cost_minor"}
_NULLABLE: Final = frozenset({*_PRICES, "stock"})
_CONVERTERS: Final[dict[str, Callable[[str, object], Any]]] = {
    "title": _text_up_to(500),
    "titles": _titles,
    "description": _text_up_to(MAX_DESCRIPTION),
    "brand": _text_up_to(100),
    "category": _category,
    "url": _url,
    "image_url": _url,
    "availability": _availability,
    "stock": _stock,
    "group_id": _text_up_to(128),
    "tags": _tags,
    "attributes": _mapping,
    "is_active": _yes_or_no,
    "first_seen_at": _moment,
}
