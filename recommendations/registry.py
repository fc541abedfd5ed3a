"""From a site's archive to a registered model version: train, write, check, compare with the live one, promote."""

from __future__ import annotations

import dataclasses
import logging
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from django.conf import settings as django_settings

from features.definitions import FEATURE_VIEWS
from features.models import Item
from features.money import to_major
from recommendations.exceptions import ModelUnavailable, VersionRefused
from recommendations.graphs.export import export_model_set
from recommendations.inference.golden_check import Verdict
from recommendations.live_models import promote, version_path
from recommendations.models import ModelVersion
from recommendations.offline import PipelinePredictor
from recommendations.ranking import COLUMNS
from recommendations.training.archive import read_archive, read_impressions
from recommendations.training.dataset import SessionLog
from recommendations.training.fitted import FittedModelSet
from recommendations.training.items import ItemFacts
from recommendations.training.report import plots
from recommendations.training.settings import Progress, TrainingSettings, no_progress
from recommendations.training.train import train_model_set
from recommendations.versions import LoadedVersion, load_version
from tracking.models import Site

logger = logging.getLogger(__name__)

MAY_FALL_BY: Final = 0.01
"""Least change of MRR@20 that is not noise: twice the standard error of some thousands of test points."""

RIVAL: Final = "live"
MIN_POINTS: Final = 200


def archive_of(site: Site) -> SessionLog:
    """Return a site's archived sessions; raises ``InvalidDataset`` when there are none."""
    return read_archive(django_settings.ARCHIVE_URL, site=site.slug)


def catalogue_of(site: Site) -> dict[str, ItemFacts]:
    """Return what the catalogue says of each item, inactive ones too, since shoppers looked at them."""
    columns = ("item_id", "category", "brand", "price_minor", "sale_price_minor", "cost_minor", "currency")
    found: dict[str, ItemFacts] = {}
    for item_id, category, brand, price, sale_price, cost, currency in (
        Item.objects.filter(site=site).values_list(*columns).iterator()
    ):
        paid = price if price is None or sale_price is None else min(price, sale_price)
        found[item_id] = ItemFacts(
            category=sys.intern(category),
            brand=sys.intern(brand),
            price=None if paid is None else to_major(paid, currency),
            cost=None if cost is None else to_major(cost, currency),
        )
    return found


def train_site(
    site: Site,
    *,
    log: SessionLog | None = None,
    settings: TrainingSettings | None = None,
    promotes: bool = True,
    progress: Progress = no_progress,
    on_fitted: Callable[[FittedModelSet], object] = lambda fitted: None,
) -> ModelVersion:
    """Train on a site's archive, register the version with its gate report, and promote it when the gate lets it.

    The live version is asked through the serving pipeline, about sessions that ended after its own training data.

    Raises
    ------
    InvalidDataset
        There is too little to train on.
    """
    settings = settings or TrainingSettings()
    impressions = None
    if settings.position_clip and log is None:
        impressions = read_impressions(django_settings.ARCHIVE_URL, site=site.slug)
    log = archive_of(site) if log is None else log
    rival = live_rival(site)
    if rival is not None:
        seen_until_ms = rival[0].manifest.data_range.last_ms
        if seen_until_ms < int(log.ended_at_ms.max(initial=0)):
            settings = dataclasses.replace(settings, held_out_after_ms=seen_until_ms)
        else:
            rival = None  # it has seen every session there is: asking it about them would compare nothing
    fitted = train_model_set(
        log,
        settings=settings,
        progress=progress,
        catalogue=Item.objects.filter(site=site, is_active=True).values_list("item_id", flat=True).iterator(),
        rivals={RIVAL: rival[1]} if rival is not None else {},
        items=catalogue_of(site),
        impressions=impressions,
        tuning_storage=Path(django_settings.DATA_DIR) / "tuning" / f"{site.slug}.sqlite3",
    )
    on_fitted(fitted)
    version = new_version_name()
    folder = version_path(site.slug, version)
    export_model_set(
        fitted, folder, plots=plots(fitted), feature_views={view.name: view.version for view in FEATURE_VIEWS}
    )
    return register(site, version, fitted.metrics, promotes=promotes)


