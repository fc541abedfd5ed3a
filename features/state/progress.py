"""How far a partition is, beyond its position: watermarks, and totals by outcome that must balance."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct, field

APPLIED: Final = "applied"
DUPLICATE: Final = "duplicate"
LATE: Final = "late"
BOT: Final = "bot"
DEAD_LETTERED: Final = "dead_lettered"
PARKED: Final = "parked"
CROWDED: Final = "crowded"
FORGOTTEN: Final = "forgotten"
OUTCOMES: Final = (APPLIED, DUPLICATE, LATE, BOT, CROWDED, FORGOTTEN, DEAD_LETTERED, PARKED)
"""Events by outcome; the last two count records, whose events nobody could read."""


class Progress(Struct, array_like=True, kw_only=True):
    """Written with the position, so it is exact whatever happens to a worker.

    ``corrections`` says how often somebody beside the worker has changed counts of the partition.
    """

    watermarks: dict[str, int] = field(default_factory=dict)
    ledger: dict[str, int] = field(default_factory=dict)
    records: int = 0
    corrections: int = 0

    def count(self, outcome: str, amount: int) -> None:
        """Add to a total."""
        if amount:
            self.ledger[outcome] = self.ledger.get(outcome, 0) + amount


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Progress)


def encode(progress: Progress) -> bytes:
    """Return the progress as it stands in Redis."""
    return _ENCODER.encode(progress)


def decode(blob: bytes | None) -> Progress:
    """Return the progress in ``blob``; an empty one when there is none."""
    return _DECODER.decode(blob) if blob else Progress()
