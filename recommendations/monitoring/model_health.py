"""How well the live version of a site still fits: age, catalogue, unknown items, drift; stored and exported by site."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import numpy as np
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from features.catalogue.groups import group_of_items
from features.models import Item
from recommendations import metrics
from recommendations.core.manifest import ALS_SOURCE
from recommendations.exceptions import ModelUnavailable, VersionRefused
from recommendations.inference import ModelSet
from recommendations.inference.queries import RetrievalQuery
from recommendations.models import DriftReference, HealthReport, ModelVersion, TrainingPolicy
from recommendations.monitoring import drift
from recommendations.monitoring.archive_profile import Day, days_before
from recommendations.monitoring.drift import Check, Profile
from recommendations.ranking.columns import COLUMNS
from recommendations.versions.folder import load_version
from recommendations.versions.lifecycle import registered_sha256, version_path
from tracking.models import Site

logger = logging.getLogger(__name__)

REFERENCE_DAYS: Final = 7
KEEP_REPORTS: Final = timedelta(days=30)
MAX_HISTORY: Final = 50
UNREADABLE: Final = "the live version cannot be read here; see the gate's report, and RECSITE_MODEL_DIR"


def check_site(site: Site, *, now: datetime | None = None) -> HealthReport:
    """Check the live version of a site, keep the report for the admin, and export its figures.

    Memory: one version, one day of interactions (``archive_profile.MAX_ROWS``) and the ids of the catalogue.
    """
    now = now or timezone.now()
    policy, _ = TrainingPolicy.objects.get_or_create(site=site)
    live = ModelVersion.objects.filter(site=site, status=ModelVersion.Status.LIVE).first()
    checks = _checks(site, live, policy, now) if live is not None else []
    report = HealthReport.objects.create(
        site=site, model_version=live, made_at=now, checks=[msgspec.to_builtins(check) for check in checks]
    )
    HealthReport.objects.filter(site=site, made_at__lt=now - KEEP_REPORTS).delete()
    _export(site.slug, live, policy, checks, now)
    worst = [check.name for check in checks if check.verdict is drift.Verdict.ACT]
    logger.info("health.checked site=%s version=%s act=%s", site.slug, live and live.version, ",".join(worst) or "-")
    return report


def checks_of(report: HealthReport) -> list[Check]:
    """Return the checks of a stored report."""
    return msgspec.convert(report.checks, list[Check])


def _checks(site: Site, live: ModelVersion, policy: TrainingPolicy, now: datetime) -> list[Check]:
    age = drift.age_check((now - live.created_at).total_seconds() / 3600, policy.max_age_hours)
    try:
        loaded = load_version(
            version_path(site.slug, live.version),
            providers="cpu",
            expected_manifest_sha256=registered_sha256(live),
            ranker_columns=COLUMNS,
            check_answers=False,
        )
    except (VersionRefused, ModelUnavailable) as error:
        logger.warning("health.unreadable site=%s version=%s error=%s", site.slug, live.version, error)
        return [age]
    model = loaded.model_set
    index_of = _index_of(site, model)
    recent = _day(site, model, index_of, until_ms=int(now.timestamp() * 1000))
    reference = _reference(site, live, model, index_of, until_ms=loaded.manifest.data_range.last_ms + 1)
    unknown = sum(count for item, count in recent.item_events.items() if item not in index_of)
    return [
        age,
        _coverage(site, index_of),
        drift.unknown_items_check(unknown, recent.profile.events),
        drift.columns_check(
            model.missing_columns, len(loaded.manifest.ranker.columns) if loaded.manifest.ranker else 0
        ),
        *(drift.drift_check(name, reference, recent.profile) for name in (*drift.FEATURES, drift.SCORES)),
    ]


def _index_of(site: Site, model: ModelSet) -> dict[str, int]:
    """Return the item index of each item that the version knows, itself or as a variant of a product it knows."""
    index_of = {item_id: index for index, item_id in enumerate(model.item_ids) if index}
    group_of = group_of_items(site)
    of_group = {group: index_of[item_id] for item_id, group in group_of.items() if item_id in index_of}
    of_group |= {group: index_of[group] for group in group_of.values() if group in index_of}
    variants = {item_id: of_group[group] for item_id, group in group_of.items() if group in of_group}
    return {**of_group, **variants, **index_of}


def _day(site: Site, model: ModelSet, index_of: Mapping[str, int], *, until_ms: int) -> Day:
    """Return the day before ``until_ms``, with the scores that the version gives its sessions."""
    return next(_days(site, model, index_of, until_ms=until_ms, days=1))


def _reference(
    site: Site, live: ModelVersion, model: ModelSet, index_of: Mapping[str, int], *, until_ms: int
) -> Profile | None:
    """Return the profile of the week before the end of training's data; computed once a version."""
    stored = DriftReference.objects.filter(model_version=live).first()
    if stored is None:
        total = Profile()
        for day in _days(site, model, index_of, until_ms=until_ms, days=REFERENCE_DAYS):
            total += day.profile
        stored = DriftReference.objects.create(model_version=live, profile=msgspec.to_builtins(total))
    profile = msgspec.convert(stored.profile, Profile)
    return profile if profile.sessions else None


