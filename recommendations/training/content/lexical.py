"""Vectors from letters: hashed n-grams and words, TF-IDF, a truncated SVD. Needs no model and knows no language.

Character n-grams find "t-light holder" by "tea light holders" and inflected words in any script. Items are read in
chunks and the SVD looks at a sample, so memory is bounded whatever the size of the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from recommendations.training.content.text import ItemText
from recommendations.training.fitted import FloatArray
from tracking.deferred import deferred

if TYPE_CHECKING:
    from scipy import sparse
else:
    sparse = deferred("scipy.sparse")

BUCKETS: Final = 1 << 17
DIMENSIONS: Final = 256
"""HR@20 of the titles of Online Retail alone: 64 .24, 128 .30, 192 .32, 256 .33, the exact cosine .32."""

SAMPLE: Final = 12_000
CHUNK: Final = 4_096
NGRAMS: Final = (3, 4, 5)
WORD_WEIGHT: Final = 1.5
SHRINK: Final = 0.5
"""Directions are divided by their singular value to this power: great ones are what all items share."""

_OVERSAMPLED: Final = 16
_ROUNDS: Final = 4
_FACTOR: Final = np.uint64(0x100000001B3)
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_SPACE: Final = np.uint32(ord(" "))


@dataclass(frozen=True, slots=True, kw_only=True)
class LexicalEncoder:
    """Fitted on a catalogue once; encodes items that it never saw alike.

    Attributes
    ----------
    idf : float32, shape (BUCKETS,)
        ln((1 + n) / (1 + documents that hold the feature)) + 1.
    directions : float32, shape (BUCKETS, n_dimensions)
    """

    idf: FloatArray
    directions: FloatArray

    @property
    def n_dimensions(self) -> int:
        """Length of a vector."""
        return int(self.directions.shape[1])

    def encode(self, items: Sequence[ItemText]) -> FloatArray:
        """Return a vector of length 1 an item, 0 for one without words; float32, shape (n, n_dimensions)."""
        vectors = np.zeros((len(items), self.n_dimensions), np.float32)
        for start in range(0, len(items), CHUNK):
            weighted = _weighted(features_of(items[start : start + CHUNK]), self.idf)
            vectors[start : start + CHUNK] = weighted @ self.directions
        return unit_length(vectors)


def fit_lexical(items: Iterable[ItemText], *, dimensions: int = DIMENSIONS, seed: int = 0) -> LexicalEncoder:
    """Fit on a catalogue; items are read once, a chunk at a time, and a sample of them is kept.

    Memory: the sample's features (some 12 bytes each, 150 an item) and twice ``BUCKETS * dimensions`` floats.

    References
    ----------
    Halko, Martinsson & Tropp, "Finding structure with randomness", SIAM Review 2011 (subspace iteration).
    """
    documents = np.zeros(BUCKETS, np.int64)
    chance = np.random.default_rng(seed)
    kept: list[sparse.csr_matrix] = []
    n = 0
    remaining = iter(items)
    while chunk := list(islice(remaining, CHUNK)):
        counts = features_of(chunk)
        documents += np.bincount(counts.indices, minlength=BUCKETS)
        n += len(chunk)
        kept.append(counts)
        if sum(each.shape[0] for each in kept) > 2 * SAMPLE:
            kept = [_sampled(sparse.vstack(kept, format="csr"), SAMPLE, chance)]
    idf = (np.log((1 + n) / (1 + documents)) + 1).astype(np.float32)
    if not n:
        return LexicalEncoder(idf=idf, directions=np.zeros((BUCKETS, 1), np.float32))
    sample = _weighted(_sampled(sparse.vstack(kept, format="csr"), SAMPLE, chance), idf)
    return LexicalEncoder(idf=idf, directions=_directions(sample, min(dimensions, sample.shape[0]), chance))


def _directions(sample: sparse.csr_matrix, dimensions: int, chance: np.random.Generator) -> FloatArray:
    """Return the right singular vectors over their shrunk singular values; only matrices of n rows are factorised."""
    used = np.flatnonzero(np.bincount(sample.indices, minlength=BUCKETS))
    narrow = sample[:, used].tocsr()
    across = narrow.T.tocsr()
    width = min(dimensions + _OVERSAMPLED, narrow.shape[0])
    basis = chance.standard_normal((narrow.shape[0], width)).astype(np.float32)
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(narrow @ (across @ basis))[0].astype(np.float32)
    image = across @ basis  # (features, width)
    squared, turned = np.linalg.eigh((image.T @ image).astype(np.float64))
    order = np.argsort(-squared, kind="stable")[:dimensions]
    singular = np.sqrt(np.maximum(squared[order], 0))
    is_real = singular > 1e-4 * max(float(singular.max(initial=0)), 1e-12)
    order, singular = order[is_real], singular[is_real]
    directions = np.zeros((BUCKETS, max(len(order), 1)), np.float32)
    if len(order):
        directions[used] = image @ (turned[:, order] / singular ** (1 + SHRINK)).astype(np.float32)
    return directions


def _sampled(rows: sparse.csr_matrix, most: int, chance: np.random.Generator) -> sparse.csr_matrix:
    if rows.shape[0] <= most:
        return rows
    return rows[np.sort(chance.choice(rows.shape[0], most, replace=False))]


def _weighted(counts: sparse.csr_matrix, idf: FloatArray) -> sparse.csr_matrix:
    weighted = counts.copy()
    weighted.data = (np.log1p(counts.data) * idf[counts.indices]).astype(np.float32)
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    lengths[lengths == 0] = 1
    weighted.data /= np.repeat(lengths, np.diff(weighted.indptr)).astype(np.float32)
    return weighted


def features_of(items: Sequence[ItemText]) -> sparse.csr_matrix:
    """Return weighted counts of hashed features; float32, shape (n, BUCKETS).

    Features of a text are its words, and the n-grams of each word with a blank before and behind it; of a name (a
    category, a brand, an attribute with its value) the name alone.
    """
    texts: list[str] = []
    of_text: list[int] = []
    weights: list[float] = []
    names: list[bool] = []
    for number, item in enumerate(items):
        for each in item.fields():
            if each.text:
                texts.append(f" {each.text} ")
                of_text.append(number)
                weights.append(each.weight)
                names.append(each.is_name)
    shape = (len(items), BUCKETS)
    if not texts:
        return sparse.csr_matrix(shape, dtype=np.float32)
    letters = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    text_of = np.repeat(np.arange(len(texts), dtype=np.int32), [len(text) for text in texts])
    found = list(_hashed(letters, text_of, np.asarray(names)))
    where = np.concatenate([text for text, _, _ in found])
    columns = np.concatenate([hashes for _, hashes, _ in found])
    values = np.asarray(weights, np.float32)[where] * np.concatenate([weight for _, _, weight in found])
    rows = np.asarray(of_text, np.int32)[where]
    matrix = sparse.coo_matrix((values, (rows, columns)), shape=shape, dtype=np.float32).tocsr()
    matrix.sum_duplicates()
    return matrix


def _hashed(
    letters: NDArray[np.uint32], text_of: NDArray[np.int32], is_name: NDArray[np.bool_]
) -> Iterable[tuple[NDArray[np.int32], NDArray[np.int64], FloatArray]]:
    """Yield the text, the bucket and the weight of features: whole names, words, then n-grams of each length."""
    codes = letters.astype(np.uint64) + np.uint64(1)
    is_space = letters == _SPACE
    named = is_name[text_of]
    # A running polynomial: what a run of letters adds to it, over the factor where it begins, is the same anywhere.
    powers = np.cumprod(np.full(len(codes), _FACTOR, np.uint64))
    inverses = np.cumprod(np.full(len(codes), np.uint64(pow(int(_FACTOR), -1, 1 << 64)), np.uint64))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(codes * powers)])

    def run_hashes(first: NDArray[np.int64], last: NDArray[np.int64], kind: int) -> NDArray[np.int64]:
        mixed = ((sums[last] - sums[first]) * inverses[first] + np.uint64(kind)) * _MIX
        mixed ^= mixed >> np.uint64(29)
        found: NDArray[np.int64] = (mixed * _MIX >> np.uint64(64 - 17)).astype(np.int64)
        return found

    edges = np.flatnonzero(np.append(True, text_of[1:] != text_of[:-1]))
    ends = np.append(edges[1:], len(letters))
    whole = is_name[text_of[edges]]
    yield (
        text_of[edges[whole]],
        run_hashes(edges[whole] + 1, ends[whole] - 1, 0),
        np.full(int(whole.sum()), WORD_WEIGHT, np.float32),
    )
    starts = np.flatnonzero(is_space[:-1] & ~is_space[1:] & ~named[:-1]) + 1
    stops = np.flatnonzero(~is_space[:-1] & is_space[1:] & ~named[:-1]) + 1
    yield text_of[starts], run_hashes(starts, stops, 1), np.full(len(starts), WORD_WEIGHT, np.float32)
    spaces = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_space)])
    for n in NGRAMS:
        first = np.arange(max(len(letters) - n + 1, 0))
        inside = spaces[first + n - 1] - spaces[first + 1]
        is_within = text_of[first] == text_of[first + n - 1]
        good = first[(inside == 0) & ~named[first] & is_within]
        yield text_of[good], run_hashes(good, good + n, n), np.ones(len(good), np.float32)


def unit_length(vectors: FloatArray) -> FloatArray:
    """Return vectors of length 1; a vector of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 1e-12, lengths, 1)).astype(np.float32)
