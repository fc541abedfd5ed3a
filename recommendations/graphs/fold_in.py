"""ALS as one graph: solve the user's factor from the newest interactions, score all items, keep the best.

With Z = Y·R and R·Rᵀ = (YᵀY + λI)⁻¹ ("whitened" item factors) the normal equations of implicit-feedback ALS become
(I + ZgᵀWZg) x = Zgᵀ(1 + r) over the few items g of the session, and the scores are Z·x: the same answer, but one
matrix serves both the gather and the scoring, and the million other items have become the identity, so that what is
left to solve is no larger than the session.

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
from recommendations.graphs.quantise import bits_for, quantise_rows
from recommendations.graphs.selection import best_of, padded_rows
from recommendations.training.fitted import AlsFactors

_SOLVED = 1e-4
_GREATEST_WEIGHT = 2.0  # of an interaction; heavier ones are answered with fewer right digits
_PIECE = 65_536  # rows that are float64 at a time: memory stays at twice the factors
RESCORED = {16: 200, 8: 200, 4: 400}
"""How many of the best items by coarse scores are scored again in float32, by the bits of those."""


class Target(StrEnum):
    """Where a graph is going to run; the arithmetic is the same, the coarse scores are not."""

    CPU = "cpu"  # codes of 8 or 4 bits
    CUDA = "cuda"  # float16


def whiten(item_factors: NDArray[np.float32], regularization: float) -> NDArray[np.float32]:
    """Return Z = Y·R with R·Rᵀ = (YᵀY + λI)⁻¹, solved in float64.

    Parameters
    ----------
    item_factors : float32, shape (n_items, n_factors)
    regularization : float
        λ, positive.
    """
    n_items, n_factors = item_factors.shape
    pieces = [slice(start, start + _PIECE) for start in range(0, n_items, _PIECE)]
    gram = regularization * np.eye(n_factors)
    for piece in pieces:
        wide = item_factors[piece].astype(np.float64)
        gram += wide.T @ wide
    root = np.linalg.inv(np.linalg.cholesky(gram)).T
    whitened = np.empty((n_items, n_factors), np.float32)
    for piece in pieces:
        whitened[piece] = item_factors[piece].astype(np.float64) @ root
    return whitened


def doublings_needed(whitened: NDArray[np.float32], *, alpha: float, decay: float, last_n: int) -> int:
    """Return after how many Newton-Schulz steps the inverse is right to ``_SOLVED``, for any session of these items.

    The eigenvalues of the system end at 1 + α · Σ weight · decay**age · |z|², and the squared length of a whitened row
    (its leverage) is at most 1. A step squares the error that the start leaves: 4 steps for α = 2 and ten items with
    decay .7 among 100k, 16 for α = 40 and fifty items without decay and leverage 1.
    """
    leverage = float(np.einsum("if,if->i", whitened, whitened).max())
    greatest = alpha * _GREATEST_WEIGHT * leverage * float((decay ** np.arange(last_n)).sum())
    # The correction is subtracted from something up to (1 + greatest) times larger than what remains.
    wanted = _SOLVED / (1 + greatest)
    start = max(greatest / (2 + greatest), 1e-6)
    return max(int(np.ceil(np.log2(np.log(wanted) / np.log(start)))), 1)


def build_fold_in(factors: AlsFactors, *, target: Target = Target.CPU, rescored: int | None = None) -> onnx.ModelProto:
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
    whitened = np.zeros((n_rows, factors.item_factors.shape[1]), np.float32)
    whitened[:n_items] = whiten(factors.item_factors, factors.regularization)
    bits = bits_for(whitened) if target is Target.CPU else 16
    rescored = min(rescored or RESCORED[bits], n_items)
    g = GraphBuilder("fold_in")
    length: int | str = factors.last_n if target is Target.CUDA else "L"
    item_index = g.input("item_index", np.int64, ["B", length])
    weight = g.input("weight", np.float32, ["B", length])
    age = g.input("age", np.float32, ["B", length])
    is_last = g.input("is_last", np.float32, ["B", length])
    exclude = g.input("exclude", np.int64, ["B", "E"])
    item_bias = g.input("item_bias", np.float32, [n_rows])

    rows = g.constant(whitened, "whitened")
    session = (item_index, weight, age, is_last)
    doublings = doublings_needed(whitened, alpha=factors.alpha, decay=factors.decay, last_n=factors.last_n)
    user = _solve(g, rows, session, factors=factors, doublings=doublings, target=target)

    if target is Target.CUDA:
        index, score = _best(g, whitened, rows, user, item_bias, exclude, g.ints(rescored), g.ints(rescored), bits)
    else:
        k = g.input("k", np.int64, [1])
        candidates = g.input("candidates", np.int64, ["C"])
        catalogue = g.branch("catalogue")
        # Twice k or more, so that an item whose coarse rank is off still is among the rescored ones.
        wanted = catalogue.op(
            "Max", catalogue.op("Mul", k, catalogue.ints(2 if bits == 8 else 4)), catalogue.ints(rescored)
        )
        best = catalogue.op("Min", wanted, catalogue.ints(n_items))
        index, score = _best(catalogue, whitened, rows, user, item_bias, exclude, best, k, bits)
        catalogue.output("best_index", index, np.int64, ["B", "K"])
        catalogue.output("best_score", score, np.float32, ["B", "K"])
        given = g.branch("given")
        index, score = _score_given(given, rows, user, item_bias, candidates)
        given.output("given_index", index, np.int64, ["B", "K"])
        given.output("given_score", score, np.float32, ["B", "K"])
        has_candidates = g.op("Greater", g.op("Size", candidates), g.constant(np.asarray(0, np.int64)))
        index, score = g.choose(has_candidates, then=given, otherwise=catalogue)
    answers: int | str = rescored if target is Target.CUDA else "K"
    g.output("top_index", index, np.int64, ["B", answers])
    g.output("top_score", score, np.float32, ["B", answers])
    return g.build()


def _solve(
    g: GraphBuilder,
    rows: str,
    session: tuple[str, str, str, str],
    *,
    factors: AlsFactors,
    doublings: int,
    target: Target,
) -> str:
    """Solve (I + ZgᵀWZg) x = t, t = Zgᵀ(present + r); returns x, [B, F].

    By the Woodbury identity with Zs = √W·Zg, x = t - Zsᵀ (I + ZsZsᵀ)⁻¹ Zs t: the inverse is as small as the session.
    It is found by Newton-Schulz, X ← X (2I - AX), which needs nothing but products and squares its error each time.
    """
    item_index, weight, age, is_last = session
    row_axis, column_axis = g.ints(1), g.ints(2)
    # r = α · weight · decay**age, as e**(age·ln decay): Exp has a vectorised kernel, Pow has not.
    recency = g.op("Exp", g.op("Mul", age, g.floats(np.log(max(factors.decay, 1e-30)))))
    excess = g.op("Mul", g.op("Mul", weight, g.floats(factors.alpha)), recency)
    # An item seen twice is gathered twice: its r add up by themselves, its 1 must count once.
    present = g.op("Mul", is_last, g.op("Cast", g.op("Greater", weight, g.floats(0.0)), to=1))
    gathered = g.op("Gather", rows, item_index, axis=0)  # [B, L, F]
    wanted = g.op("MatMul", g.op("Unsqueeze", g.op("Add", excess, present), row_axis), gathered)  # [B, 1, F]
    scaled = g.op("Mul", gathered, g.op("Unsqueeze", g.op("Sqrt", excess), column_axis))
    turned = g.op("Transpose", scaled, perm=[0, 2, 1])
    gram = g.op("MatMul", scaled, turned)  # [B, L, L]
    identity = g.constant(np.eye(factors.last_n, dtype=np.float32))
    if target is Target.CPU:  # sessions of any length; for CUDA they are padded, its graphs want one shape
        length = g.op("Slice", g.op("Shape", item_index), g.ints(1), g.ints(2))
        identity = g.op("Slice", identity, g.ints(0, 0), g.op("Concat", length, length, axis=0))
    twice = g.op("Add", identity, identity)
    system = g.op("Add", gram, identity)
    # All eigenvalues lie in [1, 1 + greatest row sum]: the best multiple of I to begin with is 2 / (1 + 1 + that).
    greatest = g.op("ReduceMax", g.op("ReduceL1", gram, column_axis, keepdims=1), row_axis, keepdims=1)
    start = g.op("Div", g.floats(2.0), g.op("Add", greatest, g.floats(2.0)))
    inverse = g.op("Mul", start, g.op("Sub", twice, g.op("Mul", start, system)))
    for _ in range(doublings - 1):
        inverse = g.op("MatMul", inverse, g.op("Sub", twice, g.op("MatMul", system, inverse)))
    correction = g.op("MatMul", g.op("MatMul", g.op("MatMul", wanted, turned), inverse), scaled)
    return g.op("Squeeze", g.op("Sub", wanted, correction), row_axis)


def _best(  # values of one graph: names of tensors, which a carrier would only rename
    g: GraphBuilder,
    whitened: NDArray[np.float32],
    rows: str,
    user: str,
    item_bias: str,
    exclude: str,
    rescored: str,
    k: str,
    bits: int,
) -> tuple[str, str]:
    """Score the catalogue coarsely, the best of it again in float32, and keep k."""
    n_rows = whitened.shape[0]
    if bits < 16:
        coded = quantise_rows(whitened, bits=bits)
        coarse = g.op(
            "MatMulNBits",
            user,
            g.constant(coded.codes, "codes"),
            g.constant(coded.scales, "scales"),
            domain=CONTRIB_DOMAIN,
            K=coded.columns,
            N=n_rows,
            bits=bits,
            block_size=coded.block,
            accuracy_level=4,  # the row is rounded to 8 bits as well, each row with its own scales
        )
    else:
        half = g.constant(whitened.T.astype(np.float16), "half")
        coarse = g.op("Cast", g.op("MatMul", g.op("Cast", user, to=10), half), to=1)
    biased = g.op("Add", coarse, item_bias)
    # One HIDDEN an exclusion, made of the exclusions themselves: Expand would ask the CPU for their number.
    hidden = g.op("Add", g.op("Mul", g.op("Cast", exclude, to=1), g.floats(0.0)), g.floats(float(HIDDEN)))
    masked = g.op("ScatterElements", biased, exclude, hidden, axis=1)
    if bits < 16:
        coarse_score, index = best_of(g, masked, rescored, n_scores=n_rows)
    else:
        coarse_score, index = g.ops("TopK", masked, rescored, outputs=2, axis=-1)
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
