"""Metrics of tracking; the only place where they are declared. No label ever carries a user or an item id."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS_COLLECTED = Counter("recsite_events_collected_total", "Events accepted by collect.", ["site", "event"])
BOT_EVENTS = Counter(
    "recsite_bot_events_total",
    "Events of programs that named themselves, by kind: search, agent, monitoring, script, crawler, declared.",
    ["site", "kind"],
)
EVENTS_QUARANTINED = Counter(
    "recsite_events_quarantined_total", "Events dropped by collect because staff quarantined their source.", ["site"]
)
EVENTS_REJECTED = Counter("recsite_events_rejected_total", "Events refused by collect.", ["site", "reason"])
EVENTS_MENDED = Counter(
    "recsite_events_mended_total", "Values of events that collect mended or dropped.", ["site", "field", "done"]
)
PUBLISHED_RECORDS = Counter(
    "recsite_published_records_total", "Records of accepted events that the log acknowledged while their sender waited."
)
SPOOLED_RECORDS = Counter(
    "recsite_spooled_records_total", "Records written to the spool because the log was unavailable."
)
DRAINED_RECORDS = Counter("recsite_drained_records_total", "Records moved from the spool into the log.")
SPOOL_BYTES = Gauge("recsite_spool_bytes", "Bytes that wait in the spool.", multiprocess_mode="livesum")
DEAD_LETTERS = Counter("recsite_dead_letters_total", "Records and events sent to the dead letters.", ["reason"])
SNAPSHOT_LOADED_AT = Gauge(
    "recsite_snapshot_loaded_timestamp_seconds",
    "When the oldest copy of any process was loaded (epoch seconds); its age is time() minus this.",
    ["topic"],
    multiprocess_mode="livemin",
)
SNAPSHOT_FAILURES = Counter(
    "recsite_snapshot_failures_total", "Loads of a copy in memory that failed; the last good one stays.", ["topic"]
)
HTTP_SECONDS = Histogram(
    "recsite_hot_path_seconds",
    "Time from the request's first byte to the answer, of the endpoints that bypass Django.",
    ["path"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
HTTP_REPLIES = Counter(
    "recsite_hot_path_replies_total", "Answers of the endpoints that bypass Django.", ["path", "status"]
)
CLAMPED_TIMES = Counter(
    "recsite_clamped_times_total", "Events whose time was moved into what is possible.", ["direction"]
)
IDENTITY_WARNINGS = Counter(
    "recsite_identity_warnings_total", "User tokens that were not valid; the user stayed anonymous.", ["reason"]
)
SPANS = Counter("recsite_spans_total", "Spans of traces, by whether the collector took them.", ["outcome"])
QUOTA_REFUSALS = Counter("recsite_quota_refusals_total", "Requests over a quota.", ["quota"])
BACKGROUND_DROPPED = Counter(
    "recsite_background_dropped_total",
    "What waited to be written in the background and was given up, by whose it was and why.",
    ["owner", "reason"],
)
