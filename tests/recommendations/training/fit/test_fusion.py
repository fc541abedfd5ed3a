from __future__ import annotations

import numpy as np
import pytest

from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import FusionWeights, RankedLists, fuse
from recommendations.training.data.split import TestPoints
from recommendations.training.evaluation.metrics import ranks_of_targets
from recommendations.training.fit.fusion import Trials, fit_fusion

N, K = 60, 30


def noise(seed):
    rng = np.random.default_rng(seed)
    items = np.stack([rng.permutation(200)[:K] + 1 for _ in range(N)]).astype(np.int32)
    return RankedLists(items=items, scores=np.tile(np.arange(K, 0, -1, dtype=np.float32), (N, 1)))


def points_to(targets):
    histories = SessionHistories.of([[1]] * N)
    return TestPoints(histories=histories, targets=targets, kinds=np.zeros(N, np.uint8))


def test_the_source_that_knows_gets_the_weight_and_noise_gets_less():
    oracle = noise(1)
    points = points_to(oracle.items[:, 0].copy())

    fusion = fit_fusion({"walk": noise(2), "next": oracle}, points)

    best = fuse({"walk": noise(2), "next": oracle}, fusion, n=20)
    assert (best.items[:, 0] == points.targets).all()
    assert fusion.weights["next"] > fusion.weights["walk"]


@pytest.mark.parametrize("k", [1.0, 10.0])
def test_a_trial_has_the_value_of_the_fused_lists(k):
    lists = {"a": noise(1), "b": noise(2), "c": noise(3)}
    targets = np.where(np.arange(N) % 2, noise(1).items[:, 4], noise(3).items[:, 9]).astype(np.int32)
    targets[0] = 0
    fusion = FusionWeights(weights={"a": 1.0, "b": 0.5, "c": 0.0}, k=k)

    value = Trials(lists, points_to(targets)).value(fusion)

    ranks = ranks_of_targets(fuse(lists, fusion, n=20).items, targets)
    reciprocal = np.where(ranks > 0, 1 / np.maximum(ranks, 1), 0)
    assert value == pytest.approx(reciprocal.mean() + 0.5 * (ranks > 0).mean())
