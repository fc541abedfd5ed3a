"""Yandex's YML: offers with attributes, an old price beside the price, categories by number before them.

References
----------
Yandex, "YML and CSV formats" (elements of ``offer``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from features.feed_files.dialects.base import Dialect, Row, number_of, put, said


def _converted(row: Row) -> Iterable[Row]:
    price, old = said(row, "price"), said(row, "oldprice")
    now, before = number_of(price.replace(",", ".")), number_of(old.replace(",", "."))
    is_sale = now is not None and before is not None and before > now
    name = said(row, "name")
    made = " ".join(part for part in (said(row, "typeprefix"), row.get("vendor"), said(row, "model")) if part)
    currency = said(row, "currencyid").upper()
    put(
        row,
        price=old if is_sale else price,
        title=name or made,
        currency={"RUR": "RUB"}.get(currency, currency),
        availability=said(row, "available"),
        stock=said(row, "count", "stock_quantity"),
    )
    row["sale_price"] = price if is_sale else ""
    return (row,)


DIALECT: Final = Dialect(
    name="yml",
    words="Yandex YML",
    marks=(frozenset({"categoryid"}), frozenset({"currencyid"}), frozenset({"id", "oldprice", "name"})),
    fields={
        "id": "item_id", "name": "title", "vendor": "brand", "picture": "image_url", "url": "url",
        "oldprice": "sale_price", "currencyid": "currency", "available": "availability", "categoryid": "",
        "vendorcode": "", "barcode": "", "typeprefix": "title", "model": "title", "type": "", "delivery": "",
    },
    converter=lambda: _converted,
)  # fmt: skip
