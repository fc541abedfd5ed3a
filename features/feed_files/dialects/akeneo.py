"""Akeneo's export of products as CSV, and what looks like it: a column an attribute, language and channel.

``name-de_DE``, ``description-en_US-ecommerce`` and ``price-EUR`` are an attribute in a language, in one of a channel,
and an amount in a currency.

References
----------
Akeneo PIM documentation, "Product CSV import: header".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from features.feed_files.dialects.base import Dialect, Row, put, said
from features.feed_files.dialects.languages import language_of

_TITLES: Final = re.compile(r"(?:name|label|title|product_name)_([a-z]{2,3}(?:_[a-z]{2})?)(?:_\w+)?")
_TEXTS: Final = re.compile(r"(description|short_description)_([a-z]{2,3}_[a-z]{2})(?:_\w+)?|(description)_\w+")
_PRICES: Final = re.compile(r"(price|base_price|sale_price|special_price|cost)_([a-z]{3})")
_FIELDS: Final = {"base_price": "price", "special_price": "sale_price"}


def _converted(row: Row) -> Iterable[Row]:
    titles: dict[str, str] = {}
    for name in [name for name in row if (match := _TITLES.fullmatch(name)) and language_of(match[1])]:
        match = _TITLES.fullmatch(name)
        title = said(row, name)
        if match and title:
            titles.setdefault(language_of(match[1]), title)
    for name in [name for name in row if _TEXTS.fullmatch(name)]:
        text = said(row, name)
        if text:
            row.setdefault("description", text)
    for name in list(row):
        priced = _PRICES.fullmatch(name)
        if priced:
            amount = said(row, name)
            field = _FIELDS.get(priced[1], priced[1])
            if amount and field not in row and row.get("currency", priced[2].upper()) == priced[2].upper():
                row |= {field: amount, "currency": priced[2].upper()}
    categories = [code.strip() for code in said(row, "categories").split(",") if code.strip()]
    put(
        row,
        item_id=said(row, "sku", "identifier"),
        title=said(row, "name", "label", "title") or next(iter(titles.values()), ""),
        titles=titles if len(titles) > 1 else {},
        category=categories[0].replace("_", " ") if categories else "",
        group_id=said(row, "parent"),
        tags=[code for code in said(row, "groups").split(",") if code],
    )
    return (row,)


DIALECT: Final = Dialect(
    name="akeneo",
    words="Akeneo products (CSV)",
    marks=(
        frozenset({"sku", "family"}),
        frozenset({"identifier", "family"}),
        frozenset({"sku", "categories", "enabled"}),
        frozenset({"identifier", "categories", "enabled"}),
    ),
    fields={
        "sku": "item_id", "identifier": "item_id", "enabled": "is_active", "parent": "group_id",
        "categories": "category", "groups": "tags", "description_*": "description", "name_*": "title",
        "label_*": "title", "price_*": "price", "picture": "image_url", "image": "image_url", "family": "",
        "uuid": "",
    },
    converter=lambda: _converted,
)  # fmt: skip
