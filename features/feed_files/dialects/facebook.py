"""Facebook and Instagram (Meta): a catalogue's data feed, and its language feeds.

References
----------
Meta for Developers, "Product catalogue fields" and "Localised catalogue feeds".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from features.feed_files.dialects.base import Dialect, Row, put, said

_OFF: Final = frozenset({"archived", "hidden", "staging", "unpublished"})


def _converted(row: Row) -> Iterable[Row]:
    if said(row, "visibility", "status").lower() in _OFF:
        row["is_active"] = False
    for name in [name for name in row if name.startswith(("image[0].url", "product_tags["))]:
        if name.startswith("image"):
            row.setdefault("image_link", row[name])
        else:
            row.setdefault("tags", []).append(row[name])
        del row[name]
    override = said(row, "override")
    return (put(row, translation=override.replace("_xx", "").replace("_XX", "")),)


DIALECT: Final = Dialect(
    name="facebook",
    words="Facebook (Meta) catalogue",
    marks=(
        frozenset({"id", "fb_product_category"}),
        frozenset({"id", "quantity_to_sell_on_facebook"}),
        frozenset({"id", "override"}),
        frozenset({"id", "image[0].url"}),
    ),
    fields={
        "fb_product_category": "google_category",
        "quantity_to_sell_on_facebook": "stock",
        "rich_text_description": "",
        "visibility": "is_active",
        "status": "is_active",
        "override": "translation",
        "image[0].url": "image_url",
    },
    converter=lambda: _converted,
)
