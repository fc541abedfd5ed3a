"""Reports of orders that stand with another user key: written to the log again, for that user's worker.

They are durable before the batch that they come from is written. A worker that dies in between sends them twice; an
order that hears something twice knows no more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from features.state.orders.book import Forwarding
from features.state.orders.forwarded import as_record
from features.stream.outgoing.appending import Appender
from tracking.log import EventLog


class ForwardSink:
    """Appends what goes to the owners of orders to the log; connects when the first of it comes."""

    def __init__(self, log: EventLog) -> None:
        self._appender = Appender(log)

    def put(self, forwardings: Sequence[tuple[str, Forwarding]]) -> None:
        """Append them, each with its site, and return once they are durable.

        Raises
        ------
        StoreUnavailable
            The log did not take them: write nothing of the batch and try again.
        """
        if forwardings:
            now_ms = time.time_ns() // 1_000_000
            self._appender.append([as_record(site, one, now_ms=now_ms) for site, one in forwardings])

    def close(self) -> None:
        """Close what was opened."""
        self._appender.close()
