"""Other names of events and fields, as GA4, Universal Analytics and shop systems write them. Pure.

Names are compared *squashed*: lower case, letters and digits alone, so that ``itemId``, ``Item ID`` and ``item-id`` are
one. The name of the contract itself always wins over an alias that stands beside it.

References
----------
Google Analytics 4, "Measure ecommerce" (items need ``item_id`` or ``item_name``); Universal Analytics, "Enhanced
Ecommerce" (actions, ``actionField``, ``products``); Meta Pixel and TikTok Pixel, "Standard events"; Segment, "Spec: V2
Ecommerce Events".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from unicodedata import normalize

from tracking.contract.events import KNOWN_EVENTS


def squash(name: str) -> str:
    """Return ``name`` in lower case, without anything but letters and digits."""
    return re.sub(r"[\W_]+", "", name.lower())


KNOWN_BY_SQUASHED: Final[Mapping[str, str]] = {squash(name): name for name in KNOWN_EVENTS}

SYNONYMS: Final[Mapping[str, str]] = {"view_search_results": "search"}
"""GA4's own events that mean one of ours."""

FOREIGN_EVENTS: Final[Mapping[str, str]] = {
    "viewcontent": "view_item", "completepayment": "purchase", "placeanorder": "purchase",
    "initiatecheckout": "begin_checkout", "productviewed": "view_item", "productclicked": "select_item",
    "productlistviewed": "view_item_list", "productadded": "add_to_cart", "productremoved": "remove_from_cart",
    "cartviewed": "view_cart", "checkoutstarted": "begin_checkout", "ordercompleted": "purchase",
    "orderrefunded": "refund", "productaddedtowishlist": "add_to_wishlist", "productssearched": "search",
    "pageviewed": "page_view",
}  # fmt: skip
"""Events of Meta's and TikTok's pixels and of Segment's e-commerce specification, squashed. In the form that the
contract has for events of the shop's own, as ``view_content``, they are the shop's own."""

_OWN: Final = re.compile(r"[a-z][a-z0-9_]*")
_NAME: Final = re.compile(r"[\w .:/-]{1,100}")
_LONGEST: Final = 40

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
    "qty": "quantity", "productquantity": "quantity", "itemquantity": "quantity", "unitprice": "price",
    "itemprice": "price", "productprice": "price", "articlenumber": "item_id", "productnumber": "item_id",
}  # fmt: skip
"""Of a field of an item. Earlier entries win where several stand for one field."""

PARAMS_FIELDS: Final[Mapping[str, str]] = {
    "orderid": "transaction_id", "ordernumber": "transaction_id", "revenue": "value", "total": "value",
    "transactiontotal": "value", "ordertotal": "value", "ordervalue": "value", "grandtotal": "value",
    "purchaserevenue": "value", "transactiontax": "tax", "transactionshipping": "shipping",
    "currencycode": "currency", "ordercurrency": "currency", "transactioncurrency": "currency",
    "products": "items", "contents": "items", "lineitems": "items", "orderitems": "items", "cartitems": "items",
    "transactionproducts": "items", "product": "items", "item": "items", "contentids": "items", "itemids": "items",
    "productids": "items", "couponcode": "coupon", "promocode": "coupon", "vouchercode": "coupon",
    "searchquery": "search_term", "searchstring": "search_term", "searchkeyword": "search_term", "query": "search_term",
    "term": "search_term", "keyword": "search_term", "q": "search_term",
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
    return None if _OWN.fullmatch(written) else FOREIGN_EVENTS.get(squashed)


def own_name(written: str) -> str:
    """Return the name of an event of the shop's own in the contract's form: ``Wheel Spun`` is ``wheel_spun``.

    Empty where nothing of it is left, as of a name in another script, and of what is no name but a sentence.
    """
    if not _NAME.fullmatch(written):
        return ""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", re.sub(r"[\u0300-\u036f]", "", normalize("NFKD", written)))
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:_LONGEST].lstrip("_0123456789").rstrip("_")
