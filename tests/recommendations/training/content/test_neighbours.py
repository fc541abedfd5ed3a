"""Nearest vectors against sorting all of them."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.training.content.lexical import unit_length
from recommendations.training.content.neighbours import nearest


def clustered(n: int, *, seed: int = 0, d: int = 16) -> np.ndarray:
    chance = np.random.default_rng(seed)
    centres = chance.standard_normal((max(n // 20, 1), d))
    return unit_length(centres[chance.integers(len(centres), size=n)] + 0.3 * chance.standard_normal((n, d)))


@pytest.mark.parametrize("n", [1, 2, 5, 64, 300])
def test_neighbours_are_the_most_alike_and_never_the_item_itself(n: int) -> None:
    vectors = clustered(n)
    vectors[0] = 0  # an item that says nothing is like nobody, and nobody like it

    found, similarity = nearest(vectors, k=8, least=0.1)

    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    assert found.shape == similarity.shape == (n, 8)
    for row in range(n):
        wanted = np.argsort(-cosines[row], kind="stable")[: min(8, n)]
        wanted = wanted[cosines[row, wanted] >= 0.1]
        assert found[row, : len(wanted)].tolist() == wanted.tolist()
        assert (found[row, len(wanted) :] == -1).all()
        assert np.allclose(similarity[row, : len(wanted)], cosines[row, wanted], atol=2e-3)


def test_a_large_catalogue_is_searched_in_cells_and_most_neighbours_are_found() -> None:
    vectors = clustered(3_000).astype(np.float16)

    exact, _ = nearest(vectors, k=10)
    found, similarity = nearest(vectors, k=10, exact_up_to=100)

    shared = [len(np.intersect1d(a, b)) / 10 for a, b in zip(exact, found, strict=True)]
    assert np.mean(shared) > 0.9
    assert (np.diff(similarity.astype(np.float32), axis=1) <= 0).all()
    assert (found != np.arange(len(found))[:, None]).all()


def test_progress_is_told_to_the_end() -> None:
    told: list[tuple[str, int, int]] = []

    nearest(clustered(50), k=4, progress=lambda *step: told.append(step))

    assert told[-1] == ("find similar items", 50, 50)
