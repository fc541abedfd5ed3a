"""From a site's archive to a registered model version: train, write, check, compare with the live one, promote."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import secrets
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from django.conf import settings as django_settings
from django.utils import timezone

from features.catalogue.groups import group_of_items
from features.definitions import FEATURE_VIEWS
from features.exchange.site import MoneyLoader
from features.models import Item
from features.money import to_major
from recommendations.core.manifest import read_manifest
from recommendations.exceptions import ModelUnavailable, VersionRefused
from recommendations.graphs.export import export_model_set
from recommendations.models import ModelVersion, TrainingPolicy
from recommendations.ranking.columns import COLUMNS
from recommendations.release import gate
from recommendations.release.baseline import PipelinePredictor
from recommendations.training.data.archive import read_archive, read_impressions
from recommendations.training.data.dataset import SessionLog
from recommendations.training.data.items import ItemFeatures
from recommendations.training.data.label_weights import Impressions
from recommendations.training.evaluation.evaluate import PredictIds
from recommendations.training.fitted import FittedModelSet
from recommendations.training.report import plots
from recommendations.training.settings import Progress, TrainingSettings, interactions_within, no_progress
from recommendations.training.stages import WorkFolder, run_key
from recommendations.training.train import train_model_set
from recommendations.versions.folder import check_integrity, load_version
from recommendations.versions.lifecycle import promote, registered_sha256, version_path
from tracking.models import Site

logger = logging.getLogger(__name__)


def settings_of(policy: TrainingPolicy) -> TrainingSettings:
    """Return what a site's policy says of its trainings; the rest as it is by default.

    Older days of the archive are left out where they would not fit into the policy's memory.
    """
    settings = TrainingSettings(
        counts_products=policy.counts_products,
        margin_weight=policy.margin_weight,
        position_clip=policy.position_clip,
        tune_minutes=policy.tune_minutes,
    )
    fitting = interactions_within(policy.memory_mb, n_items=Item.objects.filter(site=policy.site).count())
    return dataclasses.replace(settings, max_interactions=min(settings.max_interactions, fitting))


def catalogue_of(site: Site) -> dict[str, ItemFeatures]:
    """Return what the catalogue says of each item, inactive ones too, since users looked at them."""
    columns = (
        "item_id", "category", "brand", "price_minor", "sale_price_minor", "sale_starts_at", "sale_ends_at",
        "cost_minor", "currency",
    )  # fmt: skip
    now = timezone.now()
    found: dict[str, ItemFeatures] = {}
    for item in Item.objects.filter(site=site).only(*columns).iterator():
        paid = item.paid_minor(at=now)
        found[item.item_id] = ItemFeatures(
            category=sys.intern(item.category),
            brand=sys.intern(item.brand),
            price=None if paid is None else to_major(paid, item.currency),
            cost=None if item.cost_minor is None else to_major(item.cost_minor, item.currency),
        )
    return found


def _by_product(features: Mapping[str, ItemFeatures], product_of: Mapping[str, str]) -> dict[str, ItemFeatures]:
    """Return what the catalogue says of items under the names of their products; of several variants, the first."""
    found: dict[str, ItemFeatures] = {}
    for item_id, known in features.items():
        found.setdefault(product_of.get(item_id, item_id), known)
    return found


def train_site(
    site: Site,
    *,
    log: SessionLog | None = None,
    settings: TrainingSettings | None = None,
    promotes: bool = True,
    progress: Progress = no_progress,
    on_fitted: Callable[[FittedModelSet], object] = lambda fitted: None,
    on_taken_over: Callable[[WorkFolder], object] = lambda work: None,
) -> ModelVersion:
    """Train on a site's archive, register the version with its gate report, and promote it when the gate lets it.

    The live version is asked through the serving pipeline, about sessions that ended after its own training data.
    Results of stages are kept until the version is registered: a run that was killed is resumed by the next one
    of the same data, settings and code, which ``on_taken_over`` is told. Hold the training lock.

    Raises
    ------
    InvalidDataset
        There is too little to train on.
    """
    if settings is None:
        settings = TrainingSettings()
    product_of = group_of_items(site) if settings.counts_products else {}
    champion = champion_of(site, product_of=product_of)
    source = "archive" if log is None else _digest(log)
    key = run_key(source, champion and (champion.version, champion.seen_until_ms), settings=settings)
    work = WorkFolder(Path(django_settings.DATA_DIR) / "training" / site.slug, key)
    if work.ready:
        on_taken_over(work)
    impressions = None
    if log is None:
        log = work.run("log", partial(_archive_of, site, settings, progress), (SessionLog,))
        if settings.position_clip:
            impressions = work.run("impressions", partial(_impressions_of, site), (Impressions,))
    if product_of:
        log = log.renamed(product_of)
    if champion is not None:
        if champion.seen_until_ms < int(log.ended_at_ms.max(initial=0)):
            settings = dataclasses.replace(settings, held_out_after_ms=champion.seen_until_ms)
        else:
            champion = None  # it has seen every session there is: measuring it on them would compare nothing
    active = Item.objects.filter(site=site, is_active=True).values_list("item_id", flat=True)
    fitted = train_model_set(
        log,
        settings=settings,
        progress=progress,
        catalogue=(product_of.get(item_id, item_id) for item_id in active.iterator()),
        baselines={gate.CHAMPION: champion.opened} if champion is not None else {},
        items=_by_product(catalogue_of(site), product_of),
        impressions=impressions,
        tuning_storage=Path(django_settings.DATA_DIR) / "tuning" / f"{site.slug}.sqlite3",
        stages=work,
    )
    del log
    on_fitted(fitted)
    version = new_version_name()
    write_version(fitted, site, version)
    metrics = fitted.metrics
    del fitted  # the gate loads the version, and both at once would be twice the memory
    row = register(site, version, metrics, promotes=promotes)
    work.close()
    return row


def write_version(fitted: FittedModelSet, site: Site, version: str) -> None:
    """Write the folder of a version."""
    export_model_set(
        fitted,
        version_path(site.slug, version),
        plots=plots(fitted),
        feature_views={view.name: view.version for view in FEATURE_VIEWS},
    )


def register(site: Site, version: str, metrics: Mapping[str, Mapping[str, float]], *, promotes: bool) -> ModelVersion:
    """Pass a version folder through the gate, register it with the report, and promote it if it may and shall."""
    policy, _ = TrainingPolicy.objects.get_or_create(site=site)
    report = gate.checked(version_path(site.slug, version), metrics, latency_budget_ms=policy.latency_ms)
    row = ModelVersion.objects.create(
        site=site,
        version=version,
        status=ModelVersion.Status.CANDIDATE if report.passed else ModelVersion.Status.REFUSED,
        metrics={name: dict(values) for name, values in metrics.items()},
        manifest=report.manifest,
        gate_report=msgspec.to_builtins(report.checks),
    )
    logger.info("registry.registered site=%s version=%s passed=%s", site.slug, version, report.passed)
    if report.passed and promotes:
        promote(row)
    return row


def new_version_name() -> str:
    """Return a name that sorts by time and is never given twice."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def old_versions(site: Site, *, keep: int) -> Iterable[ModelVersion]:
    """Return versions that answer nobody and are not among the newest ``keep``."""
    serving = (ModelVersion.Status.LIVE, ModelVersion.Status.CANARY, ModelVersion.Status.SHADOW)
    return ModelVersion.objects.filter(site=site).exclude(status__in=serving).order_by("-created_at")[keep:]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The live version, to be asked about what it has not seen.

    Attributes
    ----------
    opened : callable
        Loads it and returns a way to ask it; None where it cannot be loaded.
    """

    version: str
    seen_until_ms: int
    opened: Callable[[], PredictIds | None]


def champion_of(site: Site, *, product_of: Mapping[str, str] | None = None) -> Champion | None:
    """Return the live version; None where there is none, or its folder is not what was registered.

    Parameters
    ----------
    product_of : mapping of item id to group id, optional
        It is asked about products, and answers with them, whatever it was trained on.
    """
    live = ModelVersion.objects.filter(site=site, status=ModelVersion.Status.LIVE).first()
    if live is None:
        return None
    path = version_path(site.slug, live.version)
    try:
        check_integrity(path, expected_manifest_sha256=registered_sha256(live))
        seen_until_ms = read_manifest(path).data_range.last_ms
    except VersionRefused as error:
        logger.warning("registry.live_unreadable site=%s version=%s error=%s", site.slug, live.version, error)
        return None

    def opened() -> PredictIds | None:
        try:
            loaded = load_version(path, providers="cpu", ranker_columns=COLUMNS, check_answers=False)
        except (VersionRefused, ModelUnavailable) as error:
            logger.warning("registry.live_unreadable site=%s version=%s error=%s", site.slug, live.version, error)
            return None
        return PipelinePredictor(loaded.model_set, version=live.version, product_of=product_of)

    return Champion(version=live.version, seen_until_ms=seen_until_ms, opened=opened)


def _archive_of(site: Site, settings: TrainingSettings, progress: Progress) -> SessionLog:
    return read_archive(
        django_settings.ARCHIVE_URL,
        site=site.slug,
        max_interactions=settings.max_interactions,
        money=MoneyLoader(site.slug).load(),
        progress=progress,
    )


def _impressions_of(site: Site) -> Impressions:
    return read_impressions(django_settings.ARCHIVE_URL, site=site.slug)


def _digest(log: SessionLog) -> str:
    digest = hashlib.sha256(repr(log.item_ids).encode())
    for array in (log.items, log.kinds, log.offsets, log.occurred_at_ms):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
