"""A GPU beside the CPU, for ``python -m benchmarks model --gpu``: the same sessions, their best 20 of all items.

Batches of 1, 8, 32 and 128 are timed from NumPy arrays to NumPy arrays, copies to the device and back included, as the
scorer of a web process runs them. The CPU's graph answers the same batches on one thread, in turns with the device. The
floor is a graph on the same provider that reads as many bytes as the coarse scores need, once. Each graph is one file
of less than 2 GB, which 6.5 million items keep with 32 factors, not with 128.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks import model_data
from benchmarks.report import NotHere, print_table
from recommendations.graphs.builder import HIDDEN, GraphBuilder
from recommendations.graphs.fold_in import Target, build_fold_in
from recommendations.inference.batching import BUCKETS, Bucket, DenseRequest
from recommendations.inference.device import missing_part
from recommendations.inference.queries import RetrievalQuery, history_of
from recommendations.inference.runtime import BoundRun, DeviceArray, GraphSession, Provider, load_session
from recommendations.training.fitted import AlsFactors

SIZES: Final = {"100k": (100_000, 128), "1m": (1_000_000, 128), "6_5m": (6_500_000, 32)}
"""Items and factors of each model."""

N_ANSWERS: Final = 20
Call = Callable[[], Any]


def require_gpu() -> None:
    """Raise ``NotHere`` with what is missing and the remedy, unless device, driver and libraries are there."""
    if (missing := missing_part()) is not None:
        raise NotHere(f"no GPU was measured, {missing}")


def run(*, quick: bool) -> dict[str, float]:
    """Measure all sizes, with ``quick`` the smallest, and return the figures."""
    require_gpu()
    return measured({"100k": SIZES["100k"]} if quick else SIZES, provider="cuda", rounds=20 if quick else 100)


def measured(sizes: dict[str, tuple[int, int]], *, provider: Provider, rounds: int) -> dict[str, float]:
    """Return the figures of models of these sizes on a provider beside the CPU, and print them."""
    figures: dict[str, float] = {}
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for label, (n_items, n_factors) in sizes.items():
            als = model_data.als_factors(n_items=n_items, n_factors=n_factors)
            found = _one_size(als, Path(folder), provider=provider, rounds=rounds)
            figures |= {f"{name}_{label}": value for name, value in found.items()}
            rows += [
                [
                    label, n_factors, size, found[f"gpu_batch_{size}_ms"], found[f"cpu_batch_{size}_ms"],
                    found[f"gpu_batch_{size}_lists_per_s"], found[f"times_the_cpu_batch_{size}"],
                    found["gpu_floor_ms"], found["gpu_overlap"],
                ]
                for size in BUCKETS
            ]  # fmt: skip
    print_table(
        "A GPU beside one thread of the CPU",
        ["items", "factors", "batch", "GPU ms", "CPU ms", "GPU lists/s", "times CPU", "GPU floor ms", "overlap@20"],
        rows,
        caption="p50 of a whole batch; the floor reads the half-precision table once",
    )
    return figures


def _one_size(als: AlsFactors, folder: Path, *, provider: Provider, rounds: int) -> dict[str, float]:
    sessions: dict[Target, GraphSession] = {}
    for target, where in ((Target.CPU, "cpu"), (Target.CUDA, provider)):
        path = folder / f"{target.value}.onnx"
        path.write_bytes(build_fold_in(als, target=target).SerializeToString())
        sessions[target] = load_session(path, provider="cuda" if where == "cuda" else "cpu")
        path.unlink()
    device, cpu = sessions[Target.CUDA], sessions[Target.CPU]
    if device.provider != provider:
        raise NotHere("no GPU was measured: the runtime gave a session on the CPU; look at nvidia-smi")
    n_items = len(als.item_factors)
    n_rows, n_answers = int(device.input_shapes["item_bias"][0]), int(device.output_shapes["top_index"][1])
    bias = np.full(n_rows, HIDDEN, np.float32)
    bias[1:n_items] = 0.0
    on_device = DeviceArray(bias, provider=provider)
    requests = _requests(als, bias, count=BUCKETS[-1])
    figures = {"gpu_floor_ms": _floor_ms(n_rows, als.item_factors.shape[1], folder, provider, rounds)}
    overlaps: list[float] = []
    for size in BUCKETS:
        bucket = Bucket(device, size, length=als.last_n, n_answers=n_answers, bias=on_device)
        asked = requests[:size]
        feeds = _feeds(asked, als.last_n)
        gpu_ms, cpu_ms, answers, expected = _in_turns(
            partial(bucket.run, asked),
            partial(cpu.run, feeds),
            rounds=max(rounds // size, 3),
        )
        overlaps += [
            len(set(index[:N_ANSWERS].tolist()) & set(best.tolist())) / N_ANSWERS
            for (index, _), best in zip(answers, expected[0], strict=True)
        ]
        figures |= {
            f"gpu_batch_{size}_ms": gpu_ms,
            f"cpu_batch_{size}_ms": cpu_ms,
            f"gpu_batch_{size}_lists_per_s": size * 1e3 / gpu_ms,
            f"cpu_batch_{size}_lists_per_s": size * 1e3 / cpu_ms,
            f"times_the_cpu_batch_{size}": cpu_ms / gpu_ms,
        }
    return {**figures, "gpu_overlap": float(np.mean(overlaps))}


def _requests(als: AlsFactors, bias: NDArray[np.float32], *, count: int) -> list[DenseRequest]:
    rng = np.random.default_rng(2)
    n_items = len(als.item_factors)
    found: list[DenseRequest] = []
    while len(found) < count:
        items = model_data.popular_items(rng, n_items=n_items, shape=(als.last_n,))
        history = history_of(RetrievalQuery(indices=items), n_items=n_items)
        if history is not None:
            found.append(DenseRequest(history=history.newest(als.last_n), item_bias=bias, exclude=items))
    return found


def _feeds(requests: list[DenseRequest], length: int) -> dict[str, NDArray[Any]]:
    """Return the same requests as the CPU's graph takes them, padded like those of the device."""
    fields = {"item_index": "indices", "weight": "weight", "age": "age", "is_last": "is_last"}
    feeds: dict[str, NDArray[Any]] = {}
    for name, field in fields.items():
        values = [getattr(request.history, field) for request in requests]
        feeds[name] = np.stack([np.pad(value, (length - len(value), 0)) for value in values])
    feeds["exclude"] = np.stack([request.exclude for request in requests])
    feeds["item_bias"] = requests[0].item_bias
    feeds["k"] = np.array([N_ANSWERS], np.int64)
    feeds["candidates"] = np.empty(0, np.int64)
    return feeds


