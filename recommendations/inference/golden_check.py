"""Ask a version its golden questions, in a process of its own: ``python -m recommendations.inference.golden_check``.

A graph that takes all memory, never ends or crashes the runtime takes this process down, not the one that
serves.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from recommendations.core.manifest import GOLDEN_NAME, read_manifest
from recommendations.exceptions import (
    InvalidQuery,
    ModelUnavailable,
    RecommendationError,
    RefusalReason,
    VersionRefused,
)
from recommendations.inference.graph_check import check_graph
from recommendations.inference.model_set import ModelSet
from recommendations.inference.queries import MAX_K, RetrievalQuery

LEAST_AGREEMENT = 0.97
"""Share of golden scores that must agree. Not 1: float32 may break ties between past sessions differently."""

RELATIVE_TOLERANCE = 2e-3
REFUSED_EXIT = 3


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the check found; printed as one line of JSON."""

    reason: RefusalReason | None = None
    message: str = ""
    agreement: dict[str, float] = {}
    p50_ms: float = 0.0
    p99_ms: float = 0.0


def check_answers(folder: Path) -> Verdict:
    """Check every graph's structure, then its answers to the golden questions.

    Raises
    ------
    VersionRefused
        With the first thing that is wrong.
    """
    manifest = read_manifest(folder)
    for name in manifest.files:
        if name.endswith(".onnx"):
            check_graph(folder / name)
    try:
        model_set = ModelSet.load(folder, providers="cpu")
        golden = _load_golden(folder / GOLDEN_NAME)
        agreement = {name: _agreement(model_set, name, golden) for name in model_set.sources}
        if manifest.ranker is not None:
            scores = model_set.rank(golden["ranker.matrix"])
            agrees = np.isclose(scores, golden["ranker.score"], rtol=1e-3, atol=1e-4)
            agreement["ranker"] = float(agrees.mean())
            for name, found in model_set.objective_scores(golden["ranker.matrix"]).items():
                expected = golden[f"objective_{name}.score"]
                agreement[f"objective_{name}"] = float(np.isclose(found, expected, rtol=1e-3, atol=1e-4).mean())
    except (InvalidQuery, ModelUnavailable, KeyError, ValueError, IndexError) as error:
        raise VersionRefused(RefusalReason.CORRUPT, f"the version cannot answer: {error}") from error
    for name, share in agreement.items():
        if not share >= LEAST_AGREEMENT:
            raise VersionRefused(
                RefusalReason.WRONG_ANSWERS,
                f"{name} agrees with {share:.1%} of its golden scores, less than {LEAST_AGREEMENT:.0%}; export again",
            )
    p50_ms, p99_ms = _latency_ms(model_set, golden["items"])
    return Verdict(agreement=agreement, p50_ms=p50_ms, p99_ms=p99_ms)


def _load_golden(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _agreement(model_set: ModelSet, source: str, golden: dict[str, NDArray[Any]]) -> float:
    """Return the share of golden scores of one source that it gives: its best, and those of given items."""
    agreeing: list[NDArray[np.bool_]] = []
    questions = zip(
        golden["items"],
        golden[f"{source}.top"],
        golden[f"{source}.probe"],
        golden[f"{source}.probe_score"],
        strict=True,
    )
    for items, top, probe, probe_score in questions:
        tolerance = RELATIVE_TOLERANCE * float(np.abs(top).max())
        best = model_set.retrieve(RetrievalQuery(indices=items, k=len(top), sources=(source,)))[source]
        given = np.zeros(len(top))
        given[: len(best.score)] = best.score
        agreeing.append(np.isclose(given, top, rtol=0.0, atol=tolerance))
        answer = model_set.retrieve(
            RetrievalQuery(indices=items, candidates=probe, k=min(len(probe), MAX_K), sources=(source,))
        )[source]
        scores = dict(zip(answer.indices.tolist(), answer.score.tolist(), strict=True))
        asked = np.array([scores.get(item, 0.0) for item in probe.tolist()])
        agreeing.append(np.isclose(asked, probe_score, rtol=0.0, atol=tolerance))
    return float(np.concatenate(agreeing).mean())


def _latency_ms(model_set: ModelSet, histories: NDArray[np.int64], *, runs: int = 100) -> tuple[float, float]:
    """Return median and 99th percentile of one request to all sources, in milliseconds on this machine."""
    taken = []
    for run in range(runs):
        query = RetrievalQuery(indices=histories[run % len(histories)])
        started = time.perf_counter()
        model_set.retrieve(query)
        taken.append((time.perf_counter() - started) * 1e3)
    return float(np.percentile(taken, 50)), float(np.percentile(taken, 99))


def main(arguments: list[str]) -> int:
    """Check the folder under the limits given: ``FOLDER MEMORY_BYTES CPU_SECONDS``."""
    folder, memory_bytes, cpu_seconds = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has nothing to write but its verdict, to a pipe
    try:
        verdict = check_answers(folder)
    except VersionRefused as refusal:
        verdict = Verdict(reason=refusal.reason, message=str(refusal))
    except (RecommendationError, MemoryError) as error:
        verdict = Verdict(reason=RefusalReason.CHECK_FAILED, message=f"the check failed: {error!r}")
    sys.stdout.buffer.write(msgspec.json.encode(verdict) + b"\n")
    return REFUSED_EXIT if verdict.reason else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
