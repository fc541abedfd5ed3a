"""Metrics of recommendations; the only place where they are declared. No label ever carries a user or an item id."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0)

LISTS = Counter("recsite_lists_total", "Lists served, by how good they are.", ["site", "placement", "stage"])
FALLBACKS = Counter("recsite_fallbacks_total", "Lists that are not what the placement asks for.", ["site", "reason"])
PIPELINE_ERRORS = Counter(
    "recsite_pipeline_errors_total",
    "Lists that a step of the pipeline, or what is around it, failed for.",
    ["site", "step"],
)
STAGE_SECONDS = Histogram("recsite_serving_stage_seconds", "Time of one step of a request.", ["stage"], buckets=_FAST)
PERSONAL_CACHE = Counter("recsite_personal_cache_total", "Personal lists looked up in memory.", ["result"])
MODEL_LOADED = Gauge(
    "recsite_model_loaded_timestamp_seconds", "When a model version was loaded.", ["site"], multiprocess_mode="max"
)
MODEL_ON_GPU = Gauge(
    "recsite_model_on_gpu", "Whether the live version runs on a GPU: 1 or 0.", ["site"], multiprocess_mode="livemin"
)
GPU_FALLBACKS = Counter(
    "recsite_gpu_fallbacks_total", "Loads and requests that the CPU took in a GPU's place.", ["reason"]
)
INSTALLED_SOURCES = Counter(
    "recsite_installed_source_total",
    "Times a list asked a source of an installed package, or a model of the shop's own, by what came of it.",
    ["source", "result"],
)
OUTSIDE_LISTS = Counter(
    "recsite_outside_source_lists_total",
    "Lists for which a shop's own service was wanted as a source, by what came of it.",
    ["site", "source", "result"],
)
OUTSIDE_SECONDS = Histogram(
    "recsite_outside_source_seconds",
    "Time of one request to a shop's own service, of one list or many.",
    ["site", "source"],
    buckets=_FAST,
)
OUTSIDE_UNKNOWN = Counter(
    "recsite_outside_source_unknown_items_total",
    "Ids in answers of a shop's own service that the catalogue does not have.",
    ["site", "source"],
)
OUTSIDE_RESTS = Gauge(
    "recsite_outside_source_resting",
    "Processes that leave a shop's own service alone after failures.",
    ["site", "source"],
    multiprocess_mode="livesum",
)
MODEL_LOAD_FAILURES = Counter("recsite_model_load_failures_total", "Model versions that were refused.", ["site"])
ITEM_INDEX_SECONDS = Histogram(
    "recsite_shelf_build_seconds",
    "Time to prepare a catalogue for serving, in the background.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
LIVE_SOCKETS = Gauge("recsite_live_sockets", "Open sockets.", multiprocess_mode="livesum")
LIVE_UPDATES = Counter("recsite_live_updates_total", "Lists pushed to open pages, by cause.", ["cause"])
LIVE_CLOSED = Counter("recsite_live_closed_total", "Sockets that we closed, by code.", ["code"])
SHADOW_LISTS = Counter(
    "recsite_shadow_lists_total", "Lists made by a version in the shadow, by what became of them.", ["site", "result"]
)
EXPLANATIONS_DROPPED = Counter(
    "recsite_explanations_dropped_total", "Explanations that were not kept, because of the limit or the store."
)

# Set by whichever task worker checked last; the newest value of any process is the one that counts.
MODEL_CREATED = Gauge(
    "recsite_model_created_timestamp_seconds",
    "When the live version was made.",
    ["site"],
    multiprocess_mode="mostrecent",
)
MODEL_MAX_AGE = Gauge(
    "recsite_model_max_age_seconds", "Age from which a version is stale.", ["site"], multiprocess_mode="mostrecent"
)
MODEL_COVERAGE = Gauge(
    "recsite_model_coverage_ratio",
    "Share of recommendable items in the live version.",
    ["site"],
    multiprocess_mode="mostrecent",
)
UNKNOWN_ITEMS = Gauge(
    "recsite_unknown_items_ratio",
    "Share of the last day's interactions with items that the live version does not know.",
    ["site"],
    multiprocess_mode="mostrecent",
)
DATA_DRIFT = Gauge(
    "recsite_data_drift_psi",
    "Population stability index of the last day against the week that was trained on.",
    ["site", "feature"],
    multiprocess_mode="mostrecent",
)
HEALTH_CHECKED = Gauge(
    "recsite_health_checked_timestamp_seconds",
    "When the live version was last checked.",
    ["site"],
    multiprocess_mode="mostrecent",
)
TRAININGS = Counter("recsite_trainings_total", "Scheduled trainings, by what became of them.", ["site", "status"])
CONTENT_SECONDS = Gauge(
    "recsite_content_seconds",
    "How long the newest content table took to make.",
    ["site"],
    multiprocess_mode="mostrecent",
)
CONTENT_ENCODED = Counter("recsite_content_encoded_total", "Products whose texts and pictures were encoded.", ["site"])
