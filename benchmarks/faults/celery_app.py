"""Recsite's Celery application as the lab runs it: hourly work within seconds, and on request with a mistake in it.

``RECSITE_BENCH_BREAKS`` names an item that breaks a function of the stream worker, as a mistake of ours would, and
``RECSITE_BENCH_CLOCK_AHEAD_S`` sets its clock.
"""

from __future__ import annotations

import os
import time
from typing import Any, Final

_ahead_s = float(os.environ.get("RECSITE_BENCH_CLOCK_AHEAD_S", "0"))
if _ahead_s:
    _time, _time_ns = time.time, time.time_ns
    time.time = lambda: _time() + _ahead_s
    time.time_ns = lambda: _time_ns() + int(_ahead_s * 1e9)

from recsite.celery import app  # noqa: E402  (modules may hold on to the clock that they first see)

HOUR_S: Final = 8.0
BREAKS: Final = os.environ.get("RECSITE_BENCH_BREAKS", "")

__all__ = ["app"]

app.conf.beat_schedule = {
    **app.conf.beat_schedule,
    "check-health": {**app.conf.beat_schedule["check-health"], "schedule": HOUR_S, "options": {"expires": HOUR_S}},
}

if BREAKS:
    from features.state import batch

    _apply_events = batch.apply_events

    def _break(session: Any, profile: Any, arrivals: Any, conditions: Any) -> Any:
        for arrival in arrivals:
            for event in arrival.record.events:
                if any(item.item_id == BREAKS for item in getattr(event.params, "items", ())):
                    raise ZeroDivisionError("a mistake of the lab's own")
        return _apply_events(session, profile, arrivals, conditions)

    batch.apply_events = _break  # type: ignore[assignment]
