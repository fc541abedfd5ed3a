"""Shopify's ``/products.json``: a product with its variants; one item a variant.

References
----------
Shopify API reference, "Product" and "ProductVariant".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from features.feed_files.dialects.base import Dialect, Row, put, said
from features.feed_files.dialects.shopify_csv import priced

_DRAFT: Final = frozenset({"draft", "archived"})


def _converted(product: Row) -> Iterable[Row]:
    variants = product.get("variants")
    if not isinstance(variants, list):
        return ()
    return list(_items(product, [one for one in variants if isinstance(one, dict)]))


def _items(product: Row, variants: list[dict[str, Any]]) -> Iterator[Row]:
    handle = said(product, "handle")
    options = [_name(one) for one in product.get("options") or ()]
    status = said(product, "status").lower()
    images = product.get("images") or ([product["image"]] if product.get("image") else [])
    shared: Row = {
        "title": product.get("title"),
        "description": product.get("body_html"),
        "brand": product.get("vendor"),
        "category": product.get("product_type"),
        "tags": product.get("tags"),
        "group_id": handle or product.get("id"),
        "url": f"/products/{handle}" if handle else "",
    }
    is_hidden = status in _DRAFT or ("published_at" in product and product["published_at"] is None)
    for variant in variants:
        row: Row = {}
        put(row, **shared, item_id=variant.get("sku") or variant.get("id"), image_url=_image(variant, images))
        if status or "published_at" in product:
            row["is_active"] = not is_hidden
        attributes = {
            (options[index] if index < len(options) else f"option{index + 1}").lower(): value
            for index in range(3)
            if (value := variant.get(f"option{index + 1}")) and value != "Default Title"
        }
        put(row, attributes=attributes)
        priced(row, price=_text(variant.get("price")), before=_text(variant.get("compare_at_price")))
        yield _stocked(row, variant)


def _stocked(row: Row, variant: dict[str, Any]) -> Row:
    pieces = variant.get("inventory_quantity")
    is_counted = variant.get("inventory_management", "shopify") is not None
    goes_on = variant.get("inventory_policy") == "continue"
    if isinstance(variant.get("available"), bool):
        row["availability"] = "in_stock" if variant["available"] else "out_of_stock"
    if isinstance(pieces, int) and is_counted:
        if pieces > 0 or not goes_on:
            row["stock"] = pieces
        else:
            row["availability"] = "backorder"
    return row


def _name(option: Any) -> str:
    return str(option.get("name", "")) if isinstance(option, dict) else str(option)


def _text(value: Any) -> str:
    return "" if value is None else re.sub(r"\s", "", str(value))


def _image(variant: dict[str, Any], images: Any) -> str:
    known = [one for one in images if isinstance(one, dict)] if isinstance(images, list) else []
    own = variant.get("featured_image")
    if isinstance(own, dict) and own.get("src"):
        return str(own["src"])
    by_id = next((one for one in known if one.get("id") == variant.get("image_id") and one.get("id")), None)
    chosen = by_id or (known[0] if known else {})
    return str(chosen.get("src") or "")


DIALECT: Final = Dialect(
    name="shopify_json",
    words="Shopify products.json",
    marks=(frozenset({"variants", "handle"}), frozenset({"variants", "title"})),
    fields={
        "variants": "item_id", "handle": "group_id", "body_html": "description", "vendor": "brand",
        "product_type": "category", "images": "image_url", "image": "image_url", "options": "attributes",
        "status": "is_active", "published_at": "is_active",
    },
    converter=lambda: _converted,
)  # fmt: skip
