"""Shopify's export of products as CSV: a row a variant or a picture; only a product's first row names what they share.

References
----------
Shopify Help Center, "Using CSV files to import and export products".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from features.feed_files.dialects.base import Dialect, Row, number_of, put, said

_SHARED: Final = ("title", "description", "brand", "category", "tags", "image_url", "is_active", "google_category")
_ON: Final = frozenset({"", "active", "true", "yes", "1"})


def priced(row: Row, *, price: str, before: str) -> Row:
    """Set price and sale price of a variant: what it cost before is the price, where it is the higher one."""
    now, then = number_of(price.replace(",", "")), number_of(before.replace(",", ""))
    is_sale = now is not None and then is not None and then > now
    row["sale_price"] = price if is_sale else ""
    return put(row, price=before if is_sale else price)


class _Converter:
    """Remembers the product that the next rows belong to."""

    def __init__(self) -> None:
        self._handle = ""
        self._shared: Row = {}
        self._options: dict[int, str] = {}

    def __call__(self, row: Row) -> Iterable[Row]:
        handle = said(row, "handle", "url_handle") or self._handle
        if handle != self._handle:
            self._handle, self._shared, self._options = handle, {}, {}
        self._share(row)
        attributes: dict[str, str] = {}
        for number in (1, 2, 3):
            named = said(row, f"option{number}_name")
            self._options[number] = named or self._options.get(number, "")
            value = said(row, f"option{number}_value")
            if value and value != "Default Title" and self._options[number]:
                attributes[self._options[number].lower()] = value
        sku = said(row, "variant_sku", "sku").lstrip("'")
        price = said(row, "variant_price", "price")
        before = said(row, "variant_compare_at_price", "compare_at_price")
        if not price and not sku:
            return ()  # a further picture of the product
        item_id = sku or "-".join([handle, *attributes.values()]).strip("-")
        image = said(row, "variant_image", "variant_image_url")
        shared = {**self._shared, **({"image_url": image} if image else {})}
        put(row, **shared, item_id=item_id, group_id=handle, attributes=attributes, cost=said(row, "cost_per_item"))
        if handle:
            row.setdefault("url", f"/products/{handle}")
        return (self._stocked(priced(row, price=price, before=before)),)

    def _share(self, row: Row) -> None:
        shop_path = said(row, "type", "product_type")
        google = said(row, "product_category", "google_shopping_/_google_product_category")
        is_published = said(row, "published", "published_on_online_store").lower()
        status = said(row, "status").lower()
        first = {
            "title": said(row, "title"),
            "description": said(row, "body_(html)", "body_html", "body", "description"),
            "brand": said(row, "vendor"),
            "category": shop_path,
            "google_category": google,
            "tags": said(row, "tags"),
            "image_url": said(row, "image_src", "product_image_url"),
        }
        for name, value in first.items():
            if value:
                self._shared.setdefault(name, value)
        if is_published or status:
            self._shared.setdefault("is_active", is_published in _ON and status in _ON)

    def _stocked(self, row: Row) -> Row:
        pieces = said(row, "variant_inventory_qty", "inventory_quantity")
        tracker = row.pop("variant_inventory_tracker", row.pop("inventory_tracker", None))
        goes_on = said(row, "variant_inventory_policy", "continue_selling_when_out_of_stock").lower()
        if pieces and tracker != "":
            row["stock"] = pieces
        if goes_on in ("continue", "true", "yes") and (number_of(pieces) or 0) <= 0 and pieces:
            row.pop("stock", None)
            row["availability"] = "backorder"
        return row


DIALECT: Final = Dialect(
    name="shopify_csv",
    words="Shopify products (CSV)",
    marks=(
        frozenset({"handle", "variant_price"}),
        frozenset({"handle", "variant_sku"}),
        frozenset({"url_handle", "price", "option1_name"}),
        frozenset({"handle", "option1_name", "vendor"}),
    ),
    fields={
        "handle": "group_id", "url_handle": "group_id", "title": "title", "body_(html)": "description",
        "description": "description", "vendor": "brand", "type": "category", "product_category": "google_category",
        "tags": "tags", "published": "is_active", "published_on_online_store": "is_active", "status": "is_active",
        "option1_name": "attributes", "option1_value": "attributes", "option2_name": "attributes",
        "option2_value": "attributes", "option3_name": "attributes", "option3_value": "attributes",
        "variant_sku": "item_id", "sku": "item_id", "variant_price": "price", "price": "price",
        "variant_compare_at_price": "sale_price", "compare_at_price": "sale_price", "cost_per_item": "cost",
        "variant_inventory_qty": "stock", "inventory_quantity": "stock", "variant_inventory_policy": "availability",
        "continue_selling_when_out_of_stock": "availability", "variant_inventory_tracker": "stock",
        "inventory_tracker": "stock", "image_src": "image_url", "product_image_url": "image_url",
        "variant_image": "image_url", "variant_image_url": "image_url",
    },
    converter=_Converter,
)  # fmt: skip
