"""Names of columns, whoever writes them: ``g:Image Link``, ``image_link`` and ``Image-Link`` are one name. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_PREFIX: Final = re.compile(r"^(?:g|c)[:_](?=\w)")
_SEPARATORS: Final = re.compile(r"[\s\-\u00a0]+")


@lru_cache(maxsize=4_096)  # asked for each cell of a feed
def normalised(name: str) -> str:
    """Return a column's name in lower case, with underscores, without Google's prefix and marks of required fields."""
    text = name.replace("\ufeff", "").strip().strip('*"').strip().lower()
    return _PREFIX.sub("", _SEPARATORS.sub("_", text)).strip("_") if len(text) > 1 else text
