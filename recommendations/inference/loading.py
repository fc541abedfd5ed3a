"""Load the parts of a model version: which provider runs it, its sources, arrays and item ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from recommendations.core.manifest import Manifest
from recommendations.exceptions import ModelUnavailable
from recommendations.inference.batching import BatchedScorer
from recommendations.inference.runtime import (
    GraphSession,
    Provider,
    announce_once,
    gpu_is_present,
    load_session,
)
from recommendations.inference.sources import FoldInSource, Source, SparseSource

Providers = Literal["auto", "cpu", "cuda"]


def provider_for(providers: Providers) -> Provider:
    """Return what to try, and say once why the GPU is left alone."""
    if providers == "cpu":
        return "cpu"
    if not gpu_is_present():
        if providers == "cuda":
            raise ModelUnavailable("providers='cuda', but no NVIDIA device is visible; use 'auto' or 'cpu'")
        announce_once("provider", "inference.provider provider=cpu reason=no_gpu")
        return "cpu"
    return "cuda"


def load_sources(folder: Path, manifest: Manifest, provider: Provider) -> list[Source]:
    """Return the sources of a version, one a graph; raises ``ModelUnavailable`` for a graph that cannot be loaded."""
    sources: list[Source] = []
    tables: dict[str, list[tuple[int, str]]] = {}
    for name, entry in manifest.sources.items():
        if entry.kind == "neighbours":
            tables.setdefault(entry.graph, []).append((entry.row, name))
        elif entry.kind == "session_knn":
            sources.append(SparseSource((name,), load_session(folder / entry.graph), last_n=entry.last_n))
        elif entry.kind == "fold_in":
            scorer = None
            if provider == "cuda" and entry.cuda_graph is not None:
                scorer = _device_scorer(folder / entry.cuda_graph, entry.last_n)
            session = load_session(folder / entry.graph)
            sources.append(FoldInSource(name, session, last_n=entry.last_n, scorer=scorer))
        else:
            raise ModelUnavailable(f"source {name!r} is of the unknown kind {entry.kind!r}; this release is too old")
    for graph, rows in tables.items():
        if [row for row, _ in sorted(rows)] != list(range(len(rows))):
            raise ModelUnavailable(f"the sources of {graph} do not name each of its rows once; export again")
        ordered = tuple(name for _, name in sorted(rows))
        last_n = max(manifest.sources[name].last_n for name in ordered)
        sources.append(SparseSource(ordered, load_session(folder / graph), last_n=last_n))
    return sources


def _device_scorer(path: Path, last_n: int) -> BatchedScorer | None:
    """Return a warm scorer on the GPU; None, said once, where CUDA does not work in spite of the GPU."""
    try:
        session = load_session(path, provider="cuda")
        if session.provider == "cuda":
            scorer = scorer_of(session, last_n)
            scorer.warm_up()
            announce_once("provider", "inference.provider provider=cuda")
            return scorer
        reason = "this process has no CUDA session; install CUDA 13, cuBLAS and cuDNN"
    except ModelUnavailable as error:
        reason = str(error)
    announce_once("provider", "inference.provider provider=cpu reason=cuda_failed detail=%r", reason)
    return None


def scorer_of(session: GraphSession, last_n: int) -> BatchedScorer:
    """Return the batched scorer of a loaded CUDA graph, in the shapes that the graph has."""
    n_rows, n_answers = int(session.input_shapes["item_bias"][0]), int(session.output_shapes["top_index"][1])
    return BatchedScorer(session, length=last_n, n_rows=n_rows, n_answers=n_answers)


def load_array(path: Path, *, n_items: int) -> NDArray[Any]:
    """Map an array into memory: processes of one machine share its pages."""
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{path} cannot be loaded: {error}") from error
    if len(array) != n_items:
        raise ModelUnavailable(f"{path} has {len(array)} rows, the manifest says {n_items}")
    return array


def load_item_ids(path: Path, n_items: int) -> list[str]:
    """Return the item ids by item index; raises ``ModelUnavailable`` when they are not as many as the manifest says."""
    try:
        item_ids = msgspec.json.decode(path.read_bytes(), type=list[str])
    except (OSError, msgspec.DecodeError) as error:
        raise ModelUnavailable(f"{path} cannot be loaded: {error}") from error
    if len(item_ids) != n_items:
        raise ModelUnavailable(f"{path} holds {len(item_ids)} item ids, the manifest says {n_items}")
    return item_ids
