"""Whose network a record's tag is of, as this installation's secret key tells: ``tracking.contract.network_tag``."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from django.conf import settings

from tracking.contract.network_tag import DAY_MS, voice_of_tag


def voice_of(site: str, tag: int, received_at_ms: int) -> int:
    """Return 64 bits that stand for the network behind a tag on all days, and tell nobody which one it is."""
    return _voice(site, tag, received_at_ms // DAY_MS, settings.SECRET_KEY)


@lru_cache(maxsize=8_192)
def _voice(site: str, tag: int, day: int, secret: str) -> int:
    voice = voice_of_tag(tag, site=site, day=day, secret=secret)
    said = f"behind items:{site}:{voice}:{secret}".encode()
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "little")
