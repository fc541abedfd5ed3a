"""The life of a registered version: promote, canary, shadow, stop and roll back, each checked and announced."""

from __future__ import annotations

from pathlib import Path
from typing import Final, cast

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from recommendations.exceptions import RefusalReason, VersionRefused
from recommendations.inference.device import Providers
from recommendations.models import ModelVersion
from recommendations.ranking.columns import COLUMNS
from recommendations.versions.folder import load_version
from tracking.snapshots.by_site import site_topic
from tracking.snapshots.snapshot import announce

MODELS_TOPIC: Final = "models"


def models_topic(site: str) -> str:
    """Return the topic that is announced when another version of the site shall answer."""
    return site_topic(MODELS_TOPIC, site)


def version_path(site: str, version: str) -> Path:
    """Return the folder of a version."""
    return Path(settings.MODEL_DIR) / site / version


def registered_sha256(row: ModelVersion) -> str:
    """Return the sha256 of the manifest as the gate saw it; a folder with another is another version.

    Raises
    ------
    VersionRefused
        The row has none, so nothing says what the folder should hold.
    """
    found = row.manifest.get("sha256") if isinstance(row.manifest, dict) else None
    if not found:
        raise VersionRefused(
            RefusalReason.SWAPPED, f"{row.version} was registered without the sha256 of its manifest; train again"
        )
    return str(found)


def promote(row: ModelVersion) -> None:
    """Let this version answer for everybody; the one before is kept for a roll-back.

    Raises
    ------
    VersionRefused
        The gate has refused it, or its folder does not hold what was registered.
    ModelUnavailable
        The runtime cannot run it.
    """
    check_promotable(row)
    with transaction.atomic():
        ModelVersion.objects.filter(site=row.site, status=ModelVersion.Status.LIVE).exclude(pk=row.pk).update(
            status=ModelVersion.Status.RETIRED
        )
        row.status = ModelVersion.Status.LIVE
        row.canary_percent = 0
        row.live_at = timezone.now()
        row.save(update_fields=["status", "canary_percent", "live_at"])
    announce(models_topic(row.site.slug))


def start_shadow(row: ModelVersion) -> None:
    """Compare this version with the live one on a sample, without answering anybody; errors as in ``promote``."""
    _check_not_live(row)
    check_promotable(row)
    with transaction.atomic():
        ModelVersion.objects.filter(site=row.site, status=ModelVersion.Status.SHADOW).exclude(pk=row.pk).update(
            status=ModelVersion.Status.CANDIDATE
        )
        row.status = ModelVersion.Status.SHADOW
        row.canary_percent = 0
        row.save(update_fields=["status", "canary_percent"])
    announce(models_topic(row.site.slug))


def stop(row: ModelVersion) -> None:
    """End a shadow or a canary: the version is a candidate again; raises ``VersionRefused`` for any other."""
    if row.status not in (ModelVersion.Status.SHADOW, ModelVersion.Status.CANARY):
        raise VersionRefused(RefusalReason.CHECK_FAILED, f"{row.version} is neither a shadow nor a canary")
    row.status = ModelVersion.Status.CANDIDATE
    row.canary_percent = 0
    row.save(update_fields=["status", "canary_percent"])
    announce(models_topic(row.site.slug))


def start_canary(row: ModelVersion, *, percent: int) -> None:
    """Let this version answer a share of the users; errors as in ``promote``."""
    _check_not_live(row)
    check_promotable(row)
    with transaction.atomic():
        ModelVersion.objects.filter(site=row.site, status=ModelVersion.Status.CANARY).exclude(pk=row.pk).update(
            status=ModelVersion.Status.CANDIDATE, canary_percent=0
        )
        row.status = ModelVersion.Status.CANARY
        row.canary_percent = percent
        row.save(update_fields=["status", "canary_percent"])
    announce(models_topic(row.site.slug))


def roll_back(site_id: int) -> ModelVersion:
    """Let the version that was live before answer again, and return it.

    Raises
    ------
    VersionRefused
        There is none, or it cannot answer any more.
    """
    previous = (
        ModelVersion.objects.filter(site_id=site_id, status=ModelVersion.Status.RETIRED, live_at__isnull=False)
        .order_by("-live_at")
        .select_related("site")
        .first()
    )
    if previous is None:
        raise VersionRefused(RefusalReason.MISSING, "no earlier version was live; train another one")
    promote(previous)
    return previous


def check_promotable(row: ModelVersion) -> None:
    """Raise ``VersionRefused`` or ``ModelUnavailable`` when this version may not, or cannot, answer."""
    if row.status == ModelVersion.Status.REFUSED:
        raise VersionRefused(
            RefusalReason.CHECK_FAILED, f"the gate refused {row.version}; see its report, and train again"
        )
    load_version(
        version_path(row.site.slug, row.version),
        providers=configured_providers(),
        expected_manifest_sha256=registered_sha256(row),
        ranker_columns=COLUMNS,
    )


def _check_not_live(row: ModelVersion) -> None:
    if row.status == ModelVersion.Status.LIVE:
        raise VersionRefused(
            RefusalReason.CHECK_FAILED, f"{row.version} answers everybody; let another version answer first"
        )


def configured_providers() -> Providers:
    """Return the setting ``INFERENCE_PROVIDER``: which ONNX Runtime providers may run a version."""
    return cast(Providers, settings.INFERENCE_PROVIDER)
