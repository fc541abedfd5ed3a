"""Other names of events and fields, as GA4, Universal Analytics and shop systems write them. Pure.

Names are compared *squashed*: lower case, letters and digits alone, so that ``itemId``, ``Item ID`` and ``item-id`` are
one. The name of the contract itself always wins over an alias that stands beside it.

References
----------
Google Analytics 4, "Measure ecommerce" (items need ``item_id`` or ``item_name``); Universal Analytics, "Enhanced
Ecommerce" (actions, ``actionField``, ``products``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tracking.contract.events import KNOWN_EVENTS


def squash(name: str) -> str:
    """Return ``name`` in lower case, without anything but letters and digits."""
    return re.sub(r"[\W_]+", "", name.lower())


KNOWN_BY_SQUASHED: Final[Mapping[str, str]] = {squash(name): name for name in KNOWN_EVENTS}

SYNONYMS: Final[Mapping[str, str]] = {"view_search_results": "search"}
"""GA4's own events that mean one of ours."""

UNIVERSAL_ACTIONS: Final[Mapping[str, str]] = {
    "purchase": "purchase", "refund": "refund", "detail": "view_item", "add": "add_to_cart",
    "remove": "remove_from_cart", "checkout": "begin_checkout", "click": "select_item", "impressions": "view_item_list",
}  # fmt: skip
"""The actions of Universal Analytics, the one with most money first: a push may hold several."""

ITEM_FIELDS: Final[Mapping[str, str]] = {
    "id": "item_id", "productid": "item_id", "contentid": "item_id", "sku": "item_id", "itemsku": "item_id",
    "productsku": "item_id", "name": "item_name", "title": "item_name", "productname": "item_name",
    "brand": "item_brand", "manufacturer": "item_brand", "category": "item_category", "itemcategory1": "item_category",
    "productcategory": "item_category", "variant": "item_variant", "position": "index", "listposition": "index",
    "qty": "quantity", "unitprice": "price", "itemprice": "price",
}  # fmt: skip
"""Of a field of an item. Earlier entries win where several stand for one field."""

PARAMS_FIELDS: Final[Mapping[str, str]] = {
    "orderid": "transaction_id", "ordernumber": "transaction_id", "revenue": "value", "total": "value",
    "currencycode": "currency", "products": "items", "contents": "items", "product": "items", "item": "items",
    "searchquery": "search_term", "query": "search_term", "term": "search_term", "keyword": "search_term",
    "listid": "item_list_id", "listname": "item_list_name", "list": "item_list_name", "uid": "user_id",
}  # fmt: skip
"""Of a field of an event's parameters."""

ONLY_OF_ORDERS: Final[Mapping[str, str]] = {"id": "transaction_id", "affiliation": "affiliation"}
"""Of a field in ``actionField``, or in the parameters of a purchase or a refund."""


def event_name(written: str) -> str | None:
    """Return the known event that ``written`` spells in another way, as in ``Add To Cart`` or ``ee_view_item``."""
    if written in SYNONYMS:
        return SYNONYMS[written]
    squashed = squash(written)
    for prefix in ("", "ga4", "ee", "gtm", "ecommerce"):
        found = KNOWN_BY_SQUASHED.get(squashed.removeprefix(prefix))
        if found is not None:
            return found
    return None
