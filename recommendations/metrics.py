"""Metrics of recommendations; the only place where they are declared. No label ever carries a user or an item id."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0)

LISTS = Counter("recsite_lists_total", "Lists served, by how good they are.", ["site", "placement", "stage"])
FALLBACKS = Counter("recsite_fallbacks_total", "Lists that are not what the placement asks for.", ["site", "reason"])
STAGE_SECONDS = Histogram("recsite_serving_stage_seconds", "Time of one step of a request.", ["stage"], buckets=_FAST)
PERSONAL_CACHE = Counter("recsite_personal_cache_total", "Personal lists looked up in memory.", ["result"])
MODEL_LOADED = Gauge(
    "recsite_model_loaded_timestamp_seconds", "When a model version was loaded.", ["site"], multiprocess_mode="max"
)
MODEL_LOAD_FAILURES = Counter("recsite_model_load_failures_total", "Model versions that were refused.", ["site"])
SHELF_SECONDS = Histogram(
    "recsite_shelf_build_seconds",
    "Time to prepare a catalogue for serving, in the background.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
LIVE_SOCKETS = Gauge("recsite_live_sockets", "Open sockets.", multiprocess_mode="livesum")
LIVE_UPDATES = Counter("recsite_live_updates_total", "Lists pushed to open pages, by cause.", ["cause"])
LIVE_CLOSED = Counter("recsite_live_closed_total", "Sockets that we closed, by code.", ["code"])
EXPLANATIONS_DROPPED = Counter(
    "recsite_explanations_dropped_total", "Explanations that were not kept, because of the limit or the store."
)
