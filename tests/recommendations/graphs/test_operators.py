"""Each graph uses only operators that its target runs itself."""

from __future__ import annotations

from recommendations.graphs.fold_in import Target, build_fold_in
from recommendations.graphs.neighbours import build_neighbours
from recommendations.graphs.ranker import build_ranker
from recommendations.graphs.session_knn import build_session_knn
from recommendations.inference.graph_check import ALLOWED_OPERATORS, operators_of
from tests.recommendations import model_worlds

N_ITEMS = 400
CUDA_OPERATORS = frozenset(
    {
        "Add",
        "Cast",
        "Div",
        "Exp",
        "Gather",
        "GatherElements",
        "Greater",
        "Identity",
        "Less",
        "MatMul",
        "Mul",
        "ReduceL1",
        "ReduceMax",
        "ScatterElements",
        "Sqrt",
        "Squeeze",
        "Sub",
        "TopK",
        "Transpose",
        "Unsqueeze",
        "Where",
    }
)


def test_graphs_use_only_operators_of_their_target() -> None:
    als = model_worlds.als_factors(n_items=N_ITEMS)
    models = [
        build_fold_in(als, target=Target.CPU),
        build_neighbours([model_worlds.neighbours(n_items=N_ITEMS)]),
        build_session_knn(model_worlds.session_index(n_items=N_ITEMS)),
        build_ranker(model_worlds.ranker(n_items=N_ITEMS)),
    ]
    for model in models:
        for domain, operator in operators_of(model):
            assert operator in ALLOWED_OPERATORS[domain], (model.graph.name, domain, operator)
    assert ("com.microsoft", "MatMulNBits") in operators_of(models[0])
    for domain, operator in operators_of(build_fold_in(als, target=Target.CUDA)):
        assert domain == ""
        assert operator in CUDA_OPERATORS, operator
