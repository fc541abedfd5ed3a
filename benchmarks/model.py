"""The fold-in graph beside ``implicit``, faiss, hnswlib and the time it takes to read its bytes.

One thread. The question is the same everywhere: 50 interactions, their items excluded, the best 20 of all items.
``implicit`` solves the shopper and scores (``recalculate_user=True``); faiss and hnswlib are handed the solved
vector and exclude nothing, so they do less. Contenders take turns within a round, so that a busy machine slows them
alike.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import hnswlib
import numpy as np
import psutil
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks import gpu as gpu_benchmark
from benchmarks import model_data
from benchmarks.report import print_table
from recommendations.graphs.builder import HIDDEN
from recommendations.graphs.fold_in import Target, build_fold_in
from recommendations.graphs.quantise import block_size
from recommendations.inference.huge_pages import use_huge_pages
from recommendations.inference.runtime import GraphSession, load_session
from recommendations.training.fitted import AlsFactors

N_FACTORS = 128
N_INTERACTIONS = 50
N_ANSWERS = 20
BATCHES = (1, 8, 32)
READERS = ("read_dot", "read_max", "read_or")
SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}

FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.int64]
Call = Callable[[int], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The same questions for every contender."""

    items: list[IndexArray]
    vectors: FloatArray  # solved in float64, (n, n_factors)
    expected: list[set[int]]  # the best without the session's items
    expected_all: list[set[int]]  # the best of all, for contenders that exclude nothing


def run(*, quick: bool, gpu: bool = False) -> dict[str, float]:
    """Measure all sizes and return the figures; ``quick`` asks fewer times and leaves hnswlib out at 100k.

    Raises ``NotHere`` before anything is measured where ``gpu`` is wanted and there is none.
    """
    on_gpu = gpu_benchmark.run(quick=quick) if gpu else {}
    faiss.omp_set_num_threads(1)
    figures: dict[str, float] = {}
    rows: list[list[object]] = []
    batch_rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for label, n_items in SIZES.items():
            n_questions, rounds = (64, 8) if not quick else (32, 3) if n_items <= 100_000 else (8, 2)
            measured = _measure(n_items, Path(folder), n_questions=n_questions, rounds=rounds, quick=quick)
            figures |= {f"{key}_{label}": value for key, value in measured.items()}
            rows += _rows(label, measured)
            batch_rows.append(
                [label, *(measured[f"batch_{size}_ms_per_request"] for size in BATCHES)]
                + [measured[key] for key in ("load_s", "memory_mb", "file_mb", "floor_ms")]
            )
    figures["overlap_at_20"] = figures["overlap_100k"]
    for label in SIZES:
        figures[f"time_ratio_to_implicit_{label}"] = figures[f"graph_ms_{label}"] / figures[f"implicit_ms_{label}"]
        figures[f"time_ratio_to_faiss_{label}"] = figures[f"graph_ms_{label}"] / figures[f"faiss_ms_{label}"]
        figures[f"floor_ratio_{label}"] = figures[f"graph_ms_{label}"] / figures[f"floor_ms_{label}"]
    print_table(
        f"One request, one thread, {N_FACTORS} factors",
        ["items", "by", "p50 ms", "p95 ms", "of graph", "overlap@20", "does"],
        rows,
    )
    figures |= on_gpu
    print_table(
        "The graph in batches, in memory, and its floor",
        ["items", *(f"batch {size}: ms a request" for size in BATCHES), "load s", "memory MB", "file MB", "floor ms"],
        batch_rows,
        caption="load: from file to first answer, while another version serves · floor: reading the table at 8 bits",
    )
    return figures


