"""Metrics of tracking; the only place where they are declared. No label ever carries a user or an item id."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS_COLLECTED = Counter("recsite_events_collected_total", "Events accepted by collect.", ["site", "event"])
EVENTS_REJECTED = Counter("recsite_events_rejected_total", "Events refused by collect.", ["site", "reason"])
COLLECT_SECONDS = Histogram(
    "recsite_collect_seconds",
    "Time from the request's first byte to the answer of collect.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
SPOOLED_RECORDS = Counter(
    "recsite_spooled_records_total", "Records written to the spool because the log was away."
)
DRAINED_RECORDS = Counter("recsite_drained_records_total", "Records moved from the spool into the log.")
SPOOL_BYTES = Gauge("recsite_spool_bytes", "Bytes that wait in the spool.", multiprocess_mode="livesum")
DEAD_LETTERS = Counter(
    "recsite_dead_letters_total", "Records and events sent to the dead letters.", ["reason"]
)
