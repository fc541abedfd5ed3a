"""All dialects, in the order in which they are tried; the first whose marks a file bears is taken."""

from __future__ import annotations

from typing import Final

from features.feed_files.dialects import (
    akeneo,
    facebook,
    google,
    heureka,
    magento,
    schema_org,
    shopify_csv,
    shopify_json,
    woocommerce,
    yml,
)
from features.feed_files.dialects.base import Dialect

DIALECTS: Final[tuple[Dialect, ...]] = (
    shopify_csv.DIALECT,
    shopify_json.DIALECT,
    woocommerce.DIALECT,
    magento.DIALECT,
    akeneo.DIALECT,
    yml.DIALECT,
    heureka.DIALECT,
    schema_org.DIALECT,
    facebook.DIALECT,
    google.DIALECT,
)
