"""Which log a position was taken in: ``<offset>@<identity>``.

A topic that is deleted and made again is another log under the same name. Its offsets begin at zero again, so that an
old one may point into the middle of what nobody has read. Kafka gives each topic an id; for Redis Streams the writer
that makes a stream draws one. Positions of version 0.1 and those of brokers before 2.8 name no log; they count in
whichever is there.
"""

from __future__ import annotations

from typing import Final

from tracking.exceptions import ForeignPosition

SEPARATOR: Final = "@"


def position_in(offset: str, identity: str) -> str:
    """Return the position of a offset in a log; ``identity`` is empty where the log has none."""
    return f"{offset}{SEPARATOR}{identity}" if offset and identity else offset


def offset_of(position: str) -> str:
    """Return the offset, as the backend spells it."""
    return position.partition(SEPARATOR)[0]


def identity_of(position: str) -> str:
    """Return the identity of the log the position was taken in; empty where it names none."""
    return position.partition(SEPARATOR)[2]


def check_identity(position: str, identity: str, *, topic: str, partition: int) -> None:
    """Raise ``ForeignPosition`` when the position names another log than the one of ``identity``."""
    named = identity_of(position)
    if named and named != identity:
        found = f"the topic was deleted and made again, and is {identity} now" if identity else "the topic is not there"
        raise ForeignPosition(topic, partition, position, found=found)


def check_end(position: str, *, is_beyond: bool, end: str, topic: str, partition: int) -> None:
    """Raise ``ForeignPosition`` when the log ends before the position."""
    if is_beyond:
        raise ForeignPosition(topic, partition, position, found=f"it ends at {end or 'its beginning'}")
