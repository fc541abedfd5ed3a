"""Google Merchant Center: its names are the general ones, in text feeds, RSS and Atom.

References
----------
Google Merchant Center Help, "Product data specification".
"""

from __future__ import annotations

from typing import Final

from features.feed_files.dialects.base import Dialect

DIALECT: Final = Dialect(
    name="google",
    words="Google Merchant",
    marks=(
        frozenset({"id", "title", "link", "price"}),
        frozenset({"id", "title", "image_link"}),
        frozenset({"id", "google_product_category"}),
    ),
    fields={
        "content_language": "locale",
        "sell_on_google_quantity": "stock",
        "unit_pricing_measure": "",
        "unit_pricing_base_measure": "",
        "guid": "",
        "pubdate": "",
        "updated": "",
        "summary": "description",
    },
)
