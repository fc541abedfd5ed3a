"""One micro-batch of a partition in flight: parsed → requested → applied and sent → acknowledged.

The steps are apart so that a worker does the arithmetic of one partition while Redis reads or writes for another. A
partition has one batch at a time: what a batch reads must be what the one before it wrote.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from features.exceptions import FeatureError
from features.money import MoneyOfSite, in_euros
from features.state import batch as micro
from features.state import progress
from features.state.apply import Past
from features.state.batch import Applied, ParsedBatch, User
from features.state.counting.networks import Voices, voice_of_the_day
from features.state.counting.unknown import KeysOfSite, know_everything
from features.store.counts import CountCache
from features.store.online import Batch, Changes, OnlineStore
from features.store.orders import apply_with_orders
from features.stream.dead_letters import DeadLetterSink
from features.stream.outgoing.forwarding import ForwardSink
from tracking.log import Position, Record
from tracking.traces import spans
from tracking.traces.context import trace_of

logger = logging.getLogger(__name__)

Apply = Callable[[ParsedBatch], tuple[Applied, Changes]]


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
    traced : list of (user, traceparent)
        Whose records carry a trace; once they are acknowledged, the traceparent is that of our own span.
    """

    def __init__(
        self,
        partition: int,
        records: Sequence[Record],
        past: Mapping[User, Past],
        *,
        cache: CountCache,
        drops: micro.Drops | None = None,
    ) -> None:
        self.partition = partition
        self._began_ns = time.time_ns()
        self.parsed = micro.parse_batch(partition, records)
        if drops is not None:
            self.parsed = micro.without_dropped(self.parsed, drops)
        self.traced: list[tuple[User, str]] = [] if spans.sender is None else _traced(self.parsed)
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

    def send(  # what a worker has, each of which tests replace on its own
        self,
        letters: DeadLetterSink,
        forwards: ForwardSink,
        *,
        lateness_ms: int,
        may_have_past: Callable[[str], bool],
        keys_of_site: KeysOfSite = know_everything,
        money_of: MoneyOfSite = in_euros,
        voices: Voices = voice_of_the_day,
        begins_anonymous: bool = True,
    ) -> None:
        """Apply the batch to what was read, and send what it changes.

        Raises
        ------
        Fenced
            The partition does not stand where it was expected.
        StoreUnavailable
            Redis is unavailable, or the log takes neither dead letters nor what is forwarded.
        UnknownState
            A newer program wrote a state.
        """
        if self._batch is None:
            raise RuntimeError(f"partition {self.partition} was not requested; call request first")
        stored = self._batch.read()
        apply = partial(
            self._apply,
            self._batch,
            partial(
                apply_with_orders,
                partial(
                    micro.apply_batch,
                    stored=stored,
                    lateness_ms=lateness_ms,
                    may_have_past=may_have_past,
                    keys_of_site=keys_of_site,
                    money_of=money_of,
                    voices=voices,
                    begins_anonymous=begins_anonymous,
                ),
                stored=stored,
                batch=self._batch,
            ),
        )
        try:
            applied, changes = apply(self.parsed)
        except (FeatureError, MemoryError):
            raise
        except Exception:
            logger.exception("stream.batch_failed partition=%s records=%s", self.partition, len(self.parsed.in_order))
            self.parsed, (applied, changes) = micro.without_failing(self.parsed, partial(self._apply_again, apply))
        refused = (*self.parsed.refused, *applied.poison)
        if refused:
            letters.put(refused)
        if applied.forwardings:
            forwards.put(applied.forwardings)
        self.outcomes, self.partially_loaded = applied.outcomes, applied.partially_loaded
        self.changed = list(applied.profiles)
        self._batch.send(changes)

    def _apply(
        self, batch: Batch, apply: Callable[[ParsedBatch], Applied], parsed: ParsedBatch
    ) -> tuple[Applied, Changes]:
        """Return what the records do, and all that is to be written of it: nothing of a record is encoded later."""
        applied = apply(parsed)
        self._cache.follow(applied.progress.corrections)
        changes = Changes(
            next_position=self.next_position,
            progress=progress.encode(applied.progress),
            sessions=applied.sessions,
            profiles=applied.profiles,
            orders=applied.orders,
            counts=self._cache.add(batch, applied.increments, applied.bounds),
        )
        return applied, changes

    def _apply_again(self, apply: Apply, parsed: ParsedBatch) -> tuple[Applied, Changes]:
        self._cache.clear()  # the attempt before this one has added to it
        return apply(parsed)

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
        if self.traced and (sender := spans.sender) is not None:
            of_batch: dict[str, str | int] = {
                "recsite.partition": self.partition,
                "recsite.records": len(self.parsed.records),
            }
            for index, (user, traceparent) in enumerate(self.traced):
                of_event = {"recsite.site": user[0], **of_batch}
                span = sender.follow(traceparent, "apply", of_event, kind="consumer", start_ns=self._began_ns)
                span.end()
                self.traced[index] = (user, span.traceparent)

    def discard(self) -> None:
        """Discard it, whatever became of it."""
        self._cache.clear()  # what it holds may never have been written
        if self._batch is not None:
            self._batch.close()


def _traced(parsed: ParsedBatch) -> list[tuple[User, str]]:
    return [
        ((of_event.site, of_event.user_key), traceparent)
        for record, of_event in parsed.in_order
        if (traceparent := trace_of(record.value))
    ]