def _in_turns(gpu: Call, cpu: Call, *, rounds: int) -> tuple[float, float, Any, Any]:
    """Return p50 of both in milliseconds, and what they answered; the first calls are not counted."""
    gpu()  # on CUDA the first run is captured
    answers, expected = gpu(), cpu()
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for times, ask in zip(taken, (gpu, cpu), strict=True):
            started = time.perf_counter()
            ask()
            times.append((time.perf_counter() - started) * 1e3)
    return float(np.median(taken[0])), float(np.median(taken[1])), answers, expected


def _floor_ms(n_rows: int, n_factors: int, folder: Path, provider: Provider, rounds: int) -> float:
    """Return p50 of reading a table of half-precision numbers once, on the provider."""
    g = GraphBuilder("floor")
    table = g.input("table", np.float16, [n_rows, n_factors])
    g.output("greatest", g.op("Cast", g.op("ReduceMax", table, keepdims=0), to=1), np.float32, [])
    path = folder / "floor.onnx"
    path.write_bytes(g.build().SerializeToString())
    session = load_session(path, provider=provider)
    values = DeviceArray(np.ones((n_rows, n_factors), np.float16), provider=provider)
    bound = BoundRun(session, {"table": values}, {"greatest": ((), np.float32)}, graph_id=1)
    bound.run()
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        bound.run()
        taken.append((time.perf_counter() - started) * 1e3)
    return float(np.median(taken))
