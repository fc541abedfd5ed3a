"""Load the parts of a model version: which provider runs it, its sources, arrays and item ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from recommendations.core.manifest import GOLDEN_NAME, Manifest, SourceEntry
from recommendations.exceptions import ModelUnavailable
from recommendations.inference.batching import BatchedScorer
from recommendations.inference.device import Device, GpuShortfall, Shortfall
from recommendations.inference.parity import LEAST_PARITY, parity_of
from recommendations.inference.runtime import GraphSession, announce_once, load_session
from recommendations.inference.sources import FoldInSource, Source, SparseSource


def load_sources(folder: Path, manifest: Manifest, device: Device) -> list[Source]:
    """Return the sources of a version, one a graph; what keeps them from the GPU is told to ``device``.

    Raises
    ------
    ModelUnavailable
        A graph for the CPU cannot be loaded.
    """
    sources: list[Source] = []
    tables: dict[str, list[tuple[int, str]]] = {}
    for name, entry in manifest.sources.items():
        if entry.kind == "neighbours":
            tables.setdefault(entry.graph, []).append((entry.row, name))
        elif entry.kind == "session_knn":
            sources.append(SparseSource((name,), load_session(folder / entry.graph), last_n=entry.last_n))
        elif entry.kind == "fold_in":
            session = load_session(folder / entry.graph)
            scorer = _device_scorer(folder, entry, session, n_items=manifest.n_items, device=device)
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


def _device_scorer(
    folder: Path, entry: SourceEntry, cpu: GraphSession, *, n_items: int, device: Device
) -> BatchedScorer | None:
    """Return a warm scorer on the GPU whose scores are those of the CPU; None where the CPU is to answer."""
    if device.provider != "cuda":
        return None
    if entry.cuda_graph is None:
        device.fall_back(GpuShortfall(reason=Shortfall.NO_GRAPH))
        return None
    scorer = None
    try:
        session = load_session(folder / entry.cuda_graph, provider="cuda")
        if session.provider != "cuda":
            device.fall_back(GpuShortfall(reason=Shortfall.NO_SESSION, detail="the runtime gave a session on the CPU"))
            return None
        scorer = scorer_of(session, entry.last_n)
        scorer.warm_up()
        parity = parity_of(scorer, cpu, _golden_histories(folder), n_items=n_items, last_n=entry.last_n)
    except ModelUnavailable as error:
        if scorer is not None:
            scorer.close()
        device.fall_back(GpuShortfall(reason=Shortfall.NO_SESSION, detail=str(error)))
        return None
    if parity < LEAST_PARITY:
        scorer.close()
        found = f"{parity:.1%} of its scores are the CPU's, less than {LEAST_PARITY:.0%}"
        device.fall_back(GpuShortfall(reason=Shortfall.OTHER_SCORES, detail=found))
        return None
    announce_once("provider:cuda", "inference.provider provider=cuda")
    return scorer


def _golden_histories(folder: Path) -> list[NDArray[np.int64]]:
    """Return the histories of a version's golden questions."""
    path = folder / GOLDEN_NAME
    try:
        with np.load(path, allow_pickle=False) as golden:
            return list(golden["items"])
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}") from error


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
