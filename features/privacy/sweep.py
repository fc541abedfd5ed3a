"""The second pass of erasures: what came back with a late record, a restored database or a restored archive goes again.

Tombstones of the database and those beside the archive are made the same; then every stored profile and every row of
the archive that a tombstone matches is erased. Of a profile, only one that holds something from before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from django.conf import settings

from features.archive.maintenance import erase_rows
from features.archive.writer import ArchiveFolder
from features.exceptions import UnknownState
from features.models import Erasure, StoredProfile
from features.privacy import tombstones
from features.privacy.erasure import erased_spans
from features.privacy.ownership import Span
from features.privacy.tombstones import Tombstone
from features.state.states import decode_profile
from tracking.deferred import deferred
from tracking.models import Site

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
else:
    pl = deferred("polars")
    pa = deferred("pyarrow")

_COLUMNS = ("user_key", "occurred_at_ms")


@dataclass(slots=True, kw_only=True)
class Swept:
    """What a sweep found: tombstones restored in the database and beside the archive, and what was erased again."""

    in_database: int = 0
    beside_archive: int = 0
    profiles: int = 0
    rows: int = 0


@dataclass(frozen=True, kw_only=True)
class _ErasedRows:
    """The rows of a site that a tombstone matches."""

    site: str
    spans_of: Mapping[str, list[Span]]

    @property
    def columns(self) -> Sequence[str]:
        return _COLUMNS

    def mask(self, table: pa.Table) -> pl.Series:
        frame = cast("pl.DataFrame", pl.from_arrow(table.select(_COLUMNS)))
        is_erased = pl.repeat(value=False, n=len(frame), dtype=pl.Boolean, eager=True)
        for key in frame["user_key"].unique().drop_nulls().to_list():
            for first, last in _spans_of(self.spans_of, self.site, key):
                within = (pl.col("user_key") == key) & pl.col("occurred_at_ms").is_between(first, last)
                is_erased |= frame.select(within=within.fill_null(value=False))["within"]
        return is_erased


def sweep_erased() -> Swept:
    """Erase again what came back of erased users, in all sites. Safe to repeat, and beside running workers.

    Memory: one file of the archive at a time.

    Raises
    ------
    OSError
        The archive cannot be read or written.
    """
    folder = ArchiveFolder(settings.ARCHIVE_URL)
    swept = Swept()
    for site in Site.objects.all():
        spans_of = _reconcile(folder, site, swept)
        if spans_of:
            swept.profiles += _erase_profiles(site, spans_of)
            rows = _ErasedRows(site=site.slug, spans_of=spans_of)
            swept.rows += erase_rows(folder, site=site.slug, rows=rows)["rows"]
    return swept


def _reconcile(folder: ArchiveFolder, site: Site, swept: Swept) -> dict[str, list[Span]]:
    """Make both sets of tombstones the same, the union of each; return them."""
    in_database = erased_spans(Erasure.objects.filter(site=site))
    beside = {one.user_hash: one for one in tombstones.read(folder) if one.site == site.slug}
    found: dict[str, list[Span]] = {}
    for name in {**in_database, **beside}:
        written = beside.get(name) or Tombstone(site=site.slug, user_hash=name, spans=[])
        whole = written.joined(in_database.get(name, ()))
        found[name] = whole.spans
        if in_database.get(name) != whole.spans:
            gone = {"erased_until_ms": whole.erased_until_ms, "spans": whole.spans}
            receipt = {"erased_at_ms": whole.erased_until_ms, "restored": True}
            Erasure.objects.update_or_create(
                site=site, user_hash=name, defaults=gone, create_defaults={**gone, "receipt": receipt}
            )
            swept.in_database += 1
        if written.spans != whole.spans:
            tombstones.write(folder, whole)
            swept.beside_archive += 1
    return found


def _erase_profiles(site: Site, spans_of: Mapping[str, list[Span]]) -> int:
    doomed = []
    for row in StoredProfile.objects.filter(site=site).iterator(chunk_size=5_000):
        spans = _spans_of(spans_of, site.slug, row.user_key)
        if spans and _first_ms(row) <= spans[-1][1]:
            doomed.append(row.pk)
    for start in range(0, len(doomed), 500):
        StoredProfile.objects.filter(pk__in=doomed[start : start + 500]).delete()
    return len(doomed)


def _first_ms(row: StoredProfile) -> int:
    try:
        return decode_profile(bytes(row.state)).first_ms
    except UnknownState:  # of a newer version: what is in it cannot be told, and must not stay
        return 0


def _spans_of(spans_of: Mapping[str, list[Span]], site: str, user_key: str) -> list[Span]:
    return sorted(span for one in tombstones.hashes(site, user_key) for span in spans_of.get(one, ()))
