"""What of a log or an archive is not applied: events of sources that staff quarantined or that were forgotten.

Collect drops what a source sends from the quarantine on, and forgetting takes back what it counted before. What came
before still stands in the log, until it is trimmed, and in spools: whoever reads it again leaves it out.

A stream worker leaves out what is of forgotten sources alone: of one that is only quarantined, some is applied, and
forgetting finds it by what the archive says. A rebuild leaves out both; there nothing is applied yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from features.state.batch import Drops
from tracking.access.quarantine import Names, comes_from
from tracking.access.sites import KEYS_TOPIC, REFRESH_S
from tracking.contract.events import EventRecord
from tracking.models import QuarantinedSource
from tracking.snapshots.snapshot import Snapshot


def quarantined_names() -> dict[str, Names]:
    """Return the names of all quarantined sources by site; one query."""
    return _names(only_forgotten=False)


def forgotten_names() -> dict[str, Names]:
    """Return the names of the sources by site of which everything is taken back; one query."""
    return _names(only_forgotten=True)


def _names(*, only_forgotten: bool) -> dict[str, Names]:
    rows = QuarantinedSource.objects.filter(forgotten_at__isnull=False) if only_forgotten else QuarantinedSource.objects
    found: dict[str, set[int | str]] = {}
    for site, network, user_key in rows.values_list("site__slug", "network", "user_key"):
        found.setdefault(site, set()).add(user_key if network is None else network)
    return {site: frozenset(names) for site, names in found.items()}


def drops_of(names_by_site: Mapping[str, Names]) -> Drops | None:
    """Return what says of a record whether it is one of these sources; None where there are none."""
    if not names_by_site:
        return None

    def drops(record: EventRecord) -> bool:
        names = names_by_site.get(record.site)
        return names is not None and comes_from(record, names)

    return drops


forgotten: Final[Snapshot[dict[str, Names]]] = Snapshot(KEYS_TOPIC, forgotten_names, refresh_s=REFRESH_S)


def forgotten_drops() -> Drops | None:
    """Return the same of forgotten sources, from memory; None also while nothing was ever loaded. Never blocks."""
    return drops_of(forgotten.current()) if forgotten.is_loaded else None
