"""Pure: from how many networks an item was looked at, and how many visitors that lets it have.

A visitor's id is made up for nothing; an address in another network is not. Each pane of an item's counts ends with a
sample of the networks of its visitors: the ``MOST`` smallest of their tags, which are hashes. As long as there are
fewer, the sample is all of them, and the number of networks is exact; beyond that it is estimated, with a standard
error of 9 %. Samples of several panes, partitions and batches join in any order to that of the whole.

A tag holds for one UTC day, as a vote does, and so it stands behind the window of a week. Windows of up to a day reach
over one midnight: behind them stand the tags of a network's *voice*, which is the same before and after it, so that no
network counts twice because it became midnight. It is hashed with the item, so that nothing joins what a network did
with several.

Who needs no network has a tag of their own: users for whom the shop's server vouches, events that the shop's server or
an import sends, and records that carry no network.

References
----------
Bar-Yossef, Jayram, Kumar, Sivakumar & Trevisan, "Counting distinct elements in a data stream", RANDOM 2002 (the k
smallest hashes, with the estimate ``(k - 1) / k-th smallest``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from tracking.contract.events import EventRecord

MOST: Final = 128
"""Tags in a sample; five bytes each in Redis."""
NOT_KNOWN: Final = 0
"""Stands in a sample where visitors were counted without their networks: it is smaller than any tag, and so stays."""
VISITORS_A_NETWORK: Final = 1.5
"""Visitors that an item may have for each network it was looked at from. Of the networks of a shop most have one
visitor a day and item; those of mobile carriers and offices have many, and an item that others look at, too, has room
for them."""
VISITORS_ABOVE: Final = 2
_RANGE: Final = 1 << 32
_VOICE_BYTES: Final = 8

Voices = Callable[[str, int, int], int]
"""From a site, the tag of a network in a record and the epoch ms when that was received → the voice, of 64 bits."""


def voice_of_the_day(site: str, tag: int, received_at_ms: int) -> int:
    """Return the tag as it is: where the secret is not known, another day is another voice."""
    return tag


@lru_cache(maxsize=4_096)
def own_tag(user_key: str) -> int:
    """Return the tag of who needs no network, from the user key alone."""
    return int.from_bytes(hashlib.blake2b(user_key.encode(), digest_size=4).digest(), "little") or 1


def tag_of(record: EventRecord) -> int:
    """Return the tag under which a record's visitor counts: that of the network, or of the user alone."""
    if record.network is None or record.user_id is not None or record.source != "browser":
        return own_tag(record.user_key)
    return record.network


def voice_of(record: EventRecord, tag: int, voices: Voices) -> int:
    """Return the voice of a record's visitor, whose ``tag_of`` is ``tag``; that of a user is the same on all days."""
    return voices(record.site, tag, record.received_at_ms) if tag == record.network else tag


def voice_at(item_id: str, voice: int) -> int:
    """Return the tag of a voice behind one item: 32 bits, never 0."""
    key = voice.to_bytes(_VOICE_BYTES, "little")
    return int.from_bytes(hashlib.blake2b(item_id.encode(), key=key, digest_size=4).digest(), "little") or 1


def sample_of(tags: Iterable[int]) -> list[int]:
    """Return the sample of what is seen for the first time: sorted, each tag once."""
    return sorted(set(tags))[:MOST]


def join(left: Sequence[int], right: Sequence[int]) -> Sequence[int]:
    """Return the sample of both together."""
    if not left or not right:
        return left or right
    return sample_of((*left, *right))


def n_networks(sample: Sequence[int]) -> float:
    """Return how many networks there are, exactly below ``MOST``."""
    if len(sample) < MOST:
        return float(len(sample))
    return max((MOST - 1) * _RANGE / sample[-1], float(MOST))


def most_visitors(sample: Sequence[int]) -> float:
    """Return how many visitors count at most, infinite where networks are not known of all."""
    if not sample or sample[0] == NOT_KNOWN:
        return float("inf")
    return VISITORS_A_NETWORK * n_networks(sample) + VISITORS_ABOVE
