"""Every source that a strategy, training or a file in ``retrieval/`` names is declared, and the other way round."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import numpy as np
import pytest

from recommendations import retrieval
from recommendations.core.strategies import STRATEGIES
from recommendations.core.types import RequestUser
from recommendations.ranking.batch import CANDIDATES_PER_SOURCE
from recommendations.retrieval.base import PER_SOURCE, ServingContext
from recommendations.retrieval.sources import LABELS, MODEL_SOURCES, SOURCES
from recommendations.training.learning import FUSED_SOURCES
from tests.recommendations.worlds import NOW_MS, item_index

BASKETS = {"baskets"}  # fitted from orders, fused by no weights: strategies name it


def test_a_source_in_a_file_of_the_package_is_registered() -> None:
    found = set()
    for module in pkgutil.iter_modules(retrieval.__path__):
        for _, kind in inspect.getmembers(
            importlib.import_module(f"{retrieval.__name__}.{module.name}"), inspect.isclass
        ):
            if isinstance(getattr(kind, "name", None), str) and hasattr(kind, "retrieve"):
                found.add(kind.name)

    assert found == SOURCES.keys()


def test_the_sources_of_models_are_those_that_training_fits() -> None:
    ranked = CANDIDATES_PER_SOURCE.keys() - {"popularity"}  # read from arrays, proposed by the source popular

    assert set(FUSED_SOURCES) | ranked | BASKETS == MODEL_SOURCES.keys()
    assert not SOURCES.keys() & MODEL_SOURCES.keys()


def test_strategies_name_declared_sources_and_every_source_has_a_use() -> None:
    named = {name for each in STRATEGIES.values() for name in (*each.weights, *each.beside_model)}

    assert named <= LABELS.keys()
    assert named >= SOURCES.keys()


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_a_source_proposes_few_rows_best_first_and_none_twice(source: object) -> None:
    on = item_index(*[{"category": "Shoes" if number % 2 else "Hats"} for number in range(3 * PER_SOURCE)])
    context = ServingContext(item_index=on, model=None, now_ms=NOW_MS)
    user = RequestUser(recents=tuple(f"sku{n}" for n in range(150)), purchases=tuple(f"sku{n}" for n in range(150)) * 2)

    for about in ([], [3, 4]):
        found = SOURCES[source.name].retrieve(np.asarray(about, np.int32), user, context, window="24h")  # type: ignore[attr-defined]
        assert len(found.rows) == len(found.scores) == len(set(found.rows.tolist())) <= PER_SOURCE
        assert found.rows.dtype == np.int32
        assert found.scores.dtype == np.float32
        assert (np.diff(found.scores) <= 0).all()
        assert source.label  # type: ignore[attr-defined]
