"""WooCommerce's export of products as CSV: one kind of id (the product's number), variations with their parent.

References
----------
WooCommerce documentation, "Product CSV Importer & Exporter" and its schema of columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from features.feed_files.dialects.base import MAX_REMEMBERED, Dialect, Row, deepest, number_of, put, said

_INHERITED: Final = ("category", "brand", "tags", "image_url", "description")
_SHOWN: Final = frozenset({"", "visible", "catalog"})
_COMMA: Final = re.compile(r"(?<!\\),")


class _Converter:
    """Remembers each product's number by its SKU, and what its variations have from it."""

    def __init__(self) -> None:
        self._number_of: dict[str, str] = {}
        self._shared: dict[str, Row] = {}
        self._hidden: set[str] = set()

    def __call__(self, row: Row) -> Iterable[Row]:
        kind, sku, number = said(row, "type").lower(), said(row, "sku"), said(row, "id")
        item_id = number or sku
        parent = self._parent(said(row, "parent"))
        is_shown = said(row, "published") in ("1", "") and said(row, "status").lower() in ("", "publish")
        is_shown = is_shown and said(row, "visibility_in_catalog", "catalog_visibility").lower() in _SHOWN
        _flatten(row)
        put(
            row,
            item_id=item_id,
            title=said(row, "name"),
            description=said(row, "description", "short_description"),
            category=deepest(_COMMA.split(said(row, "categories"))),
            brand=said(row, "brands", "brand"),
            tags=said(row, "tags"),
            image_url=said(row, "images"),
            url=said(row, "permalink"),
            group_id=parent or (item_id if kind.startswith("variable") else ""),
        )
        row["is_active"] = is_shown and parent not in self._hidden
        self._price(row)
        self._stock(row)
        attributes = self._attributes(row)
        put(row, attributes={**attributes, **({"sku": sku} if sku and sku != item_id else {})})
        if parent:
            for name, value in self._shared.get(parent, {}).items():
                row.setdefault(name, value)
        elif len(self._shared) < MAX_REMEMBERED:
            self._remember(row, kind=kind, sku=sku, item_id=item_id)
        return (row,)

    def _parent(self, written: str) -> str:
        """Return the parent's number, from ``id:44`` or from its SKU."""
        if written.lower().startswith("id:"):
            return written[3:].strip()
        return self._number_of.get(written, written)

    def _remember(self, row: Row, *, kind: str, sku: str, item_id: str) -> None:
        if sku:
            self._number_of[sku] = item_id
        if kind.startswith("variable"):
            self._shared[item_id] = {name: row[name] for name in _INHERITED if name in row}
            if not row["is_active"]:
                self._hidden.add(item_id)

    def _price(self, row: Row) -> None:
        regular, sale = said(row, "regular_price"), said(row, "sale_price")
        put(
            row,
            price=regular or sale or said(row, "price"),
            sale_starts_at=said(row, "date_sale_price_starts", "date_on_sale_from"),
            sale_ends_at=said(row, "date_sale_price_ends", "date_on_sale_to"),
        )
        row["sale_price"] = sale if regular else ""

    def _stock(self, row: Row) -> None:
        in_stock, pieces = said(row, "in_stock?", "stock_status").lower(), said(row, "stock", "stock_quantity")
        is_late = said(row, "backorders_allowed?", "backorders").lower() in ("1", "yes", "notify")
        if in_stock in ("backorder", "onbackorder") or (is_late and (number_of(pieces) or 0) <= 0 and in_stock != "0"):
            row["availability"] = "backorder"
            return
        if in_stock:
            row["availability"] = in_stock
        if number_of(pieces) is not None:
            row["stock"] = pieces

    def _attributes(self, row: Row) -> dict[str, str]:
        found: dict[str, str] = {}
        for column in [name for name in row if re.fullmatch(r"attribute_\d+_name", name)]:
            index = column.split("_")[1]
            name, value = said(row, column), said(row, f"attribute_{index}_value(s)")
            said(row, f"attribute_{index}_visible", f"attribute_{index}_global", f"attribute_{index}_default")
            if name and value:
                found[name.lower()] = value
        return found


def _flatten(row: Row) -> None:
    """Put the lists of the REST API, of objects with names and addresses, as the table of an export has them."""
    for name, part, separator in (("categories", "name", ", "), ("tags", "name", ", "), ("images", "src", ", ")):
        listed = row.get(name)
        if isinstance(listed, list):
            parts = [str(each[part]) for each in listed if isinstance(each, dict) and each.get(part)]
            row[name] = separator.join(each.replace(",", "\\,") if name == "categories" else each for each in parts)
    if isinstance(row.get("attributes"), list):
        for index, each in enumerate(row.pop("attributes"), 1):
            if isinstance(each, dict) and each.get("name"):
                options = each.get("options", each.get("option", ""))
                row[f"attribute_{index}_name"] = each["name"]
                row[f"attribute_{index}_value(s)"] = (
                    ", ".join(map(str, options)) if isinstance(options, list) else options
                )


DIALECT: Final = Dialect(
    name="woocommerce",
    words="WooCommerce products (CSV)",
    marks=(frozenset({"sku", "regular_price"}), frozenset({"id", "type", "visibility_in_catalog"})),
    fields={
        "id": "item_id", "sku": "attributes", "type": "group_id", "name": "title", "published": "is_active",
        "visibility_in_catalog": "is_active", "short_description": "description", "description": "description",
        "in_stock?": "availability", "backorders_allowed?": "availability", "stock": "stock",
        "stock_status": "availability", "stock_quantity": "stock", "catalog_visibility": "is_active",
        "status": "is_active", "permalink": "url", "date_on_sale_from": "sale_starts_at",
        "date_on_sale_to": "sale_ends_at", "backorders": "availability",
        "regular_price": "price", "sale_price": "sale_price", "date_sale_price_starts": "sale_starts_at",
        "date_sale_price_ends": "sale_ends_at", "categories": "category", "tags": "tags", "images": "image_url",
        "brands": "brand", "parent": "group_id", "attribute_*_name": "attributes",
        "attribute_*_value(s)": "attributes", "position": "", "tax_status": "", "tax_class": "",
    },
    converter=_Converter,
)  # fmt: skip
