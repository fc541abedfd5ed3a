"""Metrics of features; the only place where they are declared. No label ever carries a user or an item id."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

STREAM_EVENTS = Counter(
    "recsite_stream_events_total",
    "Events taken from the log by outcome: applied, duplicate, late, bot, crowded; dead_lettered, parked are records.",
    ["outcome"],
)
STREAM_RECORDS = Counter("recsite_stream_records_total", "Records taken from the log.")
STREAM_BATCH_SECONDS = Histogram(
    "recsite_stream_batch_seconds",
    "Time to read, apply and write one micro-batch of one partition.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
STREAM_LAG_RECORDS = Gauge(
    "recsite_stream_lag_records", "Records not yet applied.", ["partition"], multiprocess_mode="livemax"
)
STREAM_FRESHNESS_SECONDS = Histogram(
    "recsite_stream_freshness_seconds",
    "From the reception of a batch's newest record to its features being readable.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0),
)
STREAM_PARTITIONS = Gauge(
    "recsite_stream_partitions", "Partitions that this worker reads.", multiprocess_mode="livesum"
)
STREAM_FENCED = Counter("recsite_stream_fenced_total", "Batches refused because another worker owned the partition.")
STREAM_PAUSES = Counter(
    "recsite_stream_pauses_total", "Times the worker waited for a part that was unavailable.", ["reason"]
)
STREAM_FAILURES = Counter("recsite_stream_failures_total", "Errors that the stream loop caught.", ["error"])
STREAM_HALTED = Gauge(
    "recsite_stream_halted",
    "1 while a partition waits because its batch fails; the others go on.",
    ["partition"],
    multiprocess_mode="livemax",
)
STORE_EMPTIED = Gauge(
    "recsite_store_emptied",
    "1 while a partition waits to be rebuilt because Redis has lost it.",
    ["partition"],
    multiprocess_mode="livemax",
)
LOG_FOREIGN = Gauge(
    "recsite_log_foreign",
    "1 while a partition is not read because its position is of a log that is not there any more.",
    ["group", "partition"],
    multiprocess_mode="livemax",
)
QUARANTINED_AT = Gauge(
    "recsite_stream_quarantined_timestamp_seconds",
    "When a valid record that breaks a function was put among the dead letters; the first 50 of a process are named.",
    ["site", "partition", "position"],
    multiprocess_mode="max",
)
CLOCK_OFF_AT = Gauge(
    "recsite_clock_off_timestamp_seconds",
    "When a record of a process whose clock is off was read last; the first 50 of a process are named.",
    ["process"],
    multiprocess_mode="max",
)
SITE_FAILURES = Counter(
    "recsite_site_failures_total",
    "Times periodic work failed for one site; that of the others went on.",
    ["task", "site"],
)
REDIS_MEMORY_BYTES = Gauge(
    "recsite_redis_memory_bytes",
    "Memory that Redis uses; of a cluster, its fullest node.",
    multiprocess_mode="mostrecent",
)
REDIS_MEMORY_LIMIT_BYTES = Gauge(
    "recsite_redis_memory_limit_bytes",
    "What it may use: its maxmemory, else what its machine has.",
    multiprocess_mode="mostrecent",
)
JOINS_LEFT_OUT = Counter(
    "recsite_joins_left_out_total", "Anonymous ids that were not joined to a user who has too many of that day already."
)
STATES_REBUILT = Counter(
    "recsite_states_rebuilt_total", "States that could not be read and were started from scratch.", ["view"]
)
FEATURE_READ_SECONDS = Histogram(
    "recsite_feature_read_seconds",
    "Time to read one user's features.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
)
FEATURE_READ_FAILURES = Counter(
    "recsite_feature_read_failures_total", "Reads of features without an answer.", ["reason"]
)
ARCHIVED_EVENTS = Counter("recsite_archived_events_total", "Events written to the archive.")
ARCHIVE_FILES = Counter("recsite_archive_files_total", "Files written to the archive.")
