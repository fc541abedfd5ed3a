"""Turn a fitted model set into a version folder: graphs, item ids, arrays, golden vectors, manifest."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import fields
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray

from recommendations.core import manifest as names
from recommendations.core.manifest import (
    ALS_SOURCE,
    SESSION_SOURCE,
    DataRangeEntry,
    FileEntry,
    FusionEntry,
    Manifest,
    ObjectiveEntry,
    RankerEntry,
    ReliabilityBin,
    SourceEntry,
    write_manifest,
)
from recommendations.exceptions import ExportFailed
from recommendations.graphs.fold_in import Target, build_fold_in
from recommendations.graphs.golden import golden_arrays
from recommendations.graphs.neighbours import build_neighbours, groups_of
from recommendations.graphs.ranker import build_ranker, build_trees
from recommendations.graphs.session_knn import build_session_knn
from recommendations.training.fitted import FittedModelSet, Ranker

RANKER_GRAPH = "ranker.onnx"

_LIBRARIES = ("implicit", "lightgbm", "numpy", "onnx", "onnxmltools", "onnxruntime-gpu", "scipy")


def export_model_set(
    fitted: FittedModelSet,
    folder: Path,
    *,
    golden_seed: int = 0,
    feature_views: Mapping[str, int] | None = None,
    plots: Mapping[str, bytes] | None = None,
    targets: frozenset[Target] = frozenset(Target),
) -> Manifest:
    """Write ``fitted`` as a version folder and return its manifest.

    The folder appears complete or not at all: it is written beside its place and then renamed.

    Parameters
    ----------
    folder : Path
        Must not exist yet; its parent is made where missing.
    golden_seed : int
        Which sessions become golden vectors.
    feature_views : mapping of feature view to version
        What the ranker was trained on.
    plots : mapping of file name to PNG bytes
        Written to ``plots/``.
    targets : set of Target
        ``CUDA`` adds a float16 graph of the ALS factors.

    Raises
    ------
    ExportFailed
        The folder exists, arrays disagree on the number of items, or a graph would be too large.
    """
    if folder.exists():
        raise ExportFailed(f"{folder} exists already; a version is written once, choose another folder")
    _check_shapes(fitted)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        sources = _write_sources(fitted, partial, targets)
        ranker = None
        if fitted.ranker is not None:
            _write_graph(build_ranker(fitted.ranker), partial / RANKER_GRAPH)
            ranker = RankerEntry(
                graph=RANKER_GRAPH,
                columns=fitted.ranker.columns,
                decimals=fitted.ranker.decimals,
                objectives=_write_objectives(fitted.ranker, partial),
            )
            for name, table in _ranking_tables(fitted.ranker).items():
                path = partial / f"{names.RANKING_NAME_PREFIX}{name}.npy"
                np.save(path, np.ascontiguousarray(table), allow_pickle=False)
        (partial / names.ITEM_IDS_NAME).write_bytes(msgspec.json.encode(fitted.item_ids))
        _write_array(fitted.popularity.recent, partial / names.POPULARITY_RECENT_NAME)
        _write_array(fitted.popularity.all_time, partial / names.POPULARITY_ALL_TIME_NAME)
        np.savez(partial / names.GOLDEN_NAME, allow_pickle=False, **golden_arrays(fitted, seed=golden_seed))
        for name, png in (plots or {}).items():
            (partial / "plots").mkdir(exist_ok=True)
            (partial / "plots" / Path(name).name).write_bytes(png)
        manifest = _manifest_of(fitted, partial, sources, ranker, golden_seed, feature_views or {})
        write_manifest(manifest, partial)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return manifest


def _write_sources(fitted: FittedModelSet, folder: Path, targets: frozenset[Target]) -> dict[str, SourceEntry]:
    sources: dict[str, SourceEntry] = {}
    session_graph = f"{SESSION_SOURCE}.onnx"
    _write_graph(build_session_knn(fitted.sessions), folder / session_graph)
    sources[SESSION_SOURCE] = SourceEntry(kind="session_knn", graph=session_graph, last_n=fitted.sessions.max_history)
    taken = {SESSION_SOURCE, ALS_SOURCE}
    for table in fitted.neighbours:
        if table.name in taken or not table.name.isidentifier():
            raise ExportFailed(f"the neighbours' name {table.name!r} is taken or no plain name; rename the source")
        taken.add(table.name)
    for number, group in enumerate(groups_of(fitted.neighbours)):
        graph = f"neighbours_{number}.onnx"
        _write_graph(build_neighbours(group), folder / graph)
        for row, table in enumerate(group):
            sources[table.name] = SourceEntry(kind="neighbours", graph=graph, row=row, last_n=table.last_n)
    graph = f"{ALS_SOURCE}.onnx"
    _write_graph(build_fold_in(fitted.als, target=Target.CPU), folder / graph)
    cuda_graph = None
    if Target.CUDA in targets:
        cuda_graph = f"{ALS_SOURCE}_cuda.onnx"
        _write_graph(build_fold_in(fitted.als, target=Target.CUDA), folder / cuda_graph)
    sources[ALS_SOURCE] = SourceEntry(kind="fold_in", graph=graph, cuda_graph=cuda_graph, last_n=fitted.als.last_n)
    return sources


def _write_objectives(ranker: Ranker, folder: Path) -> dict[str, ObjectiveEntry]:
    """Write the trees of each objective that has its own, and return what the manifest says of all."""
    entries: dict[str, ObjectiveEntry] = {}
    for name, learnt in ranker.objectives.items():
        graph = None
        if learnt.booster_text is not None:
            graph = f"objective_{name}.onnx"
            _write_graph(build_trees(learnt.booster_text, columns=ranker.columns), folder / graph)
        entries[name] = ObjectiveEntry(
            graph=graph,
            positives=learnt.positives,
            scores=learnt.scores,
            chances=learnt.chances,
            reliability=tuple(
                ReliabilityBin(candidates=each.candidates, expected=each.expected, observed=each.observed)
                for each in learnt.reliability
            ),
            error=learnt.error,
            rate=learnt.rate,
        )
    return entries


def _manifest_of(
    fitted: FittedModelSet,
    folder: Path,
    sources: dict[str, SourceEntry],
    ranker: RankerEntry | None,
    golden_seed: int,
    feature_views: Mapping[str, int],
) -> Manifest:
    files = {
        path.relative_to(folder).as_posix(): FileEntry(sha256=sha256_of(path), size_bytes=path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    data = fitted.data_range
    return Manifest(
        schema_version=names.SCHEMA_VERSION,
        created_at_ms=time.time_ns() // 1_000_000,
        n_items=len(fitted.item_ids),
        sources=sources,
        ranker=ranker,
        fusion=FusionEntry(weights=dict(fitted.fusion.weights), k=float(fitted.fusion.k)),
        files=files,
        feature_views=dict(feature_views),
        data_range=DataRangeEntry(
            first_ms=data.first_ms,
            last_ms=data.last_ms,
            interactions=data.interactions,
            sessions=data.sessions,
            users=data.users,
        ),
        seeds={**fitted.seeds, "golden": golden_seed},
        parameters={part: dict(values) for part, values in fitted.parameters.items()},
        metrics={name: dict(values) for name, values in fitted.metrics.items()},
        library_versions={name: metadata.version(name) for name in _LIBRARIES},
    )


def _ranking_tables(ranker: Ranker) -> dict[str, NDArray[Any]]:
    return {field.name: getattr(ranker.tables, field.name) for field in fields(ranker.tables)}


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_shapes(fitted: FittedModelSet) -> None:
    """Refuse arrays that disagree, before anything is written; ONNX would only notice when asked."""
    n_items = len(fitted.item_ids)
    rows: dict[str, NDArray[Any]] = {
        "als.item_factors": fitted.als.item_factors,
        "sessions.postings": fitted.sessions.postings,
        "sessions.item_weights": fitted.sessions.item_weights,
        "popularity.recent": fitted.popularity.recent,
        "popularity.all_time": fitted.popularity.all_time,
        **{f"neighbours[{table.name}].indices": table.indices for table in fitted.neighbours},
        **{f"neighbours[{table.name}].weights": table.weights for table in fitted.neighbours},
    }
    if fitted.ranker is not None:
        rows |= {f"ranker.tables.{name}": table for name, table in _ranking_tables(fitted.ranker).items()}
    for name, array in rows.items():
        if len(array) != n_items:
            raise ExportFailed(f"{name} has {len(array)} rows, but there are {n_items} item ids")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ExportFailed(f"{name} holds values that are not finite numbers; the fit diverged")
    if n_items < 2 or fitted.item_ids[0] != "" or len(set(fitted.item_ids)) != n_items:
        raise ExportFailed("item_ids must begin with the empty string (the padding item) and hold no id twice")
    if len(fitted.sessions.session_items) != len(fitted.sessions.session_weights):
        raise ExportFailed("sessions.session_items and sessions.session_weights differ in length")


def _write_graph(model: onnx.ModelProto, path: Path) -> None:
    path.write_bytes(model.SerializeToString())


def _write_array(array: NDArray[Any], path: Path) -> None:
    np.save(path, np.ascontiguousarray(array, np.float32), allow_pickle=False)
