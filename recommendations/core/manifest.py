"""What a model version says about itself: ``manifest.json``, the only file that is read unchecked."""

from __future__ import annotations

from pathlib import Path

import msgspec

from recommendations.exceptions import RefusalReason, VersionRefused

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 4 * 1024 * 1024

# Names of the two sources that every version has; item-item tables bring their own.
ALS_SOURCE = "als"
SESSION_SOURCE = "sessions"

ITEM_IDS_NAME = "item_ids.json"
GOLDEN_NAME = "golden.npz"
POPULARITY_RECENT_NAME = "popularity_recent.npy"
POPULARITY_ALL_TIME_NAME = "popularity_all_time.npy"
RANKING_NAME_PREFIX = "ranking_"  # ranking_{field of ranking.RankingTables}.npy


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of the folder, as it was when the version was written."""

    sha256: str
    size_bytes: int


class SourceEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One candidate source: its graphs (and its row there, where sources share one), and how far back it looks."""

    kind: str  # fold_in, neighbours or session_knn
    graph: str
    row: int = 0
    cuda_graph: str | None = None
    last_n: int


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Candidates of the held-out time to which about the same chance was given, and how often it came so."""

    candidates: int
    expected: float
    observed: float


class ObjectiveEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a version learnt of one objective; see ``core.objectives``.

    Attributes
    ----------
    graph : str, optional
        Its own trees, of the ranker's columns; None where the ranker's own score tells it, as a share of the query.
    positives : int
        Candidates in the training data of which it came true.
    scores, chances : tuple of float
        Knots of its ``Calibration``; empty where there were too few positives to learn it.
    reliability : tuple of ReliabilityBin
        By rising chance; empty where nothing was held out.
    error : float, optional
        The expected calibration error: the mean over the held-out candidates of |expected - observed| of their bin.
    rate : float, optional
        The share of the held-out candidates of which it came true; what the error is to be seen against.
    """

    graph: str | None = None
    positives: int = 0
    scores: tuple[float, ...] = ()
    chances: tuple[float, ...] = ()
    reliability: tuple[ReliabilityBin, ...] = ()
    error: float | None = None
    rate: float | None = None

    @property
    def is_learnt(self) -> bool:
        """Whether a placement's weight on it counts."""
        return bool(self.scores)


class RankerEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ranker's graph, the columns that it was trained on, in order, and the decimals of the currency it learnt.

    Attributes
    ----------
    objectives : dict of name to ObjectiveEntry
        Those that were learnt, and those of which there was too little; empty for a version of an older release.
    """

    graph: str
    columns: tuple[str, ...]
    decimals: int = 2
    objectives: dict[str, ObjectiveEntry] = {}


class FusionEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weighted reciprocal ranks: Σ over sources of ``weight / (k + rank)``."""

    weights: dict[str, float]
    k: float


class DataRangeEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The interactions that the version was fitted on; times in epoch milliseconds."""

    first_ms: int
    last_ms: int
    interactions: int
    sessions: int
    users: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a version says about itself; ``files`` covers every other file of the folder."""

    schema_version: int
    created_at_ms: int
    n_items: int
    sources: dict[str, SourceEntry]
    ranker: RankerEntry | None
    fusion: FusionEntry
    files: dict[str, FileEntry]
    feature_views: dict[str, int]
    data_range: DataRangeEntry
    seeds: dict[str, int]
    parameters: dict[str, dict[str, float]]
    metrics: dict[str, dict[str, float]]
    library_versions: dict[str, str]


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write ``manifest.json`` for people and machines: indented, keys in order."""
    encoded = msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1)
    (folder / MANIFEST_NAME).write_bytes(encoded + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Read ``manifest.json`` of a version folder.

    Raises
    ------
    VersionRefused
        It is missing, too large, not what the schema says, or of a schema that we do not know.
    """
    path = folder / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise VersionRefused(
            RefusalReason.MISSING,
            f"{path} cannot be read ({error.strerror}); train or copy the version again",
        ) from error
    if len(raw) > MAX_MANIFEST_BYTES:
        raise VersionRefused(RefusalReason.TOO_LARGE, f"{path} is larger than {MAX_MANIFEST_BYTES:,} bytes")
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise VersionRefused(
            RefusalReason.MALFORMED_MANIFEST, f"{path} is not a manifest of this schema: {error}"
        ) from error
    if manifest.schema_version != SCHEMA_VERSION:
        raise VersionRefused(
            RefusalReason.SCHEMA,
            f"{path} has schema_version={manifest.schema_version}, this release reads {SCHEMA_VERSION}; train again",
        )
    return manifest
