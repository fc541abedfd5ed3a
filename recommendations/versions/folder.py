"""Version folders: is this one what it says it is, and does it answer right? Then load it.

What may be live is decided elsewhere (quality against the live version, in training); here is the part of
the gate that every process runs itself before it swaps a version in.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from recommendations.core.manifest import MANIFEST_NAME, FileEntry, Manifest, read_manifest
from recommendations.exceptions import RefusalReason, VersionRefused
from recommendations.inference.device import Providers
from recommendations.inference.golden_check import Verdict
from recommendations.inference.model_set import ModelSet

MAX_VERSION_BYTES = 8 * 1024**3
MAX_FILES = 200
CHECK_TIMEOUT_S = 120
# The runtime's own libraries take about 1 GiB of address space; a graph is held twice or three times while
# it loads.
CHECK_BASE_BYTES = 4 * 1024**3
CHECK_BYTES_PER_BYTE = 6

_PROJECT_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedVersion:
    """A version that has passed its checks and is ready to answer.

    Attributes
    ----------
    manifest_sha256 : str
        Names the version beyond doubt; the registry keeps it, and serving refuses a folder with another.
    verdict : Verdict or None
        Agreement with the golden answers and latency on this machine; None where the check was skipped.
    """

    path: Path
    manifest: Manifest
    manifest_sha256: str
    model_set: ModelSet
    verdict: Verdict | None


def load_version(
    path: Path,
    *,
    providers: Providers = "auto",
    expected_manifest_sha256: str | None = None,
    ranker_columns: tuple[str, ...] | None = None,
    check_answers: bool = True,
) -> LoadedVersion:
    """Check a version folder and load it; seconds for a large one, so call it outside of requests.

    Parameters
    ----------
    expected_manifest_sha256 : str, optional
        What the registry says. The hashes of a manifest protect against accidents; this one protects against
        a folder that was exchanged as a whole.
    ranker_columns : tuple of str, optional
        The columns that this release gives a ranker (``ranking.columns.COLUMNS``). A version that was trained with
        others takes those it knows by name and 0 for the rest; it is refused when most of its columns are not there.
    check_answers : bool
        Ask the golden questions in a limited process. A process that loads what another has just checked on
        the same machine may leave it out.

    Raises
    ------
    VersionRefused
        With a reason; what is live stays live.
    ModelUnavailable
        The runtime cannot run it here.
    """
    manifest_sha256 = check_integrity(path, expected_manifest_sha256=expected_manifest_sha256)
    _check_columns(path, ranker_columns)
    verdict = check_in_limited_process(path) if check_answers else None
    model_set = ModelSet.load(path, providers=providers, ranker_columns=ranker_columns)
    return LoadedVersion(
        path=path,
        manifest=model_set.manifest,
        manifest_sha256=manifest_sha256,
        model_set=model_set,
        verdict=verdict,
    )


def check_integrity(path: Path, *, expected_manifest_sha256: str | None = None) -> str:
    """Compare every file with the manifest and return the manifest's sha256; nothing is parsed but the manifest.

    Raises
    ------
    VersionRefused
        Missing, unexpected, truncated, corrupt, swapped or too large files.
    """
    manifest = read_manifest(path)
    manifest_sha256 = _sha256_of(path / MANIFEST_NAME)
    if expected_manifest_sha256 is not None and manifest_sha256 != expected_manifest_sha256:
        raise VersionRefused(
            RefusalReason.SWAPPED,
            f"{path} has the manifest {manifest_sha256[:12]}…, registered was {expected_manifest_sha256[:12]}…; "
            "restore the folder or register it as a new version",
        )
    total_bytes = sum(entry.size_bytes for entry in manifest.files.values())
    if total_bytes > MAX_VERSION_BYTES or len(manifest.files) > MAX_FILES:
        raise VersionRefused(
            RefusalReason.TOO_LARGE,
            f"{path} says {len(manifest.files)} files of {total_bytes:,} bytes in all; at most {MAX_FILES} files of "
            f"{MAX_VERSION_BYTES:,} bytes are loaded",
        )
    _check_names(path, manifest)
    owner_of = {entry.sha256: name for name, entry in manifest.files.items()}
    for name, entry in manifest.files.items():
        _check_file(path / name, name, entry, owner_of)
    return manifest_sha256


def check_in_limited_process(path: Path, *, timeout_s: int = CHECK_TIMEOUT_S) -> Verdict:
    """Run ``inference.golden_check`` on a folder, with bounded memory, processor time and wall time.

    Raises
    ------
    VersionRefused
        The check refused the version, or did not survive it.
    """
    manifest = read_manifest(path)
    size_bytes = sum(entry.size_bytes for entry in manifest.files.values())
    memory_bytes = CHECK_BASE_BYTES + CHECK_BYTES_PER_BYTE * size_bytes
    command = [
        sys.executable,
        "-m",
        "recommendations.inference.golden_check",
        str(path.resolve()),
        str(memory_bytes),
        str(timeout_s),
    ]
    # No settings and no secrets of ours reach a process that runs an unchecked graph.
    environment = {"PATH": os.defpath, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=_PROJECT_ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise VersionRefused(
            RefusalReason.CHECK_FAILED, f"{path} did not answer its golden questions within {timeout_s} s"
        ) from error
    try:
        verdict = msgspec.json.decode(done.stdout, type=Verdict)
    except msgspec.DecodeError as error:
        last_line = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:300]
        raise VersionRefused(
            RefusalReason.CHECK_FAILED,
            f"{path} ended the check with status {done.returncode} under {memory_bytes:,} bytes and {timeout_s} s: "
            f"{last_line or 'no message'}",
        ) from error
    if verdict.reason is not None:
        raise VersionRefused(verdict.reason, f"{path}: {verdict.message}")
    return verdict


def _check_columns(path: Path, ranker_columns: tuple[str, ...] | None) -> None:
    """Refuse a ranker that would see less than half of what it was trained on; its order would be chance."""
    ranker = read_manifest(path).ranker
    if ranker is None or ranker_columns is None:
        return
    missing = [name for name in ranker.columns if name not in ranker_columns]
    if 2 * len(missing) > len(ranker.columns):
        raise VersionRefused(
            RefusalReason.SCHEMA,
            f"{path} has a ranker of {len(ranker.columns)} columns, and {len(missing)} of them are not made any more "
            f"({', '.join(missing[:10])}{' …' if len(missing) > 10 else ''}); train again",
        )


def _check_names(path: Path, manifest: Manifest) -> None:
    """Refuse names that leave the folder, links, and files that the manifest does not name."""
    for name in manifest.files:
        parts = PurePosixPath(name).parts
        inside = len(parts) == 1 or (len(parts) == 2 and parts[0] == "plots")
        if not inside or ".." in parts or "\\" in name or "\0" in name or name == MANIFEST_NAME:
            raise VersionRefused(
                RefusalReason.UNEXPECTED_FILE, f"{path} names the file {name!r}, which is no plain name of its own"
            )
    for graph in _graphs_of(manifest):
        # By the ending the structure check finds what to look into; under another one a graph would slip through.
        if graph not in manifest.files or not graph.endswith(".onnx"):
            raise VersionRefused(
                RefusalReason.UNEXPECTED_FILE, f"{path} wants to run {graph!r}, which is no .onnx file of its own"
            )
    for present in path.rglob("*"):
        name = present.relative_to(path).as_posix()
        if present.is_symlink() or (present.is_file() and name not in manifest.files and name != MANIFEST_NAME):
            raise VersionRefused(
                RefusalReason.UNEXPECTED_FILE, f"{path} holds {name!r}, which its manifest does not name"
            )


def _graphs_of(manifest: Manifest) -> set[str]:
    """Return every file that would be run."""
    graphs = {entry.graph for entry in manifest.sources.values()}
    graphs |= {entry.cuda_graph for entry in manifest.sources.values() if entry.cuda_graph is not None}
    if manifest.ranker is not None:
        graphs.add(manifest.ranker.graph)
        graphs |= {entry.graph for entry in manifest.ranker.objectives.values() if entry.graph is not None}
    return graphs


def _check_file(file: Path, name: str, entry: FileEntry, owner_of: dict[str, str]) -> None:
    """Refuse one file that is not what the manifest says."""
    try:
        size_bytes = file.stat().st_size
        if size_bytes < entry.size_bytes:
            raise VersionRefused(
                RefusalReason.TRUNCATED,
                f"{name} has {size_bytes:,} bytes, the manifest says {entry.size_bytes:,}; copy the version again",
            )
        sha256 = _sha256_of(file)
    except OSError as error:
        raise VersionRefused(
            RefusalReason.MISSING, f"{name} cannot be read ({error.strerror}); copy the version again"
        ) from error
    if sha256 == entry.sha256:
        return
    if sha256 in owner_of:
        raise VersionRefused(
            RefusalReason.SWAPPED, f"{name} holds what belongs into {owner_of[sha256]}; copy the version again"
        )
    raise VersionRefused(
        RefusalReason.CORRUPT,
        f"{name} has the sha256 {sha256[:12]}…, the manifest says {entry.sha256[:12]}…; copy the version again",
    )


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
