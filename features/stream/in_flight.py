"""One micro-batch of a partition in flight: parsed → requested → applied and sent → acknowledged.

The steps are apart so that a worker does the arithmetic of one partition while Redis reads or writes for another. A
partition has one batch at a time: what a batch reads must be what the one before it wrote.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from features.state import batch as micro
from features.state import progress
from features.state.apply import Past
from features.state.batch import User
from features.store.counts import CountCache
from features.store.online import Batch, Changes, OnlineStore
from features.stream.dead_letters import DeadLetterSink
from tracking.log import Position, Record


class InFlightBatch:
    """Records of one partition, from what was polled to what is written.

    Attributes
    ----------
    next_position : Position
        Where the partition stands once the batch is acknowledged.
    outcomes : mapping of str to int
        Events by outcome; there after ``send``.
    changed : list of (site, user key)
        Whose features changed; there after ``send``.
    partially_loaded : list of (site, user key)
        Users whom Redis did not know and the database may; there after ``send``.
    """

    def __init__(
        self, partition: int, records: Sequence[Record], past: Mapping[User, Past], *, cache: CountCache
    ) -> None:
        self.partition = partition
        self.parsed = micro.parse_batch(partition, records)
        for user, answer in past.items():
            self.parsed.add_past(user, answer)
        self.next_position: Position = records[-1].position if records else ""
        self.outcomes: Mapping[str, int] = {}
        self.changed: list[User] = []
        self.partially_loaded: list[User] = []
        self._cache = cache
        self._batch: Batch | None = None
        self._requested_at = 0.0

    @property
    def seconds(self) -> float:
        """How long ago the states were requested."""
        return time.perf_counter() - self._requested_at

    def request(self, store: OnlineStore, *, expected: Position) -> None:
        """Request the states of everybody in the batch; ``expected`` is where the partition should stand.

        Raises
        ------
        StoreUnavailable
            Redis is unavailable.
        """
        self.next_position = self.next_position or expected  # no records: only somebody's past is merged
        self._requested_at = time.perf_counter()
        self._batch = store.batch(self.partition)
        self._batch.request(expected=expected, users=list(self.parsed.by_user))

    def send(self, letters: DeadLetterSink, *, lateness_ms: int, may_have_past: Callable[[str], bool]) -> None:
        """Apply the batch to what was read, and send what it changes.

        Raises
        ------
        Fenced
            The partition does not stand where it was expected.
        StoreUnavailable
            Redis is unavailable, or the log takes no dead letters.
        UnknownState
            A newer program wrote a state.
        """
        if self._batch is None:
            raise RuntimeError(f"partition {self.partition} was not requested; call request first")
        stored = self._batch.read()
        applied = micro.apply_batch(self.parsed, stored, lateness_ms=lateness_ms, may_have_past=may_have_past)
        refused = (*self.parsed.refused, *applied.poison)
        if refused:
            letters.put(refused)
        self.outcomes, self.partially_loaded = applied.outcomes, applied.partially_loaded
        self.changed = list(applied.profiles)
        self._batch.send(
            Changes(
                next_position=self.next_position,
                progress=progress.encode(applied.progress),
                sessions=applied.sessions,
                profiles=applied.profiles,
                counts=self._cache.add(self._batch, applied.increments),
            )
        )

    def wait_acknowledged(self) -> None:
        """Wait until everything is written.

        Raises
        ------
        Fenced
            Somebody else wrote for the partition meanwhile; nothing was written.
        StoreUnavailable
            Redis is unavailable; whether the batch was written is not known, so read the position again.
        """
        if self._batch is None:
            raise RuntimeError(f"partition {self.partition} has nothing in flight; call request and send first")
        self._batch.wait_acknowledged()
        self._batch.close()

    def discard(self) -> None:
        """Discard it, whatever became of it."""
        self._cache.clear()  # what it holds may never have been written
        if self._batch is not None:
            self._batch.close()
