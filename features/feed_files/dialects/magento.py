"""Magento's and Adobe Commerce's export of products as CSV: rows of store views are translations of the row before.

References
----------
Adobe Commerce documentation, "Product attributes reference" and "Product CSV file structure".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from features.feed_files.dialects.base import MAX_REMEMBERED, Dialect, Row, deepest, number_of, pairs, put, said
from features.feed_files.dialects.languages import language_of

_BASE_VIEWS: Final = frozenset({"", "admin", "all", "base"})
_WITHOUT_PIECES: Final = frozenset({"configurable", "bundle", "grouped", "virtual", "downloadable"})
_CHILD: Final = re.compile(r"(?:^|[|,])\s*sku=([^,|]+)")
_PICTURES: Final = "/media/catalog/product"
_PATHS: Final = re.compile(r",(?!\s)|\|")


class _Converter:
    """Remembers rows, so that a product's variants have their group whichever comes first."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._parent_of: dict[str, str] = {}
        self._last = ""

    def __call__(self, row: Row) -> Iterable[Row]:
        _flatten(row)
        sku = said(row, "sku", "_sku")
        view = said(row, "store_view_code", "_store")
        if view.lower() not in _BASE_VIEWS or (not sku and view):
            return _translation(sku or self._last, row, view)
        self._last = sku
        kind = said(row, "product_type", "_type").lower()
        children = [child.strip() for child in _CHILD.findall(said(row, "configurable_variations"))]
        children += [child.strip() for child in said(row, "associated_skus").split(",") if child.strip()]
        self._fill(row, sku, kind)
        if kind == "configurable":
            row["group_id"] = sku
        elif sku in self._parent_of:
            row["group_id"] = self._parent_of[sku]
        if len(self._seen) < MAX_REMEMBERED:
            self._seen.add(sku)
            self._parent_of.update(dict.fromkeys(children, sku))
        return [row, *({"item_id": child, "group_id": sku} for child in children if child in self._seen)]

    def _fill(self, row: Row, sku: str, kind: str) -> None:
        key, base_image = said(row, "url_key"), said(row, "base_image", "image")
        categories = [_under_root(path) for path in _PATHS.split(said(row, "categories", "_category")) if path]
        extra = {name: value for name, value in pairs(said(row, "additional_attributes")).items() if value}
        put(
            row,
            item_id=sku,
            title=said(row, "name"),
            description=said(row, "description", "short_description"),
            brand=said(row, "brand", "manufacturer") or extra.pop("brand", "") or extra.pop("manufacturer", ""),
            category=deepest(categories, separator="/"),
            url=f"/{key}.html" if key else "",
            image_url=_picture(base_image or said(row, "small_image", "thumbnail_image")),
            price=said(row, "price"),
            cost=said(row, "cost"),
            sale_starts_at=said(row, "special_price_from_date", "special_from_date"),
            sale_ends_at=said(row, "special_price_to_date", "special_to_date").removesuffix(" 00:00:00"),
            attributes=dict(list(extra.items())[:40]),
        )
        row["sale_price"] = said(row, "special_price")
        online, visible = said(row, "product_online", "status").lower(), said(row, "visibility").lower()
        row["is_active"] = online in ("", "1", "enabled") and visible not in ("not visible individually", "1")
        self._stock(row, kind)

    def _stock(self, row: Row, kind: str) -> None:
        in_stock, pieces = said(row, "is_in_stock"), said(row, "qty")
        is_counted = said(row, "manage_stock") != "0" and kind not in _WITHOUT_PIECES
        is_late = said(row, "allow_backorders", "backorders") in ("1", "2")
        if in_stock:
            row["availability"] = in_stock
        if is_counted and number_of(pieces) is not None:
            if is_late and float(pieces) <= 0:
                row["availability"] = "backorder"
            else:
                row["stock"] = pieces


def _flatten(row: Row) -> None:
    """Put what the REST API says under the names of an export; its numbers stand for words."""
    row.pop("id", None)
    listed = row.pop("custom_attributes", None)
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and isinstance(each.get("attribute_code"), str):
            row.setdefault(each["attribute_code"], each.get("value"))
    if "type_id" in row:
        row.setdefault("product_type", row.pop("type_id"))
    extra = row.pop("extension_attributes", None)
    stock = extra.get("stock_item") if isinstance(extra, dict) else None
    if isinstance(stock, dict):
        row.setdefault("qty", stock.get("qty"))
        row.setdefault("is_in_stock", "1" if stock.get("is_in_stock") else "0")


def _translation(sku: str, row: Row, view: str) -> Iterable[Row]:
    """Return what a store view's row adds: a title in its language; it never overwrites."""
    title = said(row, "name")
    language = language_of(view)
    if not title:
        return ()
    if not language:
        return ({"item_id": sku, f"store_view_{view.lower()}": title},)
    return ({"item_id": sku, "titles": {language: title}},)


def _under_root(path: str) -> str:
    """Return a category path without the root that Magento puts above all of them."""
    names = [name.strip() for name in path.split("/") if name.strip()]
    return "/".join(names[1:] if len(names) > 1 or names[:1] == ["Default Category"] else names)


def _picture(path: str) -> str:
    if not path or path == "no_selection":
        return ""
    return path if "://" in path or path.startswith("//") else f"{_PICTURES}/{path.lstrip('/')}"


DIALECT: Final = Dialect(
    name="magento",
    words="Magento / Adobe Commerce products (CSV)",
    marks=(
        frozenset({"sku", "attribute_set_code"}),
        frozenset({"sku", "product_online"}),
        frozenset({"sku", "store_view_code"}),
        frozenset({"sku", "_attribute_set"}),
        frozenset({"sku", "attribute_set_id"}),
    ),
    fields={
        "sku": "item_id", "store_view_code": "titles", "product_type": "group_id", "name": "title",
        "description": "description", "short_description": "description", "categories": "category",
        "manufacturer": "brand", "url_key": "url", "base_image": "image_url", "small_image": "image_url",
        "thumbnail_image": "image_url", "price": "price", "special_price": "sale_price", "cost": "cost",
        "special_price_from_date": "sale_starts_at", "special_price_to_date": "sale_ends_at", "qty": "stock",
        "is_in_stock": "availability", "manage_stock": "stock", "allow_backorders": "availability",
        "product_online": "is_active", "visibility": "is_active", "additional_attributes": "attributes",
        "configurable_variations": "group_id", "associated_skus": "group_id", "attribute_set_code": "",
        "custom_attributes": "attributes", "status": "is_active", "type_id": "group_id", "id": "",
        "attribute_set_id": "", "extension_attributes": "stock", "product_websites": "",
        "tax_class_name": "", "weight": "", "msrp_price": "", "map_price": "",
    },
    converter=_Converter,
)  # fmt: skip