def register(site: Site, version: str, metrics: Mapping[str, Mapping[str, float]], *, promotes: bool) -> ModelVersion:
    """Pass a version folder through the gate, register it with the report, and promote it if it may and shall."""
    folder = version_path(site.slug, version)
    report: list[dict[str, Any]] = []
    loaded: LoadedVersion | None = None
    try:
        loaded = load_version(folder, providers="cpu", expected_columns=COLUMNS)
        verdict = loaded.verdict
        report.append(_check("integrity and golden answers", passed=True, reason=_said(verdict)))
    except (VersionRefused, ModelUnavailable) as error:
        report.append(_check("integrity and golden answers", passed=False, reason=str(error)))
    report.append(_quality(metrics))
    passed = all(check["passed"] for check in report)
    manifest: dict[str, Any] = {}
    if loaded is not None:
        manifest = {**msgspec.to_builtins(loaded.manifest), "sha256": loaded.manifest_sha256}
        manifest.pop("files", None)
    row = ModelVersion.objects.create(
        site=site,
        version=version,
        status=ModelVersion.Status.CANDIDATE if passed else ModelVersion.Status.REFUSED,
        metrics={name: dict(values) for name, values in metrics.items()},
        manifest=manifest,
        gate_report=report,
    )
    logger.info("registry.registered site=%s version=%s passed=%s", site.slug, version, passed)
    if passed and promotes:
        promote(row)
    return row


def new_version_name() -> str:
    """Return a name that sorts by time and is never given twice."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def old_versions(site: Site, *, keep: int) -> Iterable[ModelVersion]:
    """Return versions that answer nobody and are not among the newest ``keep``."""
    serving = (ModelVersion.Status.LIVE, ModelVersion.Status.CANARY, ModelVersion.Status.SHADOW)
    return ModelVersion.objects.filter(site=site).exclude(status__in=serving).order_by("-created_at")[keep:]


def _quality(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Return the check that the candidate is not worse than the live version on the same held-out time."""
    name = "quality"
    candidate = max(
        (metrics[predictor]["mrr@20"] for predictor in ("ranker", "fusion") if predictor in metrics), default=None
    )
    if candidate is None:
        return _check(name, passed=True, reason="nothing was held out, so nothing was measured")
    popularity = metrics.get("popularity", {}).get("mrr@20", 0.0)
    if candidate < popularity:
        return _check(name, passed=False, reason=f"MRR@20 {candidate:.4f} is below popularity's {popularity:.4f}")
    rival = metrics.get(RIVAL)
    if rival is None:
        return _check(name, passed=True, reason=f"MRR@20 {candidate:.4f}; no live version with unseen sessions")
    points = rival.get("points", 0.0)
    said = f"MRR@20 {candidate:.4f}, the live version's {rival['mrr@20']:.4f} on the same {points:.0f} points"
    if points < MIN_POINTS:
        return _check(name, passed=True, reason=f"{said}: too few to tell them apart")
    return _check(name, passed=candidate >= rival["mrr@20"] - MAY_FALL_BY, reason=said)


def _said(verdict: Verdict | None) -> str:
    if verdict is None:
        return "hashes are right"
    least = min(verdict.agreement.values(), default=1.0)
    return f"least agreement {least:.4f}; {verdict.p50_ms:.1f} ms a question here, p99 {verdict.p99_ms:.1f}"


def _check(name: str, *, passed: bool, reason: str) -> dict[str, Any]:
    return {"name": name, "passed": passed, "reason": reason, "at_ms": int(time.time() * 1000)}


def live_rival(site: Site) -> tuple[LoadedVersion, PipelinePredictor] | None:
    """Return the live version and a way to ask it; None where there is none, or it cannot be read."""
    live = ModelVersion.objects.filter(site=site, status=ModelVersion.Status.LIVE).first()
    if live is None:
        return None
    try:
        loaded = load_version(version_path(site.slug, live.version), providers="cpu", check_answers=False)
    except (VersionRefused, ModelUnavailable) as error:
        logger.warning("registry.live_unreadable site=%s version=%s error=%s", site.slug, live.version, error)
        return None
    return loaded, PipelinePredictor(loaded.model_set, version=live.version)
