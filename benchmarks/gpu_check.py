"""Check a GPU: ``python -m benchmarks.gpu_check [--items N]``; run it wherever there is one, see ``docs/models.md``.

Says whether CUDA really runs, that no operator falls back to the CPU, that GPU and CPU give the same lists, and how
long a request takes alone and in batches. Ends with 0 when all checks pass, 1 when one fails, 3 without a GPU.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks import model_data
from benchmarks.report import machine, print_table
from recommendations.graphs.builder import HIDDEN
from recommendations.graphs.fold_in import Target, build_fold_in
from recommendations.inference.batching import BUCKETS, BatchedScorer, DenseRequest
from recommendations.inference.device import missing_part
from recommendations.inference.loading import scorer_of
from recommendations.inference.queries import RetrievalQuery, history_of
from recommendations.inference.runtime import check_runtime, load_session, operators_by_provider
from recommendations.training.fitted import AlsFactors

N_REQUESTS = 200
N_ANSWERS = 20
LEAST_OVERLAP = 0.999
SCORE_TOLERANCE = 1e-3


def main() -> int:
    """Run the checks and print one line of JSON at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_check", description=__doc__)
    parser.add_argument("--items", type=int, default=100_000, metavar="N", help="items of the made-up model")
    options = parser.parse_args()
    for problem in check_runtime():
        print(f"FAILED {problem.message}\n  {problem.hint}", file=sys.stderr)
        return 1
    if (missing := missing_part()) is not None:
        print(f"nothing was checked, {missing}", file=sys.stderr)
        return 3
    als = model_data.als_factors(n_items=options.items)
    with tempfile.TemporaryDirectory() as folder:
        return _check(als, Path(folder))


def _check(als: AlsFactors, folder: Path) -> int:
    paths = {target: folder / f"{target.value}.onnx" for target in Target}
    for target, path in paths.items():
        path.write_bytes(build_fold_in(als, target=target).SerializeToString())
    device = load_session(paths[Target.CUDA], provider="cuda")
    checks = {"session runs on CUDA": device.provider == "cuda"}
    figures: dict[str, float] = {}
    if device.provider == "cuda":
        placed = operators_by_provider(paths[Target.CUDA])
        checks["no operator falls back"] = set(placed) == {"CUDAExecutionProvider"}
        print(f"operators by provider: { {name: sorted(set(ops)) for name, ops in placed.items()} }")
        scorer = scorer_of(device, als.last_n)
        started = time.perf_counter()
        scorer.warm_up()
        figures["warm_up_s"] = time.perf_counter() - started
        overlap, error = _compare(als, paths[Target.CPU], scorer)
        figures |= {"overlap_at_20": overlap, "score_error": error}
        checks[f"overlap@20 with the CPU is at least {LEAST_OVERLAP}"] = overlap >= LEAST_OVERLAP
        checks[f"scores differ by less than {SCORE_TOLERANCE} of the best"] = error < SCORE_TOLERANCE
        figures |= _timed(als, scorer)
        scorer.close()
    print_table(
        "GPU check", ["check", "passed"], [[name, "yes" if passed else "NO"] for name, passed in checks.items()]
    )
    print(json.dumps({"benchmark": "gpu_check", "machine": machine(), "figures": figures, "checks": checks}))
    return 0 if all(checks.values()) else 1


def _requests(als: AlsFactors) -> list[DenseRequest]:
    rng = np.random.default_rng(0)
    n_items = len(als.item_factors)
    bias = np.zeros(n_items, np.float32)
    bias = np.concatenate([bias, np.full(-n_items % 32, HIDDEN, np.float32)])
    bias[0] = HIDDEN
    requests = []
    for _ in range(N_REQUESTS):
        items = model_data.popular_items(rng, n_items=n_items, shape=(int(rng.integers(1, als.last_n + 1)),))
        history = history_of(RetrievalQuery(indices=items), n_items=n_items)
        if history is not None:
            requests.append(DenseRequest(history=history, item_bias=bias, exclude=items))
    return requests


def _compare(als: AlsFactors, cpu_graph: Path, scorer: BatchedScorer) -> tuple[float, float]:
    """Return overlap@20 and the greatest difference of scores, as a share of the best score."""
    cpu = load_session(cpu_graph)
    overlaps, errors = [], []
    for request in _requests(als):
        history = request.history
        expected_index, expected_score = cpu.run(
            {
                "item_index": history.indices[None],
                "weight": history.weight[None],
                "age": history.age[None],
                "is_last": history.is_last[None],
                "exclude": request.exclude[None],
                "item_bias": request.item_bias,
                "k": np.array([N_ANSWERS], np.int64),
                "candidates": np.empty(0, np.int64),
            }
        )
        index, score = scorer.score(request)
        overlaps.append(len(set(index[:N_ANSWERS].tolist()) & set(expected_index[0].tolist())) / N_ANSWERS)
        errors.append(float(np.abs(score[:N_ANSWERS] - expected_score[0]).max() / abs(expected_score[0][0])))
    return float(np.mean(overlaps)), max(errors)


def _timed(als: AlsFactors, scorer: BatchedScorer) -> dict[str, float]:
    """Return milliseconds of a request alone, and requests a second with as many clients as a batch holds."""
    requests = _requests(als)
    figures = {}
    alone = []
    for request in requests * 5:
        started = time.perf_counter()
        scorer.score(request)
        alone.append((time.perf_counter() - started) * 1e3)
    figures["alone_p50_ms"], figures["alone_p99_ms"] = (float(np.percentile(alone, p)) for p in (50, 99))
    for clients in BUCKETS:
        with ThreadPoolExecutor(clients) as pool:
            started = time.perf_counter()
            list(pool.map(scorer.score, requests * 10))
            figures[f"requests_per_s_{clients}_clients"] = len(requests) * 10 / (time.perf_counter() - started)
    return figures


if __name__ == "__main__":
    sys.exit(main())
