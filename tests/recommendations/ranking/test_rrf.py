from __future__ import annotations

import numpy as np
import pytest

from recommendations.ranking.rrf import FusionWeights, RankedLists, fuse


def lists(*rows):
    items = np.array(rows, np.int32)
    scores = np.where(items > 0, 1 / np.arange(1, items.shape[1] + 1), 0).astype(np.float32)
    return RankedLists(items=items, scores=scores)


def test_fused_score_is_the_sum_of_weighted_reciprocal_ranks():
    fused = fuse(
        {"one": lists([1, 2]), "two": lists([2, 3])}, FusionWeights(weights={"one": 1.0, "two": 0.5}, k=10), n=3
    )

    assert fused.items.tolist() == [[2, 1, 3]]
    np.testing.assert_allclose(fused.scores, [[1 / 12 + 0.5 / 11, 1 / 11, 0.5 / 12]], rtol=1e-6)


def test_ties_go_to_the_lower_item_index():
    fused = fuse({"one": lists([7]), "two": lists([3])}, FusionWeights(weights={"one": 1, "two": 1}, k=0), n=2)

    assert fused.items.tolist() == [[3, 7]]


def test_one_query_alone_equals_the_same_query_in_a_batch():
    rng = np.random.default_rng(3)
    sources = {name: lists(*[rng.permutation(50)[:20] + 1 for _ in range(9)]) for name in "abc"}
    weights = FusionWeights(weights={"a": 1, "b": 0.5, "c": 0.25}, k=3)

    batched = fuse(sources, weights, n=10)

    for row in range(9):
        alone = fuse({name: source.take([row]) for name, source in sources.items()}, weights, n=10)
        assert alone.items[0].tolist() == batched.items[row].tolist()


@pytest.mark.parametrize("sources", [{}, {"unweighted": lists([1, 2])}])
def test_without_a_weighted_source_nothing_is_listed(sources):
    assert not fuse(sources, FusionWeights(weights={}, k=3), n=4).items.any()


def test_padding_is_never_fused():
    fused = fuse({"one": lists([5, 0, 0])}, FusionWeights(weights={"one": 1}, k=1), n=3)

    assert fused.items.tolist() == [[5, 0, 0]]
