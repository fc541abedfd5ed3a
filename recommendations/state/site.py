"""What a web process serves a site from: item index and model links, rebuilt in the background and swapped as one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np

from features.catalogue.site import watch_catalogue
from features.catalogue.snapshot import CatalogueSnapshot
from features.store.item_stats import empty_item_stats
from recommendations.core.types import FloatArray
from recommendations.items.content import ContentIndex
from recommendations.items.index import ItemIndex
from recommendations.metrics import ITEM_INDEX_SECONDS
from recommendations.retrieval.base import ServingContext, Source
from recommendations.retrieval.model import ModelLink
from recommendations.state import item_counts
from recommendations.state.content import watch_content
from recommendations.state.models import LiveModels, ServedModel, watch_models
from recommendations.state.own_models import NO_OWN_MODELS, watch_own_models
from recommendations.state.own_sources import NO_OWN_SOURCES, OwnSources, boards_of, watch_own_sources
from recommendations.state.placements import Placements, watch_placements
from tracking.snapshots.by_site import SiteSnapshots
from tracking.snapshots.snapshot import Snapshot

logger = logging.getLogger(__name__)

T = TypeVar("T")

_NO_MODELS: Final = LiveModels()
_CHANGES_LISTS: Final = (0, 1, 4, 5, 6)
"""Catalogue, models, content table, own sources and models: parts that lists are made from at once, unlike counts."""

CHECK_EVERY_S: Final = 0.25
"""How soon a new catalogue or model version is noticed; a check that finds nothing new takes microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteServing:
    """Everything but placements; immutable, so that a request sees one state of the world.

    Attributes
    ----------
    number : int
        Rises by one with each change of catalogue, models or own sources; part of the key of cached lists. Counts of
        what is looked at move every few seconds: lists catch up with them when they are made again, within
        ``list_cache.MAX_AGE_MS``.
    """

    number: int
    item_index: ItemIndex
    models: LiveModels
    links: Mapping[str, ModelLink] = field(default_factory=dict)
    own: OwnSources = NO_OWN_SOURCES
    boards: Mapping[str, Source] = field(default_factory=dict)
    own_weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def own_labels(self) -> dict[str, str]:
        """Why an item of a source of the site's own is listed, by its name, as merchandisers read it."""
        return {name: source.label for name, source in self.boards.items()} | dict(self.own.labels)

    def for_user(self, key: str | None, *, now_ms: int) -> ServingContext:
        """Return what answers this user."""
        model, variant = self.models.for_user(key)
        link = self.links.get(model.version) if model is not None else None
        return ServingContext(
            item_index=self.item_index, model=link, now_ms=now_ms, variant=variant, own=self.boards,
            own_weights=self.own_weights,
        )  # fmt: skip