def _measure(n_items: int, folder: Path, *, n_questions: int, rounds: int, quick: bool) -> dict[str, float]:
    als = model_data.als_factors(n_items=n_items, n_factors=N_FACTORS)
    path = folder / f"{n_items}.onnx"
    path.write_bytes(build_fold_in(als, target=Target.CPU).SerializeToString())
    questions = _questions(als, n_questions)
    gc.collect()

    before = psutil.Process().memory_info().rss
    started = time.perf_counter()
    session = load_session(path)
    n_rows = int(session.input_shapes["item_bias"][0])
    bias = np.full(n_rows, HIDDEN, np.float32)
    bias[1:n_items] = 0.0
    feeds = [_feeds([items], bias) for items in questions.items]
    use_huge_pages()  # as ModelSet.load does
    session.run(feeds[0])
    load_s = time.perf_counter() - started
    memory_mb = (psutil.Process().memory_info().rss - before) / 1e6

    baselines: dict[str, Call] = {"graph": lambda i: session.run(feeds[i])[0][0]}
    baselines |= _readers(n_rows)
    baselines["implicit"] = _implicit(als, questions.items)
    flat = faiss.IndexFlatIP(N_FACTORS)
    flat.add(als.item_factors)
    baselines["faiss"] = lambda i: flat.search(questions.vectors[i : i + 1], N_ANSWERS)[1][0]
    if n_items <= (10_000 if quick else 100_000):
        baselines["hnswlib"] = _hnswlib(als.item_factors, questions.vectors)
    figures = {"load_s": load_s, "memory_mb": memory_mb, "file_mb": path.stat().st_size / 1e6}
    timed = _timed(baselines, n_questions=n_questions, rounds=rounds)
    figures["floor_ms"] = min(p50 for name, (p50, _, _) in timed.items() if name in READERS)
    for name, (p50, p95, answers) in timed.items():
        if name in READERS:
            continue
        excludes = name in ("graph", "implicit")
        expected = questions.expected if excludes else questions.expected_all
        shared = [len(set(map(int, answer)) & best) / N_ANSWERS for answer, best in zip(answers, expected, strict=True)]
        history = "" if name == "graph" else f"{name}_"
        figures |= {f"{name}_ms": p50, f"{name}_p95_ms": p95, f"{history}overlap": float(np.mean(shared))}
    for size in BATCHES:
        figures[f"batch_{size}_ms_per_request"] = _batch_ms(session, questions.items, bias, size, rounds)
    path.unlink()
    return figures


def _questions(als: AlsFactors, count: int) -> Questions:
    """Draw sessions and answer them exactly, in float64."""
    rng = np.random.default_rng(1)
    factors = als.item_factors
    gram = factors.T.astype(np.float64) @ factors + als.regularization * np.eye(N_FACTORS)
    items, vectors, expected, expected_all = [], [], [], []
    for _ in range(count):
        drawn = np.empty(0, np.int64)
        while len(drawn) < N_INTERACTIONS:
            more = model_data.popular_items(rng, n_items=len(factors), shape=(N_INTERACTIONS,))
            drawn = np.unique(np.concatenate([drawn, more]))
        chosen = rng.permutation(drawn)[:N_INTERACTIONS]
        gathered = factors[chosen].astype(np.float64)
        left = gram + als.alpha * gathered.T @ gathered
        vector = np.linalg.solve(left, (1 + als.alpha) * gathered.sum(axis=0))
        scores = factors @ vector.astype(np.float32)
        best = np.argsort(-scores[1:], kind="stable")[: N_ANSWERS + N_INTERACTIONS] + 1
        items.append(chosen)
        vectors.append(vector)
        expected_all.append(set(best[:N_ANSWERS].tolist()))
        expected.append(set([item for item in best.tolist() if item not in set(chosen.tolist())][:N_ANSWERS]))
    return Questions(items=items, vectors=np.asarray(vectors, np.float32), expected=expected, expected_all=expected_all)


def _feeds(sessions: list[IndexArray], bias: FloatArray) -> dict[str, NDArray[Any]]:
    index = np.stack(sessions)
    batch, length = index.shape
    return {
        "item_index": index,
        "weight": np.ones((batch, length), np.float32),
        "age": np.zeros((batch, length), np.float32),
        "is_last": np.ones((batch, length), np.float32),
        "exclude": index,
        "item_bias": bias,
        "k": np.array([N_ANSWERS], np.int64),
        "candidates": np.empty(0, np.int64),
    }


