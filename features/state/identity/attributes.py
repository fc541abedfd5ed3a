"""Attributes of a user: what ``identify`` said of it, kept in its state.

Of two words on one attribute a server's (secret key, or an import) counts before a page's, whenever either was said: a
page may add what no server has said, and overwrites nothing that one did say. Among equals the newest counts, and of
the same time the greater one. So the order in which events arrive does not matter, and a replay tells the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tracking.contract.traits import MAX_BYTES, MAX_TRAITS, Trait, n_bytes_of

Attributes = dict[str, list[Any]]
"""Name → [value or None where it was taken back, event time in ms, whether a server said it]."""

SEGMENT_PREFIX: Final = "attributes."
_ENCODE: Final = msgspec.json.Encoder().encode


def note(attributes: Attributes, traits: Mapping[str, Trait | None], *, at_ms: int, is_server: bool) -> None:
    """Note what was said of the user at a time; of more than a state holds, the newest of servers stay longest."""
    for name, value in traits.items():
        _take(attributes, name, [value, at_ms, is_server])
    _trim(attributes)


def join(older: Attributes, newer: Attributes) -> Attributes:
    """Return what two profiles of one user know."""
    joined = {name: list(said) for name, said in older.items()}
    for name, said in newer.items():
        _take(joined, name, list(said))
    _trim(joined)
    return joined


def current(attributes: Attributes) -> dict[str, Trait]:
    """Return the attributes that the user has, by name."""
    return {name: said[0] for name, said in sorted(attributes.items()) if said[0] is not None}


def segments_of(attributes: Mapping[str, Trait]) -> frozenset[str]:
    """Return the segments that attributes make, such as ``attributes.tier=gold``; as rules and placements name them."""
    return frozenset(f"{SEGMENT_PREFIX}{name}={_word(value)}" for name, value in attributes.items())


def _word(value: Trait) -> str:
    return value if isinstance(value, str) else _ENCODE(value).decode()


def _take(attributes: Attributes, name: str, said: list[Any]) -> None:
    known = attributes.get(name)
    if known is None or _rank(said) > _rank(known):
        attributes[name] = said


def _rank(said: list[Any]) -> tuple[bool, int, bytes]:
    value, at_ms, is_server = said
    return bool(is_server), at_ms, _ENCODE(value)


def _trim(attributes: Attributes) -> None:
    n_bytes = sum(n_bytes_of(name, said[0]) for name, said in attributes.items())
    while len(attributes) > MAX_TRAITS or n_bytes > MAX_BYTES:
        last = min(attributes, key=lambda name: (*_rank(attributes[name])[:2], name))
        n_bytes -= n_bytes_of(last, attributes.pop(last)[0])
