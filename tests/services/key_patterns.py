"""Whether a key of a real Redis is of a kind that the tables of keys list."""

from __future__ import annotations

import re
from typing import Final

from tracking.keys import RedisKey

_PLACEHOLDERS: Final = {
    "partition": r"\d+",
    "site": r"[^:{}]+",
    "user key": r"[ua]:.+",
    "order": r"[0-9a-f]{16}",
    "number": r"\d+",
    "log": r"[a-z]+:[^:]+",
    "topic": r"[^:]+",
    "group": r"[^:]+",
    "log class": r"\w+",
    "width": r"\d+",
    "pane": r"\d+",
    "day": r"\d+",
    "hour": r"\d+",
    "version": r"[^:]+",
    "key id": r"\d+",
    "hash": r"[0-9a-f]{32}",
    "experiment": r"[a-z0-9_-]+",
    "source": r"[a-z0-9_]+",
    "rest": r".+",
}


def matches(kind: RedisKey, key: str) -> bool:
    """Return whether ``key`` is of this kind."""
    parts = re.split(r"<([a-z ]+)>", kind.pattern)
    spelled = "".join(_PLACEHOLDERS[part] if n % 2 else re.escape(part) for n, part in enumerate(parts))
    return re.fullmatch(spelled, key) is not None
