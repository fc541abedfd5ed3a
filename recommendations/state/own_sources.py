"""The candidate sources that a site declares itself, in memory: services that are asked, and leaderboards."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from features.feeds.public_address import NotFetched
from features.money import exponent_of
from features.store.item_stats import ItemStats
from recommendations.filters import formula
from recommendations.items.index import ItemIndex
from recommendations.models import HttpSource, Leaderboard
from recommendations.models.own_sources import OwnSource
from recommendations.retrieval.base import Source
from recommendations.retrieval.leaderboard import Leaders, leaders
from recommendations.retrieval.outside.connection import service_address
from recommendations.retrieval.outside.contract import AnswerFormat, OutsideSpec
from recommendations.retrieval.sources import NAMES_TAKEN
from recommendations.state.figures import NAMES, FiguresOf
from tracking.models import Site
from tracking.snapshots.by_site import SiteSnapshots
from tracking.snapshots.snapshot import Snapshot

logger = logging.getLogger(__name__)

REFRESH_S: Final = 5.0

Unusable = dict[str, str]
"""What is wrong with a source, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSources:
    """What a site has switched on, by name; equal where nothing of it changed.

    Attributes
    ----------
    http : mapping of name to OutsideSpec
        Services of the shop.
    formulas : mapping of name to str
        Leaderboards.
    minor_units : float
        How many there are in a unit of the site's currency.
    labels : mapping of name to str
        Why an item is listed, as merchandisers read it.
    weights : mapping of name to float
        What each weighs beside the sources of a strategy.
    """

    http: Mapping[str, OutsideSpec] = field(default_factory=dict)
    formulas: Mapping[str, str] = field(default_factory=dict)
    minor_units: float = 100.0
    labels: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)


NO_OWN_SOURCES: Final = OwnSources()


class OwnSourcesLoader:
    """Keeps what one site declares; not thread-safe, one thread calls ``load``."""

    def __init__(self) -> None:
        self._held = NO_OWN_SOURCES
        self._said: Unusable = {}

    def load(self, site: str) -> OwnSources:
        """Return what is switched on; the very same object while nothing changed. Two queries.

        What cannot be used is logged once, and again when something else is wrong with it.
        """
        read = read_own_sources(site, said=self._said)
        if read != self._held:
            self._held = read
        return self._held


def read_own_sources(site: str, *, said: Unusable | None = None) -> OwnSources:
    """Return what a site has switched on; what was written by other means than a form and is wrong is logged.

    Parameters
    ----------
    said : dict of name to str, optional
        What was logged before, and is not logged again; afterwards it is what is wrong now.
    """
    unusable: Unusable = {}
    http: dict[str, OutsideSpec] = {}
    labels: dict[str, str] = {}
    weights: dict[str, float] = {}
    for row in HttpSource.objects.filter(site__slug=site, is_active=True).order_by("name"):
        try:
            spec = spec_of(row, site)
        except (NotFetched, ValueError) as error:
            unusable[row.name] = str(error)
            continue
        http[row.name] = spec
        labels[row.name], weights[row.name] = label_of(row), row.weight
    formulas: dict[str, str] = {}
    minor_units = 100.0
    for each in Leaderboard.objects.filter(site__slug=site, is_active=True).order_by("name").select_related("site"):
        if each.name in NAMES_TAKEN or each.name in http:
            unusable[each.name] = "its name is taken"
            continue
        minor_units = minor_units_of(each.site)
        formulas[each.name] = each.formula
        labels[each.name], weights[each.name] = label_of(each), each.weight
    _log_unusable(site, unusable, {} if said is None else said)
    return OwnSources(http=http, formulas=formulas, minor_units=minor_units, labels=labels, weights=weights)


def _log_unusable(site: str, unusable: Unusable, said: Unusable) -> None:
    for name, error in unusable.items():
        if said.get(name) != error:
            logger.error("own_sources.unusable site=%s source=%s error=%s", site, name, error)
    said.clear()
    said.update(unusable)


def boards_of(
    own: OwnSources, item_index: ItemIndex, stats: ItemStats, *, said: Unusable | None = None
) -> dict[str, Source]:
    """Return the leaderboards of a site, worked out for a catalogue and its counts; a wrong one is logged.

    What was ``said`` before is not logged again; afterwards it is what is wrong now.
    """
    unusable: Unusable = {}
    figures = FiguresOf(item_index, stats, minor_units=own.minor_units)
    boards: dict[str, Source] = {}
    for name, text in own.formulas.items():
        try:
            ranked = leaders(formula.parse(text, known=NAMES), item_index, figures)
        except formula.InvalidFormula as error:
            unusable[name] = str(error)
            continue
        boards[name] = Leaders(name, own.labels[name], ranked)
    _log_unusable(item_index.catalogue.site, unusable, {} if said is None else said)
    return boards


def minor_units_of(site: Site) -> float:
    """Return how many minor units there are in a unit of the site's currency: 100 for EUR."""
    return 10.0 ** exponent_of(site.currency)


def label_of(row: OwnSource) -> str:
    """Return why an item of a source is listed, in words."""
    return row.label or row.name.replace("_", " ")


def spec_of(row: HttpSource, site: str) -> OutsideSpec:
    """Return a service as it is asked.

    Raises
    ------
    NotFetched
        Nothing is sent to its address.
    ValueError
        Its name is that of a source or a reason that every site has, or its answer is of no format.
    """
    service_address(row.url)
    if row.name in NAMES_TAKEN:
        raise ValueError(f"name={row.name!r} is that of a source or a reason that every site has; choose another")
    return OutsideSpec(
        site=site, name=row.name, url=row.url, secret=row.secret, budget_ms=float(row.budget_ms),
        answer=AnswerFormat(row.answer), sends_ids=row.sends_ids,
    )  # fmt: skip


def watch_own_sources(site: str) -> Snapshot[OwnSources]:
    """Return the site's snapshot, kept fresh in the background from the first call on."""
    return _own_sources.of(site)


def announce_own_sources(site: str) -> None:
    """Tell every process, once the transaction is committed, that sources of the site changed."""
    _own_sources.announce(site)


_own_sources: Final = SiteSnapshots(
    "own-sources", lambda site: partial(OwnSourcesLoader().load, site), refresh_s=REFRESH_S
)
