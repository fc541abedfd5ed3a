"""What a shop says of a user by ``identify``: which traits are kept, and in which form. Pure.

A trait is a name and a text, a number or yes or no. There are few, and they are short: they stand in the user's state,
for rules, segments and filters, and are read with every list.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

Trait = str | int | float | bool

MAX_TRAITS: Final = 20
MAX_NAME_CHARS: Final = 40
MAX_TEXT_CHARS: Final = 100
MAX_BYTES: Final = 1_024
"""Of all traits of a user, with their names, as JSON."""
_MAX_INTEGER: Final = 2**53
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_OTHER: Final = re.compile(r"[^a-z0-9]+")
_ENCODE: Final = msgspec.json.Encoder().encode


class ReadTraits(NamedTuple):
    """Traits as they are kept, ``None`` for one that is taken back, and how many values were changed or left out."""

    traits: dict[str, Trait | None]
    n_mended: int


def read_traits(said: Mapping[str, Any]) -> ReadTraits:
    """Return what is kept of ``said``: names in lower case with underscores, texts cut, the first that fit."""
    kept: dict[str, Trait | None] = {}
    mended = n_bytes = 0
    for name, value in said.items():
        plain = _OTHER.sub("_", name.lower()).strip("_")[:MAX_NAME_CHARS]
        form = _value(value)
        size = n_bytes_of(plain, form)
        is_kept = _NAME.fullmatch(plain) and (form is not None or value is None) and plain not in kept
        if not is_kept or len(kept) >= MAX_TRAITS or n_bytes + size > MAX_BYTES:
            mended += 1
            continue
        kept[plain] = form
        n_bytes += size
        mended += plain != name or form != value
    return ReadTraits(kept, mended)


def n_bytes_of(name: str, value: Trait | None) -> int:
    """Return what a trait takes of ``MAX_BYTES``."""
    return len(name) + len(_ENCODE(value)) + 4


def _value(value: Any) -> Trait | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return " ".join(value.split())[:MAX_TEXT_CHARS] or None
    if isinstance(value, int):
        return value if abs(value) <= _MAX_INTEGER else None
    return value if isinstance(value, float) and math.isfinite(value) else None
