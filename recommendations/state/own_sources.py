"""The candidate sources that a site declares itself, in memory: which services are asked, and how."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from features.feeds.public_address import NotFetched
from recommendations.models import HttpSource
from recommendations.retrieval.outside.connection import service_address
from recommendations.retrieval.outside.contract import AnswerFormat, OutsideSpec
from recommendations.retrieval.sources import NAMES_TAKEN
from tracking.snapshots.by_site import SiteSnapshots
from tracking.snapshots.snapshot import Snapshot

logger = logging.getLogger(__name__)

REFRESH_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSources:
    """What a site has switched on, by name; equal where nothing of it changed.

    Attributes
    ----------
    http : mapping of name to OutsideSpec
        Services of the shop.
    labels : mapping of name to str
        Why an item is listed, as merchandisers read it.
    weights : mapping of name to float
        What each weighs beside the sources of a strategy.
    """

    http: Mapping[str, OutsideSpec] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)


NO_OWN_SOURCES: Final = OwnSources()


class OwnSourcesLoader:
    """Keeps what one site declares; not thread-safe, one thread calls ``load``."""

    def __init__(self) -> None:
        self._held = NO_OWN_SOURCES

    def load(self, site: str) -> OwnSources:
        """Return what is switched on; the very same object while nothing changed. One query."""
        read = read_own_sources(site)
        if read != self._held:
            self._held = read
        return self._held


def read_own_sources(site: str) -> OwnSources:
    """Return what a site has switched on; what was written by other means than a form and is wrong is logged."""
    http: dict[str, OutsideSpec] = {}
    labels: dict[str, str] = {}
    weights: dict[str, float] = {}
    for row in HttpSource.objects.filter(site__slug=site, is_active=True).order_by("name"):
        try:
            spec = spec_of(row, site)
        except (NotFetched, ValueError) as error:
            logger.error("own_sources.unusable site=%s source=%s error=%s", site, row.name, error)
            continue
        http[row.name] = spec
        labels[row.name], weights[row.name] = row.label or row.name.replace("_", " "), row.weight
    return OwnSources(http=http, labels=labels, weights=weights)


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