def _days(site: Site, model: ModelSet, index_of: Mapping[str, int], *, until_ms: int, days: int) -> Iterator[Day]:
    def categories_of(items: Sequence[str]) -> Mapping[str, str]:
        return dict(Item.objects.filter(site=site, item_id__in=items).values_list("item_id", "category"))

    for day in days_before(
        settings.ARCHIVE_URL, site=site.slug, until_ms=until_ms, days=days, categories_of=categories_of
    ):
        counts = {**day.profile.counts, drift.SCORES: _scores(model, index_of, day.sessions)}
        yield Day(
            profile=msgspec.structs.replace(day.profile, counts=counts),
            item_events=day.item_events,
            sessions=day.sessions,
        )


def _scores(model: ModelSet, index_of: Mapping[str, int], sessions: Sequence[tuple[str, ...]]) -> dict[str, int]:
    """Count the best ALS scores of sessions by tenths, of those that are answered at all.

    ALS, because it does not know a session again: on the RetailRocket sessions the PSI of unseen sessions against those
    that were trained on is 0.005 to 0.044, but for co-visitation up to 0.096 without any shift. Sessions without
    an answer are left out: in training there are none, and ``unknown_items`` counts them.
    """
    counts: Counter[str] = Counter()
    for items in sessions:
        history = np.array([index_of.get(item, 0) for item in items[-MAX_HISTORY:]], np.int64)
        answer = model.retrieve(RetrievalQuery(indices=history, k=1, sources=(ALS_SOURCE,)))[ALS_SOURCE]
        if len(answer.score):
            counts[drift.score_bin(float(answer.score[0]))] += 1
    return dict(counts)


def _coverage(site: Site, index_of: Mapping[str, int]) -> Check:
    in_stock = Q(stock__isnull=True) | Q(stock__gt=0)
    recommendable = Item.objects.filter(in_stock, site=site, is_active=True).exclude(
        availability=Item.Availability.OUT_OF_STOCK
    )
    total = covered = 0
    for item_id in recommendable.values_list("item_id", flat=True).iterator(chunk_size=10_000):
        total += 1
        covered += item_id in index_of
    return drift.coverage_check(covered, total)


def _export(
    site: str, live: ModelVersion | None, policy: TrainingPolicy, checks: Sequence[Check], now: datetime
) -> None:
    """Set the gauges; what is not known is not a number, so that no alert compares it."""
    nothing = float("nan")
    value_of = {check.name: nothing if check.value is None else check.value for check in checks}
    metrics.MODEL_CREATED.labels(site).set(live.created_at.timestamp() if live else nothing)
    metrics.MODEL_MAX_AGE.labels(site).set(policy.max_age_hours * 3600)
    metrics.MODEL_COVERAGE.labels(site).set(value_of.get("coverage", nothing))
    metrics.UNKNOWN_ITEMS.labels(site).set(value_of.get("unknown_items", nothing))
    for name in (*drift.FEATURES, drift.SCORES):
        metrics.DATA_DRIFT.labels(site, name).set(value_of.get(name, nothing))
    metrics.HEALTH_CHECKED.labels(site).set(now.timestamp())
