"""Pure: what stands for a visitor's network in a record: another number each day, one voice for who has the secret.

A network has a ``voice``, a keyed hash of it for one site that is written nowhere. What records carry is the ``tag``:
the voice, put in another order each UTC day by a keyed permutation. Without the secret, the tags of two days cannot be
joined, and no network is found. With it, the workers that count know that two tags are one network, so that nobody has
a second vote because it became midnight.

References
----------
Luby & Rackoff, "How to construct pseudorandom permutations from pseudorandom functions", SIAM J. Comput. 1988: the
permutation is a Feistel network of two halves of 16 bits, with a keyed hash as the function of each round.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

DAY_MS: Final = 86_400_000
_ROUNDS: Final = 6
_HALF: Final = 0xFFFF


def voice_of_network(network: str, *, site: str, secret: str) -> int:
    """Return what stands for a network on a site on all days: 32 bits, never 0. Not to be stored."""
    digest = hashlib.blake2b(f"voice:{site}:{network}".encode(), key=_key(secret), digest_size=4).digest()
    return int.from_bytes(digest, "big") or 1


def tag_of_voice(voice: int, *, site: str, day: int, secret: str) -> int:
    """Return what records carry of a voice on a day (UTC, since 1970): 32 bits, never 0."""
    keys = _round_keys(site, day, secret)
    tag = _permuted(voice, keys)
    return tag or _permuted(0, keys)  # 0 means none: its place is taken by what would have been made of it


def voice_of_tag(tag: int, *, site: str, day: int, secret: str) -> int:
    """Return the voice behind a tag of a day; of what is no tag of that day, some number that is nobody else's."""
    keys = _round_keys(site, day, secret)
    voice = _restored(tag, keys)
    return voice or _restored(0, keys)


def _permuted(number: int, keys: tuple[bytes, ...]) -> int:
    left, right = number >> 16, number & _HALF
    for key in keys:
        left, right = right, left ^ _mixed(right, key)
    return left << 16 | right


def _restored(number: int, keys: tuple[bytes, ...]) -> int:
    left, right = number >> 16, number & _HALF
    for key in reversed(keys):
        left, right = right ^ _mixed(left, key), left
    return left << 16 | right


def _mixed(half: int, key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(half.to_bytes(2, "big"), key=key, digest_size=2).digest(), "big")


@lru_cache(maxsize=256)
def _round_keys(site: str, day: int, secret: str) -> tuple[bytes, ...]:
    said = f"network:{site}:{day}:".encode()
    return tuple(
        hashlib.blake2b(said + bytes([number]), key=_key(secret), digest_size=32).digest() for number in range(_ROUNDS)
    )


@lru_cache(maxsize=4)
def _key(secret: str) -> bytes:
    return hashlib.blake2b(secret.encode(), person=b"network tags").digest()
