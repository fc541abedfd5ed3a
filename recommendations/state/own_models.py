"""A site's own ONNX models, loaded in the background by every process and swapped; none waits for a restart."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from recommendations.exceptions import OwnModelRefused
from recommendations.inference.own_model import OwnModel
from recommendations.retrieval.installed import InstalledSource
from recommendations.retrieval.own_model import OwnModelSource
from recommendations.retrieval.sources import NAMES_TAKEN
from recommendations.versions.own_models import OWN_MODELS_TOPIC, installed_models, options_of
from tracking.snapshots.by_site import SiteSnapshots
from tracking.snapshots.snapshot import Snapshot

logger = logging.getLogger(__name__)

REFRESH_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model that answers, behind its fence."""

    folder: Path
    source: OwnModelSource
    fenced: InstalledSource
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnModels:
    """The models of a site by name."""

    by_name: Mapping[str, LoadedModel] = field(default_factory=dict)


NO_OWN_MODELS: Final = OwnModels()


class OwnModelsLoader:
    """Keeps one site's models in memory; not thread-safe, one thread calls ``load``."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._held = NO_OWN_MODELS
        self._refused: set[Path] = set()

    def load(self) -> OwnModels:
        """Return the models as they are installed; the very same object when nothing changed.

        One that cannot be loaded never takes the place of the one before, is logged once, and is not tried again.
        """
        before = self._held.by_name
        loaded: dict[str, LoadedModel] = {}
        for name, folder in installed_models(self._site).items():
            known = before.get(name)
            if known is not None and (known.folder == folder or folder in self._refused):
                loaded[name] = known
            elif folder not in self._refused:
                try:
                    loaded[name] = _loaded(name, folder)
                except (OwnModelRefused, msgspec.DecodeError, OSError, ValueError) as error:
                    logger.error("own_models.refused site=%s name=%s error=%s", self._site, name, error)
                    self._refused.add(folder)
                    if known is not None:
                        loaded[name] = known
        if loaded != dict(before):
            for name, each in before.items():
                if loaded.get(name) is not each:
                    each.fenced.stop()
            self._held = OwnModels(by_name=loaded)
        return self._held


def _loaded(name: str, folder: Path) -> LoadedModel:
    if name in NAMES_TAKEN:
        raise ValueError(f"{name!r} is a source or a reason that every site has; install it under another name")
    options = options_of(folder)
    source = OwnModelSource(name, options.label or name.replace("_", " "), OwnModel(folder))
    fenced = InstalledSource(source, name=name, budget_ms=options.budget_ms)
    return LoadedModel(folder=folder, source=source, fenced=fenced, weight=options.weight)


def watch_own_models(site: str) -> Snapshot[OwnModels]:
    """Return the site's models, kept up to date in the background from the first call on."""
    return _models.of(site)


def announce_own_models(site: str) -> None:
    """Tell every process that a model was installed or removed."""
    _models.announce(site)


_models: Final = SiteSnapshots(OWN_MODELS_TOPIC, lambda site: OwnModelsLoader(site).load, refresh_s=REFRESH_S)
