"""Recsite's Celery application as the lab runs it: hourly work within seconds, and on request with a mistake in it.

``RECSITE_BENCH_BREAKS`` names an item that breaks a function of the stream worker, as a mistake of ours would.
"""

from __future__ import annotations

import os
from typing import Any, Final

from recsite.celery import app

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
