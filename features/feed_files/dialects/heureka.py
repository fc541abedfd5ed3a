"""Heureka's and Zboží's XML: a list of ``SHOPITEM``, names in capitals.

References
----------
Heureka, "XML feed specification" (elements of ``SHOPITEM``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from features.feed_files.dialects.base import Dialect, Row, number_of, put, said


def _converted(row: Row) -> Iterable[Row]:
    days = number_of(said(row, "delivery_date"))
    if days is not None:  # 0: in stock; else in so many days
        row["availability"] = "in_stock" if days == 0 else "backorder"
    put(row, mpn=said(row, "productno"), gtin=said(row, "ean"))
    parts = [part.strip() for part in said(row, "categorytext").split("|") if part.strip()]
    return (put(row, category=" > ".join(parts), title=said(row, "product", "productname")),)


DIALECT: Final = Dialect(
    name="heureka",
    words="Heureka / Zboží (XML)",
    marks=(frozenset({"productname", "price_vat"}), frozenset({"item_id", "price_vat"})),
    fields={
        "price_vat": "price", "productname": "title", "product": "title", "imgurl": "image_url",
        "imgurl_alternative": "", "categorytext": "category", "itemgroup_id": "group_id",
        "delivery_date": "availability",
        "productno": "attributes", "ean": "attributes", "delivery": "", "item_type": "", "video_url": "",
    },
    converter=lambda: _converted,
)  # fmt: skip
