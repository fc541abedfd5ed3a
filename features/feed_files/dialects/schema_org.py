"""schema.org's Product as JSON-LD, alone, in a graph or in a list, with its offers and variants.

References
----------
schema.org, "Product", "ProductGroup", "Offer", "UnitPriceSpecification".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from features.feed_files.dialects.base import Dialect, Row, put

_LISTS: Final = ("@graph", "itemlistelement", "itemListElement", "mainentity", "mainEntity", "item")
_STRUCK: Final = ("listprice", "strikethroughprice", "msrp", "srp")
_SHARED: Final = ("name", "brand", "category", "image", "description", "url")


def _converted(row: Row) -> Iterable[Row]:
    return list(_items(row))


def _items(node: dict[str, Any]) -> Iterator[Row]:
    """Yield the items of a node: itself, its variants, or what its graph or list holds."""
    for name in _LISTS:
        inner = node.get(name)
        if inner and not _is_product(node):
            for each in inner if isinstance(inner, list) else [inner]:
                if isinstance(each, dict):
                    yield from _items(each)
            return
    variants = node.get("hasVariant") or node.get("hasvariant")
    if isinstance(variants, list):
        group = _first(node, "productGroupID", "productgroupid", "sku", "@id", "@Id")
        for variant in variants:
            if isinstance(variant, dict):
                shared: Row = {name: node[name] for name in _SHARED if name in node}
                yield from _items({**shared, **variant, "inProductGroupWithID": group})
        return
    if "@type" not in node or _is_product(node) or node.get("offers"):  # a graph also holds pages and organisations
        yield _item(node)


def _item(node: dict[str, Any]) -> Row:
    offer = _offer(node.get("offers"))
    group = node.get("isVariantOf") or node.get("isvariantof")
    price, sale = _prices(offer)
    row = put(
        {},
        item_id=_first(node, "sku", "productID", "productid", "identifier", "@id", "mpn") or _first(offer, "sku"),
        title=node.get("name"),
        description=node.get("description"),
        brand=_name(node.get("brand")) or _name(node.get("manufacturer")),
        category=_category(node.get("category")),
        url=node.get("url") or offer.get("url"),
        image_url=_picture(node.get("image")),
        price=price,
        currency=_currency(offer),
        availability=offer.get("availability"),
        group_id=_first(node, "inProductGroupWithID", "inproductgroupwithid")
        or (_first(group, "productGroupID", "sku", "@id") if isinstance(group, dict) else ""),
    )
    row["sale_price"] = sale
    for name in ("color", "size", "material", "pattern", "gtin", "gtin13", "mpn"):
        value = _name(node.get(name))
        if value:
            row[name.removesuffix("13")] = value
    return row


def _is_product(node: dict[str, Any]) -> bool:
    kind = node.get("@type", "")
    return "Product" in (kind if isinstance(kind, str) else " ".join(map(str, kind)))


def _offer(offers: Any) -> dict[str, Any]:
    """Return the offer that counts: the first one that is in stock, else the first."""
    if isinstance(offers, dict) and isinstance(offers.get("offers"), list):
        offers = offers["offers"]
    if isinstance(offers, dict):
        return offers
    known = [one for one in offers if isinstance(one, dict)] if isinstance(offers, list) else []
    in_stock = (one for one in known if str(one.get("availability", "")).endswith("InStock"))
    return next(in_stock, known[0] if known else {})


def _prices(offer: dict[str, Any]) -> tuple[Any, Any]:
    """Return price and sale price of an offer; a price by weight or measure is neither."""
    written = offer.get("priceSpecification", offer.get("pricespecification"))
    listed = written if isinstance(written, list) else [written]
    whole = [one for one in listed if isinstance(one, dict) and "price" in one and "referenceQuantity" not in one]
    struck = next((one["price"] for one in whole if str(one.get("priceType", "")).lower().endswith(_STRUCK)), None)
    paid = next((one["price"] for one in whole if not str(one.get("priceType", "")).lower().endswith(_STRUCK)), None)
    price = offer.get("price", paid if paid is not None else offer.get("lowPrice"))
    if struck is not None and price is not None and str(struck) != str(price):
        return struck, price
    return price, ""


def _currency(offer: dict[str, Any]) -> Any:
    if offer.get("priceCurrency"):
        return offer["priceCurrency"]
    written = offer.get("priceSpecification")
    listed = written if isinstance(written, list) else [written]
    return next((one.get("priceCurrency") for one in listed if isinstance(one, dict) and one.get("priceCurrency")), "")


def _first(node: dict[str, Any], *names: str) -> Any:
    return next((node[name] for name in names if node.get(name) not in (None, "", [], {})), "")


def _name(value: Any) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        value = value.get("name", "")
    return "" if value is None else str(value)


def _category(value: Any) -> Any:
    return _name(value) if isinstance(value, dict) else value


def _picture(value: Any) -> Any:
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        return value.get("url") or value.get("contentUrl") or value.get("@id") or ""
    return value


DIALECT: Final = Dialect(
    name="schema_org",
    words="schema.org Product (JSON-LD)",
    marks=(
        frozenset({"@type"}),
        frozenset({"@context"}),
        frozenset({"@graph"}),
        frozenset({"name", "offers"}),
    ),
    fields={
        "sku": "item_id", "productid": "item_id", "name": "title", "offers": "price", "image": "image_url",
        "hasvariant": "item_id", "isvariantof": "group_id", "inproductgroupwithid": "group_id", "@type": "",
        "@context": "", "@id": "", "aggregaterating": "", "review": "",
    },
    converter=lambda: _converted,
)  # fmt: skip
