"""The ranker's graph scores as its booster does, and is the same file each time it is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from recommendations.exceptions import ExportFailed
from recommendations.graphs.ranker import build_ranker
from tests.recommendations import model_worlds
from tests.recommendations.graphs.running import loaded

RANKER = model_worlds.ranker(n_items=10)


def test_the_graph_scores_rows_as_the_booster_does(tmp_path: Path) -> None:
    matrix = np.random.default_rng(5).standard_normal((200, model_worlds.N_COLUMNS)).astype(np.float32)
    (score,) = loaded(build_ranker(RANKER), tmp_path).run({"matrix": matrix})
    expected = lightgbm.Booster(model_str=RANKER.booster_text).predict(matrix)
    assert score.shape == (200, 1)
    np.testing.assert_allclose(score[:, 0], expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(score) > 0.1


def test_operator_sets_stand_in_the_order_of_their_names() -> None:
    domains = [each.domain for each in build_ranker(RANKER).opset_import]
    assert domains == sorted(domains)
    assert len(domains) >= 2


def test_columns_that_the_booster_was_not_trained_on_are_refused() -> None:
    with pytest.raises(ExportFailed, match="has 6 features but names 5 columns"):
        build_ranker(replace(RANKER, columns=RANKER.columns[:5]))
