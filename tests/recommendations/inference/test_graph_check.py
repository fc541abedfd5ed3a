"""A graph is looked into before it is run: every one of ours passes, others are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from recommendations.exceptions import RefusalReason, VersionRefused
from recommendations.graphs.builder import GraphBuilder
from recommendations.graphs.export import export_model_set
from recommendations.inference.graph_check import check_graph, operators_of
from tests.recommendations import model_worlds


def branching(operator: str) -> onnx.ModelProto:
    """Return a graph that uses an operator inside of one branch only."""
    g = GraphBuilder("outer")
    value = g.input("value", np.float32, ["N"])
    inner, other = g.branch("inner"), g.branch("other")
    inner.output("inner", inner.op(operator, value), np.float32, ["N"])
    other.output("other", other.op("Identity", value), np.float32, ["N"])
    (chosen,) = g.choose(g.input("which", np.bool_, []), then=inner, otherwise=other)
    g.output("chosen", chosen, np.float32, ["N"])
    return g.build()


def refused(model: onnx.ModelProto, folder: Path) -> VersionRefused:
    path = folder / "graph.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(VersionRefused, match=r"graph\.onnx") as caught:
        check_graph(path)
    return caught.value


def test_every_graph_of_a_version_passes(tmp_path: Path) -> None:
    export_model_set(model_worlds.fitted_model_set(n_items=20), tmp_path / "v1")
    graphs = sorted((tmp_path / "v1").glob("*.onnx"))
    assert len(graphs) == 5
    for path in graphs:
        check_graph(path)


def test_operators_inside_of_branches_are_seen(tmp_path: Path) -> None:
    assert operators_of(branching("Sqrt")) == {("", "If"), ("", "Sqrt"), ("", "Identity")}
    refusal = refused(branching("Erf"), tmp_path)
    assert refusal.reason is RefusalReason.CUSTOM_OPERATOR
    assert "ai.onnx.Erf" in str(refusal)


def test_a_tensor_inside_of_a_branch_that_lies_elsewhere_is_refused_with_its_path(tmp_path: Path) -> None:
    model = branching("Sqrt")
    choice = next(node for node in model.graph.node if node.op_type == "If")
    tensor = TensorProto(name="far", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../secrets")
    choice.attribute[0].g.initializer.append(tensor)
    refusal = refused(model, tmp_path)
    assert refusal.reason is RefusalReason.EXTERNAL_DATA
    assert "'far' outside, in '../secrets'" in str(refusal)


def test_a_file_that_is_no_graph_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "graph.onnx").write_bytes(b"\xff" * 40)
    with pytest.raises(VersionRefused, match="is no ONNX model") as caught:
        check_graph(tmp_path / "graph.onnx")
    assert caught.value.reason is RefusalReason.CORRUPT
