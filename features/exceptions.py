"""What can go wrong between the log and a feature; each class says what the caller can do."""

from __future__ import annotations

from collections.abc import Iterable


class FeatureError(Exception):
    """Base of the errors of this application."""


class StoreUnavailable(FeatureError):
    """Redis did not answer in time: commit nothing, back off, keep the order, try again."""


class Fenced(FeatureError):
    """Another worker has written for this partition since: drop the batch, go on where that one stopped.

    Parameters
    ----------
    partition : int
    expected, found : str
        The position this worker started from, and the one that is stored now.
    """

    def __init__(self, partition: int, *, expected: str, found: str) -> None:
        super().__init__(
            f"partition {partition} stands at position {found!r}, not at {expected!r}: another worker owns it"
            if found
            else f"partition {partition} has no position where {expected!r} was expected: "
            "Redis was emptied, or somebody let it begin again"
        )
        self.partition = partition
        self.expected = expected
        self.found = found


class StoreEmptied(FeatureError):
    """Redis has lost a partition whose users the database or the archive knows: rebuild it."""

    def __init__(self, partition: int) -> None:
        super().__init__(
            f"partition {partition} has no position in Redis any more, and there are users of it: Redis was emptied. "
            "`manage.py replay --flush` rebuilds it from the archive and the log; workers go on by themselves"
        )


class PartitionsDiffer(FeatureError):
    """Partition-count mismatch of the log and ``EVENT_LOG_URL``: readers would look for states where they are not.

    Parameters
    ----------
    topic : str
    found, configured : int
        Partitions of the topic, and of ``EVENT_LOG_URL``.
    """

    def __init__(self, topic: str, *, found: int, configured: int) -> None:
        super().__init__(
            f"the topic {topic!r} has {found} partitions, EVENT_LOG_URL says {configured}: set partitions={found} in "
            "EVENT_LOG_URL of every process. A topic that holds events must not be repartitioned: users would move "
            'between its partitions. Name a new one, and follow "More partitions" in docs/features.md'
        )


class UnknownState(FeatureError):
    """The bytes are of a version this program cannot read; rebuild them with ``manage.py replay``."""


class OrdersNeeded(FeatureError):
    """Some orders must be read before the batch can be applied: read them, and apply it again.

    Parameters
    ----------
    orders : iterable of (site, user key, order)
        Orders, by the hash of their transaction ids, and who reports them.
    """

    def __init__(self, orders: Iterable[tuple[str, str, int]]) -> None:
        self.orders = sorted(set(orders))
        super().__init__(f"{len(self.orders)} orders are to be read first")


class MoneyUnavailable(FeatureError):
    """A site's currency and exchange rates were never loaded, as when the database was down at the start: try again."""
