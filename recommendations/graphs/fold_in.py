"""ALS as one graph: solve the shopper's factor from the newest interactions, score all items, keep the best.

With Z = Y·R and R·Rᵀ = (YᵀY + λI)⁻¹ ("whitened" item factors) the normal equations of implicit-feedback ALS become (I
+ ZgᵀWZg) x = Zgᵀ(1 + r) over the few items g of the session, and the scores are Z·x: the same answer, but one matrix
serves both the gather and the scoring, and conjugate gradients need half of the steps, because the identity is the
perfect preconditioner for the other million items.

References
----------
Hu, Koren & Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import onnx
from numpy.typing import NDArray

from recommendations.graphs.builder import CONTRIB_DOMAIN, HIDDEN, IS_HIDDEN, GraphBuilder
from recommendations.graphs.quantise import BITS, quantise_rows
from recommendations.graphs.selection import best_of, padded_rows
from recommendations.training.fitted import AlsFactors

MOST_SOLVER_STEPS = 32
_SOLVED = 1e-4
_SAMPLED_SESSIONS = 48
RESCORED = 200  # best items by the coarse scores that are scored again in float32


class Target(StrEnum):
    """Where a graph is going to run; the arithmetic is the same, the coarse scores are not."""

    CPU = "cpu"  # 8-bit codes
    CUDA = "cuda"  # float16


def whiten(item_factors: NDArray[np.float32], regularization: float) -> NDArray[np.float32]:
    """Return Z = Y·R with R·Rᵀ = (YᵀY + λI)⁻¹, solved in float64.

    Parameters
    ----------
    item_factors : float32, shape (n_items, n_factors)
    regularization : float
        λ, positive.
    """
    factors = item_factors.astype(np.float64)
    gram = factors.T @ factors + regularization * np.eye(factors.shape[1])
    lower = np.linalg.cholesky(gram)
    return np.linalg.solve(lower, factors.T).T.astype(np.float32)


def solver_steps(whitened: NDArray[np.float32], *, alpha: float, length: int, seed: int = 0) -> int:
    """Return how many steps of conjugate gradients these factors need for four right digits of the scores.

    Each step costs 15 µs a request, and how many are needed depends on λ, α and on how rare the items of a session
    are: 5 for α = 2 and ten items, 12 for α = 40. So it is measured on sessions of items drawn evenly and on
    sessions of popular ones, and rounded up by one (benchmarks/model.py).
    """
    rng = np.random.default_rng(seed)
    n_items = len(whitened)
    sessions = [rng.integers(min(1, n_items - 1), n_items, length) for _ in range(_SAMPLED_SESSIONS)]
    sessions += [(n_items ** rng.random(length)).astype(np.int64) % n_items for _ in range(_SAMPLED_SESSIONS)]
    return 1 + max(_steps_for(whitened[items].astype(np.float64), alpha) for items in sessions)


def _steps_for(gathered: NDArray[np.float64], alpha: float) -> int:
    """Return the steps after which the solution for these items is right to ``_SOLVED``."""
    target = (1 + alpha) * gathered.sum(axis=0)
    system = np.eye(gathered.shape[1]) + alpha * gathered.T @ gathered
    exact = np.linalg.solve(system, target)
    solution = np.zeros_like(target)
    residual = direction = target
    for step in range(1, MOST_SOLVER_STEPS):
        applied = system @ direction
        length = (residual @ residual) / max(direction @ applied, 1e-30)
        solution = solution + length * direction
        if np.linalg.norm(solution - exact) <= _SOLVED * np.linalg.norm(exact):
            return step
        previous, residual = residual, residual - length * applied
        direction = residual + (residual @ residual) / max(previous @ previous, 1e-30) * direction
    return MOST_SOLVER_STEPS - 1


def build_fold_in(
    factors: AlsFactors, *, target: Target = Target.CPU, steps: int | None = None, rescored: int = RESCORED
) -> onnx.ModelProto:
    """Build the fold-in graph of one set of item factors.

    Inputs (B requests, L interactions, E exclusions, C candidates; pad with item 0)
        ``item_index`` int64 [B, L] · ``weight``, ``age``, ``is_last`` float32 [B, L]: weight 0 pads, age 0
        is the newest, ``is_last`` is 1 on the last occurrence of an item · ``exclude`` int64 [B, E] ·
        ``item_bias`` float32 [n_rows], added to the scores, and for the CPU ``k`` int64 [1] and
        ``candidates`` int64 [C]: when C > 0, those items are scored and nothing else is read.

    Outputs
        ``top_index`` int64 [B, K] and ``top_score`` float32 [B, K], best first; with candidates in their
        order. A score below ``IS_HIDDEN`` is no recommendation. For CUDA, K is always ``rescored``, since
        CUDA graphs want constant shapes.

    Notes
    -----
    A batch gives each row the answer it gets alone: nothing is scaled over the batch, which is what rules out
    DynamicQuantizeLinear.
    """
    n_items = factors.item_factors.shape[0]
    n_rows = padded_rows(n_items)
    rescored = min(rescored, n_items)
    whitened = np.zeros((n_rows, factors.item_factors.shape[1]), np.float32)
    whitened[:n_items] = whiten(factors.item_factors, factors.regularization)
    if steps is None:
        steps = solver_steps(whitened[:n_items], alpha=factors.alpha, length=factors.last_n)
    g = GraphBuilder("fold_in")
    item_index = g.input("item_index", np.int64, ["B", "L"])
    weight = g.input("weight", np.float32, ["B", "L"])
    age = g.input("age", np.float32, ["B", "L"])
    is_last = g.input("is_last", np.float32, ["B", "L"])
    exclude = g.input("exclude", np.int64, ["B", "E"])
    item_bias = g.input("item_bias", np.float32, [n_rows])

    rows = g.constant(whitened, "whitened")
    user = _solve(g, rows, item_index, weight, age, is_last, factors=factors, steps=steps)

    if target is Target.CUDA:
        index, score = _best(g, whitened, rows, user, item_bias, exclude, g.ints(rescored), g.ints(rescored), target)
    else:
        k = g.input("k", np.int64, [1])
        candidates = g.input("candidates", np.int64, ["C"])
        catalogue = g.branch("catalogue")
        # Twice k, so that an item whose coarse rank is a little off still is among the rescored ones.
        wanted = catalogue.op("Max", catalogue.op("Add", k, k), catalogue.ints(rescored))
        best = catalogue.op("Min", wanted, catalogue.ints(n_items))
        index, score = _best(catalogue, whitened, rows, user, item_bias, exclude, best, k, target)
        catalogue.output("best_index", index, np.int64, ["B", "K"])
        catalogue.output("best_score", score, np.float32, ["B", "K"])
        given = g.branch("given")
        index, score = _score_given(given, rows, user, item_bias, candidates)
        given.output("given_index", index, np.int64, ["B", "K"])
        given.output("given_score", score, np.float32, ["B", "K"])
        has_candidates = g.op("Greater", g.op("Size", candidates), g.constant(np.asarray(0, np.int64)))
        index, score = g.choose(has_candidates, then=given, otherwise=catalogue)
    g.output("top_index", index, np.int64, ["B", "K"])
    g.output("top_score", score, np.float32, ["B", "K"])
    return g.build()


def _solve(
    g: GraphBuilder,
    rows: str,
    item_index: str,
    weight: str,
    age: str,
    is_last: str,
    *,
    factors: AlsFactors,
    steps: int,
) -> str:
    """Solve (I + ZgᵀWZg) x = Zgᵀ(present + r) by unrolled conjugate gradients; returns x, [B, F]."""
    # r = α · weight · decay**age, as e**(age·ln decay): Exp has a vectorised kernel, Pow has not.
    recency = g.op("Exp", g.op("Mul", age, g.floats(np.log(max(factors.decay, 1e-30)))))
    excess = g.op("Mul", g.op("Mul", weight, g.floats(factors.alpha)), recency)
    # An item seen twice is gathered twice: its r add up by themselves, its 1 must count once.
    present = g.op("Mul", is_last, g.op("Cast", g.op("Greater", weight, g.floats(0.0)), to=1))
    row_axis, column_axis = g.ints(1), g.ints(2)
    gathered = g.op("Gather", rows, item_index, axis=0)  # [B, L, F]
    excess_column = g.op("Unsqueeze", excess, column_axis)  # [B, L, 1]
    target = g.op("MatMul", g.op("Unsqueeze", g.op("Add", excess, present), row_axis), gathered)  # [B, 1, F]
    as_column, as_row = g.ints(0, -1, 1), g.ints(0, 1, -1)
    tiny = g.floats(1e-20)

    def apply(vector: str) -> str:
        """(I + ZgᵀWZg) · vector."""
        per_item = g.op("Mul", g.op("MatMul", gathered, g.op("Reshape", vector, as_column)), excess_column)
        return g.op("Add", vector, g.op("MatMul", g.op("Reshape", per_item, as_row), gathered))

    def dot(left: str, right: str) -> str:
        return g.op("MatMul", left, g.op("Reshape", right, as_column))  # [B, 1, 1]

    residual = direction = target
    squared = dot(residual, residual)
    solution = ""
    for step in range(steps):
        applied = apply(direction)
        length = g.op("Div", squared, g.op("Add", dot(direction, applied), tiny))
        move = g.op("Mul", length, direction)
        solution = move if step == 0 else g.op("Add", solution, move)
        if step == steps - 1:
            break
        residual = g.op("Sub", residual, g.op("Mul", length, applied))
        next_squared = dot(residual, residual)
        turn = g.op("Div", next_squared, g.op("Add", squared, tiny))
        direction = g.op("Add", residual, g.op("Mul", turn, direction))
        squared = next_squared
    return g.op("Squeeze", solution, row_axis)


def _best(
    g: GraphBuilder,
    whitened: NDArray[np.float32],
    rows: str,
    user: str,
    item_bias: str,
    exclude: str,
    rescored: str,
    k: str,
    target: Target,
) -> tuple[str, str]:
    """Score the catalogue coarsely, the best of it again in float32, and keep k."""
    n_rows = whitened.shape[0]
    if target is Target.CPU:
        coded = quantise_rows(whitened)
        coarse = g.op(
            "MatMulNBits",
            user,
            g.constant(coded.codes, "codes"),
            g.constant(coded.scales, "scales"),
            domain=CONTRIB_DOMAIN,
            K=coded.columns,
            N=n_rows,
            bits=BITS,
            block_size=coded.block,
            accuracy_level=4,  # the row is rounded to 8 bits as well, each row with its own scales
        )
    else:
        half = g.constant(whitened.T.astype(np.float16), "half")
        coarse = g.op("Cast", g.op("MatMul", g.op("Cast", user, to=10), half), to=1)
    biased = g.op("Add", coarse, item_bias)
    hidden = g.op("Expand", g.floats(float(HIDDEN)), g.op("Shape", exclude))
    masked = g.op("ScatterElements", biased, exclude, hidden, axis=1)
    coarse_score, index = best_of(g, masked, rescored, n_scores=n_rows)
    exact = _scores_of(g, rows, user, index)
    exact = g.op("Add", exact, g.op("Gather", item_bias, index, axis=0))
    is_hidden = g.op("Less", coarse_score, g.floats(float(IS_HIDDEN)))
    exact = g.op("Where", is_hidden, coarse_score, exact)
    score, position = g.ops("TopK", exact, k, outputs=2, axis=-1)
    return g.op("GatherElements", index, position, axis=1), score


def _score_given(g: GraphBuilder, rows: str, user: str, item_bias: str, candidates: str) -> tuple[str, str]:
    """Score the given items for every row of the batch, in their order."""
    batch = g.op("Slice", g.op("Shape", user), g.ints(0), g.ints(1))
    shape = g.op("Concat", batch, g.op("Shape", candidates), axis=0)
    index = g.op("Expand", g.op("Unsqueeze", candidates, g.ints(0)), shape)
    score = g.op("Add", _scores_of(g, rows, user, index), g.op("Gather", item_bias, index, axis=0))
    return index, score


def _scores_of(g: GraphBuilder, rows: str, user: str, index: str) -> str:
    """Z[index]·x in float32; [B, R] from [B, F] and [B, R]."""
    last_axis = g.ints(2)
    gathered = g.op("Gather", rows, index, axis=0)
    return g.op("Squeeze", g.op("MatMul", gathered, g.op("Unsqueeze", user, last_axis)), last_axis)
