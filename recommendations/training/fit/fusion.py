"""Fusion weights, found by coordinate search on a validation part of the training sessions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recommendations.ranking.rrf import FusionWeights, RankedLists
from recommendations.training.data.split import TestPoints
from recommendations.training.settings import Progress, no_progress

CHOICES = (0.0, 0.1, 0.25, 0.5, 1.0, 1.5)
CONSTANTS = (1.0, 3.0, 10.0)
ROUNDS = 2
START: Mapping[str, float] = {"sessions": 1.0, "tfidf": 0.5, "walk": 1.0, "around": 0.5}


def fit_fusion(
    lists: Mapping[str, RankedLists], points: TestPoints, *, progress: Progress = no_progress
) -> FusionWeights:
    """Return the weights with the greatest MRR@20 + HR@20 / 2, changing one at a time.

    The search is small and deterministic: two rounds over the sources, six weights each, then the constant.
    """
    weights = {name: START.get(name, 0.0) for name in lists}
    best = FusionWeights(weights=weights, k=CONSTANTS[1])
    trials_of = Trials(lists, points)
    best_value = trials_of.value(best)
    total = ROUNDS * (len(weights) * len(CHOICES) + len(CONSTANTS))
    done = 0
    for _ in range(ROUNDS):
        trials = [("", value) for value in CONSTANTS]
        trials += [(name, value) for name in weights for value in CHOICES]
        for name, value in trials:
            done += 1
            progress("tune fusion", done, total)
            if name:
                trial = FusionWeights(weights={**best.weights, name: value}, k=best.k)
            else:
                trial = FusionWeights(weights=best.weights, k=value)
            if trial == best or not any(trial.weights.values()):
                continue
            found = trials_of.value(trial)
            if found > best_value:
                best, best_value = trial, found
    return best


class Trials:
    """The pairs (query, item) that any source lists, gathered once: a trial is then one sum and one comparison."""

    def __init__(self, lists: Mapping[str, RankedLists], points: TestPoints) -> None:
        keys, sources, ranks = [], [], []
        for number, source in enumerate(lists.values()):
            rows, columns = np.nonzero(source.items)
            keys.append((rows << 32) | source.items[rows, columns])
            sources.append(np.full(len(rows), number))
            ranks.append(columns + 1)
        pairs, self._pair_of = np.unique(np.concatenate(keys), return_inverse=True)
        self._names = tuple(lists)
        self._source_of, self._ranks = np.concatenate(sources), np.concatenate(ranks)
        self._query_of, self._items = pairs >> 32, pairs & 0xFFFFFFFF
        self._targets = points.targets.astype(np.int64)
        wanted = (np.arange(len(points), dtype=np.int64) << 32) | self._targets
        where = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
        self._listed = (pairs[where] == wanted) & (self._targets > 0)
        self._target_at = where

    def value(self, fusion: FusionWeights) -> float:
        """Return MRR@20 + HR@20 / 2 of these weights; ties go to the lower item index, as when fused."""
        weights = np.array([fusion.weights[name] for name in self._names])
        scores = np.bincount(self._pair_of, weights=weights[self._source_of] / (fusion.k + self._ranks))
        theirs = scores[self._target_at]
        ahead = scores > theirs[self._query_of]
        ahead |= (scores == theirs[self._query_of]) & (self._items < self._targets[self._query_of])
        ranks = 1 + np.bincount(self._query_of[ahead], minlength=len(theirs))
        hit = self._listed & (theirs > 0) & (ranks <= 20)
        return float(np.mean(hit / ranks) + 0.5 * np.mean(hit))