class SiteBuilder:
    """Keeps one site's ``SiteServing`` up to date; not thread-safe, one thread calls ``build``."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._no_counts = empty_item_stats(site)
        self._built: SiteServing | None = None
        self._built_from: tuple[object, ...] = ()
        self._warmed_for: tuple[object, ...] = ()
        self._unusable: dict[str, str] = {}

    def build(self) -> SiteServing:
        """Return the newest state; the very same object when nothing changed.

        The first call loads catalogue and models in this thread, so that a process is ready when it says so. A
        model or counts that cannot be had never keep a catalogue from being served.
        """
        # Asked for each time and not held: those of a site that was deleted and made again are other snapshots.
        catalogue = watch_catalogue(self._site).ensure_loaded()
        models = self._part(watch_models(self._site), _NO_MODELS)
        counts = self._part(item_counts.watch_item_counts(self._site), self._no_counts)
        counts_products = self._part(item_counts.watch_counting(self._site), False)
        table = self._part(watch_content(self._site), None)
        own = self._part(watch_own_sources(self._site), NO_OWN_SOURCES)
        own_models = self._part(watch_own_models(self._site), NO_OWN_MODELS)
        built_from = (catalogue, models, counts, counts_products, table, own, own_models)
        if self._built is not None and all(new is old for new, old in zip(built_from, self._built_from, strict=True)):
            self._warm_rules(self._built.item_index)
            return self._built
        started = time.perf_counter()
        old = self._built
        links = {
            model.version: self._link(model, catalogue, old)
            for model in (models.live, models.canary, models.shadow)
            if model is not None
        }
        main = links.get(models.live.version) if models.live else None
        by_row = item_counts.counts_by_row(counts, catalogue, counts_products=counts_products)
        popularity = _popularity(catalogue, main, by_row)
        older = old.item_index.content if old is not None else None
        content = None if table is None else ContentIndex(table, catalogue, popularity=popularity, older=older)
        item_index = ItemIndex(catalogue, popularity=popularity, counts=by_row, content=content)
        if old is not None:
            item_index.warm_from(old.item_index)
        item_index.warm()
        boards = boards_of(own, item_index, counts, said=self._unusable) if own.formulas else {}
        for name, loaded in own_models.by_name.items():
            item_index.made(loaded.source)  # here, and not where a list waits for it
            boards.setdefault(name, loaded.fenced)
        weights = {name: loaded.weight for name, loaded in own_models.by_name.items()} | dict(own.weights)
        number = 1 if old is None else old.number
        if old is not None and any(built_from[part] is not self._built_from[part] for part in _CHANGES_LISTS):
            number += 1
        self._built = SiteServing(
            number=number,
            item_index=item_index,
            models=models,
            links=links,
            own=own,
            boards=boards,
            own_weights=weights,
        )
        self._built_from = built_from
        self._warm_rules(item_index)
        ITEM_INDEX_SECONDS.observe(time.perf_counter() - started)
        return self._built

    def _warm_rules(self, item_index: ItemIndex) -> None:
        """Make what lists need of rules that were published since, here and not where a list waits for it."""
        snapshot = watch_placements(self._site)
        if not snapshot.is_loaded:
            return
        current = snapshot.current()
        if self._warmed_for and self._warmed_for[0] is current and self._warmed_for[1] is item_index:
            return
        self._warmed_for = current, item_index
        for placement in snapshot.current().by_name.values():
            placement.indexed_rules.warm(item_index)

    def _part(self, snapshot: Snapshot[T], default: T) -> T:
        """Return what a snapshot holds; only the first build loads it in this thread, and goes on without it."""
        if self._built is None and not snapshot.is_loaded:
            snapshot.refresh()
        return snapshot.current() if snapshot.is_loaded else default

    def _link(self, model: ServedModel, catalogue: CatalogueSnapshot, old: SiteServing | None) -> ModelLink:
        known = old.links.get(model.version) if old is not None else None
        if known is not None and old is not None and old.item_index.catalogue is catalogue:
            return known
        return ModelLink(model.model_set, ItemIndex(catalogue), version=model.version)


def _builder(site: str) -> Callable[[], SiteServing]:
    watch_placements(site)  # a request needs both
    return SiteBuilder(site).build


_serving: Final = SiteSnapshots("serving", _builder, refresh_s=CHECK_EVERY_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteState:
    """One site at one moment, as a request sees it."""

    site: str
    placements: Placements
    serving: SiteServing


def watch_site(site: str) -> Snapshot[SiteServing]:
    """Return the site's serving state, kept fresh in the background from the first call on."""
    return _serving.of(site)


def state_of(site: str) -> SiteState:
    """Return what to serve a site from; memory only.

    Raises
    ------
    SnapshotMissing
        The first load has not ended yet; answer 503 and the caller tries again in a moment.
    """
    serving = watch_site(site)
    return SiteState(site=site, placements=watch_placements(site).current(), serving=serving.current())


def _popularity(catalogue: CatalogueSnapshot, link: ModelLink | None, counts: Mapping[str, FloatArray]) -> FloatArray:
    """Return what popular lists are ordered by: the last week's interactions, and those of the training data.

    Training data stands in for a site whose counts are young; counts of days are worth more than it.
    """
    popularity = np.zeros(catalogue.n_rows, np.float32)
    if link is not None:
        trained = link.popularity_of_rows()
        popularity += trained / np.float32(max(float(trained.max(initial=0.0)), 1.0))
    week = counts.get("7d")
    if week is not None:
        popularity += np.float32(3.0) * week / np.float32(max(float(week.max(initial=0.0)), 1.0))
    return popularity
