"""Which model versions answer, loaded and warm: swapped in the background while the old one goes on answering."""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from recommendations.exceptions import ModelUnavailable, VersionRefused
from recommendations.inference import ModelSet
from recommendations.metrics import MODEL_LOAD_FAILURES, MODEL_LOADED, MODEL_ON_GPU
from recommendations.models import ModelVersion
from recommendations.ranking.columns import COLUMNS
from recommendations.versions.folder import load_version
from recommendations.versions.lifecycle import MODELS_TOPIC, configured_providers, registered_sha256, version_path
from tracking.snapshots.by_site import SiteSnapshots
from tracking.snapshots.snapshot import Snapshot

logger = logging.getLogger(__name__)

REFRESH_S: Final = 5.0
TRY_AGAIN_S: Final = 60.0
Fingerprint = tuple[tuple[str, int, int], ...]
"""Name, bytes and time of change (ns) of the files of a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A version in memory."""

    version: str
    model_set: ModelSet


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveModels:
    """The versions that answer for a site; all None before the first training.

    Attributes
    ----------
    canary_percent : int
        Share of users who are answered by the canary.
    refused : mapping of version to reason
        Versions that ought to answer and cannot; what answered before still does.
    """

    live: ServedModel | None = None
    canary: ServedModel | None = None
    canary_percent: int = 0
    shadow: ServedModel | None = None
    refused: Mapping[str, str] = field(default_factory=dict)

    def for_user(self, key: str | None) -> tuple[ServedModel | None, str]:
        """Return the version that answers a user, and the name of the variant; the same one every time."""
        if self.canary is not None and key is not None and _percentile(key) < self.canary_percent:
            return self.canary, "canary"
        return self.live, "live"


def watch_models(site: str) -> Snapshot[LiveModels]:
    """Return the site's versions, kept up to date in the background from the first call on."""
    return _models.of(site)


class ModelLoader:
    """Keeps one site's versions in memory; not thread-safe, one thread calls ``load``.

    A version that was refused is tried again when its folder has changed, as when somebody has restored it, and every
    ``TRY_AGAIN_S`` all the same: its disk may be back.

    Parameters
    ----------
    clock : callable
        Seconds; ``time.monotonic``.
    """

    def __init__(self, site: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._site = site
        self._clock = clock
        self._loaded = LiveModels()
        self._tried: dict[str, tuple[Fingerprint, float]] = {}  # by refused version: what stood there, and when

    def _is_due(self, version: str, looks: Fingerprint) -> bool:
        before, tried_at = self._tried.get(version, ((), 0.0))
        return looks != before or self._clock() >= tried_at + TRY_AGAIN_S

    def load(self) -> LiveModels:
        """Return the versions that the database asks for; the very same object when nothing changed.

        A version that cannot be loaded never takes the place of one that answers.
        """
        status = ModelVersion.Status
        rows = {
            row.status: row
            for row in ModelVersion.objects.filter(
                site__slug=self._site, status__in=[status.LIVE, status.CANARY, status.SHADOW]
            ).order_by("created_at")
        }
        old = self._loaded
        refused: dict[str, str] = {}
        live = self._served(rows.get(status.LIVE), old.live, refused)
        canary = self._served(rows.get(status.CANARY), old.canary, refused)
        shadow = self._served(rows.get(status.SHADOW), old.shadow, refused)
        percent = rows[status.CANARY].canary_percent if status.CANARY in rows else 0
        new = LiveModels(live=live, canary=canary, canary_percent=percent, shadow=shadow, refused=refused)
        if new != old:
            self._loaded = new
        return self._loaded

    def _served(
        self, row: ModelVersion | None, held: ServedModel | None, refused: dict[str, str]
    ) -> ServedModel | None:
        if row is None:
            return None
        for known in (held, self._loaded.live, self._loaded.canary, self._loaded.shadow):
            if known is not None and known.version == row.version:
                return known
        path = version_path(self._site, row.version)
        known_reason = self._loaded.refused.get(row.version)
        looks = fingerprint_of(path)
        if known_reason is not None and not self._is_due(row.version, looks):
            refused[row.version] = known_reason
            return held  # its folder is not read as a whole every few seconds
        self._tried[row.version] = (looks, self._clock())
        try:
            loaded = load_version(
                path,
                providers=configured_providers(),
                expected_manifest_sha256=registered_sha256(row),
                ranker_columns=COLUMNS,
                check_answers=False,  # the gate asked the golden questions before the version could be promoted
            )
        except (VersionRefused, ModelUnavailable) as error:
            MODEL_LOAD_FAILURES.labels(self._site).inc()
            if str(error) != known_reason:
                logger.error("live_models.refused site=%s version=%s error=%s", self._site, row.version, error)
            refused[row.version] = str(error)
            return held
        self._tried.pop(row.version, None)
        MODEL_LOADED.labels(self._site).set_to_current_time()
        provider = loaded.model_set.provider
        if missing := loaded.model_set.missing_columns:
            remedy = "the ranker takes 0 for them until the site is trained again"
            logger.warning(
                "live_models.columns_missing site=%s version=%s columns=%s remedy=%r",
                self._site, row.version, ",".join(missing), remedy,
            )  # fmt: skip
        if row.status == ModelVersion.Status.LIVE:
            MODEL_ON_GPU.labels(self._site).set(provider == "cuda")
        logger.info("live_models.loaded site=%s version=%s provider=%s", self._site, row.version, provider)
        return ServedModel(version=row.version, model_set=loaded.model_set)


def fingerprint_of(folder: Path) -> Fingerprint:
    """Return what tells a folder from what it was, without a look into its files; empty for one that is not there."""
    found = []
    try:
        for path in sorted(folder.rglob("*")):
            known = path.stat()
            found.append((path.relative_to(folder).as_posix(), known.st_size, known.st_mtime_ns))
    except OSError:  # it is being replaced, or its disk is unavailable
        return ()
    return tuple(found)


_models: Final = SiteSnapshots(MODELS_TOPIC, lambda site: ModelLoader(site).load, refresh_s=REFRESH_S)


def _percentile(key: str) -> int:
    return zlib.crc32(b"canary:" + key.encode()) % 100


def describe(models: LiveModels) -> dict[str, Any]:
    """Return what health pages say of the versions."""
    return {
        "live": models.live.version if models.live else None,
        "provider": models.live.model_set.provider if models.live else None,
        "gpu": _gpu_of(models.live),
        "canary": models.canary.version if models.canary else None,
        "shadow": models.shadow.version if models.shadow else None,
        "refused": dict(models.refused),
    }


def _gpu_of(live: ServedModel | None) -> dict[str, str] | None:
    """Return why the CPU answers where a GPU was wanted, and the remedy."""
    shortfall = live.model_set.gpu_shortfall if live is not None else None
    if shortfall is None:
        return None
    return {"reason": shortfall.reason.value, "detail": shortfall.detail, "remedy": shortfall.remedy}