def _implicit(als: AlsFactors, sessions: list[IndexArray]) -> Call:
    n_items = len(als.item_factors)
    model = AlternatingLeastSquares(
        factors=N_FACTORS, regularization=als.regularization, alpha=1.0, num_threads=1, random_state=0
    )
    model.item_factors = als.item_factors
    model.user_factors = np.zeros((1, N_FACTORS), np.float32)
    confidence = np.full(N_INTERACTIONS, 1 + als.alpha, np.float32)
    rows = [csr_matrix((confidence, (np.zeros(len(items), np.int32), items)), shape=(1, n_items)) for items in sessions]

    def ask(i: int) -> Any:
        return model.recommend(0, rows[i], N=N_ANSWERS, recalculate_user=True, filter_already_liked_items=True)[0]

    return ask


def _hnswlib(factors: FloatArray, vectors: FloatArray) -> Call:
    index = hnswlib.Index(space="ip", dim=N_FACTORS)
    index.init_index(max_elements=len(factors), ef_construction=200, M=32, random_seed=0)
    index.add_items(factors, num_threads=4)
    index.set_ef(128)
    index.set_num_threads(1)
    return lambda i: index.knn_query(vectors[i : i + 1], k=N_ANSWERS)[0][0]


def _timed(
    baselines: Mapping[str, Call], *, n_questions: int, rounds: int
) -> dict[str, tuple[float, float, list[NDArray[Any]]]]:
    """Return p50 and p95 in milliseconds and the answers of each contender."""
    answers = {name: [ask(i) for i in range(n_questions)] for name, ask in baselines.items()}
    taken: dict[str, list[float]] = {name: [] for name in baselines}
    for _ in range(rounds):
        for name, ask in baselines.items():
            for i in range(n_questions):
                started = time.perf_counter()
                ask(i)
                taken[name].append((time.perf_counter() - started) * 1e3)
    return {
        name: (float(np.percentile(times, 50)), float(np.percentile(times, 95)), answers[name])
        for name, times in taken.items()
    }


def _batch_ms(session: GraphSession, items: list[IndexArray], bias: FloatArray, size: int, rounds: int) -> float:
    """Return the median milliseconds a request takes as one of ``size`` in a batch."""
    batches = [_feeds([items[(start + i) % len(items)] for i in range(size)], bias) for start in range(6)]
    session.run(batches[0])
    taken = []
    for _ in range(rounds):
        for feeds in batches:
            started = time.perf_counter()
            session.run(feeds)
            taken.append((time.perf_counter() - started) * 1e3 / size)
    return float(np.median(taken))


def _readers(n_rows: int) -> dict[str, Call]:
    """Return three ways to read as many bytes as the codes and scales have, once; the fastest is the floor."""
    scales = n_rows * (N_FACTORS // block_size(N_FACTORS))
    table = np.ones((n_rows * N_FACTORS + 4 * scales) // 4, np.float32)
    words = table.view(np.int32)
    readers: tuple[Call, ...] = (
        lambda _: np.dot(table, table),
        lambda _: table.max(),
        lambda _: np.bitwise_or.reduce(words),
    )
    return dict(zip(READERS, readers, strict=True))


def _rows(label: str, measured: dict[str, float]) -> list[list[object]]:
    does = {
        "graph": "solve, score, exclude, bias",
        "implicit": "solve, score, exclude",
        "faiss": "score",
        "hnswlib": "score, approximately",
    }
    rows: list[list[object]] = []
    for name, what in does.items():
        if f"{name}_ms" in measured:
            overlap = measured["overlap" if name == "graph" else f"{name}_overlap"]
            ratio = measured[f"{name}_ms"] / measured["graph_ms"]
            rows.append([label, name, measured[f"{name}_ms"], measured[f"{name}_p95_ms"], ratio, overlap, what])
    return rows
