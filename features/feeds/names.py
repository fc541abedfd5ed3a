"""What columns are called, whoever writes the feed: general names, languages and currencies in a name. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from features.feed_files.dialects.languages import language_of
from features.feed_files.names import normalised
from tracking.contract.mending.currencies import CURRENCIES

#: Other names of a field; ``product_type`` is the shop's own tree, hence better than Google's.
ALIASES: Final = {
    "id": "item_id", "sku": "item_id", "offer_id": "item_id", "product_id": "item_id", "name": "title",
    "product_name": "title", "product_title": "title", "link": "url", "product_url": "url", "product_link": "url",
    "image_link": "image_url", "image": "image_url", "picture": "image_url", "main_image": "image_url",
    "product_image": "image_url", "manufacturer": "brand", "vendor": "brand", "product_type": "category",
    "categories": "category", "category_path": "category", "product_category": "category",
    "google_product_category": "google_category", "google_category_id": "google_category",
    "item_group_id": "group_id", "parent_id": "group_id", "parent_sku": "group_id", "cost_of_goods_sold": "cost",
    "quantity": "stock", "qty": "stock", "inventory": "stock", "stock_quantity": "stock", "stock_level": "stock",
    "active": "is_active", "enabled": "is_active", "product_visible": "is_active", "is_published": "is_active",
    "labels": "tags", "keywords": "tags",
    "available_since": "first_seen_at", "regular_price": "price", "special_price": "sale_price",
    "discount_price": "sale_price", "promo_price": "sale_price", "currency_code": "currency",
    "price_currency": "currency", "stock_status": "availability", "in_stock": "availability",
    "sale_price_effective_date": "sale_period", "sale_price_dates": "sale_period",
    "sale_price_start_date": "sale_starts_at", "sale_price_end_date": "sale_ends_at",
    "sale_price_from": "sale_starts_at", "sale_price_to": "sale_ends_at", "language": "locale", "lang": "locale",
    "content_language": "locale", "images": "image_url", "image_urls": "image_url", "permalink": "url",
    "brand_name": "brand", "price_tax_included": "price", "price_with_tax": "price", "sku_code": "item_id",
    "current_stock_level": "stock",
}  # fmt: skip

#: Google's fields that describe a variant; they are kept as attributes, under these names.
ATTRIBUTE_FIELDS: Final = frozenset(
    {"color", "colour", "size", "material", "pattern", "gender", "age_group", "condition", "gtin", "mpn", "rating"}
    | {f"custom_label_{number}" for number in range(5)}
)

#: Names that hold the word price and are none: by weight, by month, or of something else.
_NO_PRICE: Final = re.compile(
    r"unit_pric\w*|\w*(per_unit|per_kg|per_l|per_100\w*|_base_measure|_measure)|base_price_\w+|price_per_\w+|auto_pricing\w*"
    r"|shipping\w*|\w*_type|tier_pric\w*|price_(list|type|view|range|valid\w*|rule\w*|specification)|pricing\w*|msrp\w*|map_price\w*|msrp"
    r"|(is|has|hide|show|display|cost)_\w*price\w*|lowest_price\w*|\w*lowest_price\w*|grundpreis\w*|cost_price|price_suffix"
)
_PRICE_WORDS: Final = re.compile(
    r"pri(ce|x|jzen|js)\b|price|preis|prix\b|precio|prezzo|preço|preco|\bprijs|\bcena\b|\bpris\b|цена|ціна|\bhinta\b"
    r"|\bár\b|fiyat|価格|价格|가격|\bamount\b|\bbetrag\b"
)
_TITLE_IN: Final = re.compile(r"(?:title|name|product_name)(?:[_:.]|_?[\[(])([a-z]{2,3}(?:[_-][a-z]{2,8})?)[\])]?")
_PRICE_IN: Final = re.compile(r"(price|sale_price|cost)(?:[_:.]|_?[\[(])([a-z]{3})[\])]?")


#: What columns say of how they are filled in: ``Active (0/1)``, ``Product Visible?``.
_NOTE: Final = re.compile(r"[_ ]*\((?:0/1|y/n|yes/no|true/false|x,\s?y,\s?z[.\u2026]*)\)$|_*\?$")


class Meaning(NamedTuple):
    """What a column says: a field, and the language of a title or the currency of a price, if its name has one."""

    field: str
    language: str = ""
    currency: str = ""


@lru_cache(maxsize=4_096)  # asked for each cell of a feed
def meaning_of(column: str) -> Meaning:
    """Return what a column means by its general name; the field is the name itself where it means nothing."""
    name = normalised(column)
    if name in ALIASES:
        return Meaning(ALIASES[name])
    if (match := _TITLE_IN.fullmatch(name)) and match[1] != "id" and (language := language_of(match[1])):
        return Meaning("title", language=language)
    if (match := _PRICE_IN.fullmatch(name)) and match[2].upper() in CURRENCIES:
        return Meaning(match[1], currency=match[2].upper())
    plain = _NOTE.sub("", name)
    return meaning_of(plain) if plain and plain != name else Meaning(name)


def looks_like_price(column: str) -> bool:
    """Return whether a column's name says that it is the price, in one of several languages."""
    name = normalised(column)
    return bool(_PRICE_WORDS.search(name.replace("_", " "))) and not _NO_PRICE.fullmatch(name)
