"""Look into an ONNX file before it is run: only the operators that we write, and nothing outside the file.

ONNX Runtime trusts what it loads: a tensor may name any path as its external data, a node any registered
custom operator. So a file is read as plain protobuf first, in the limited process of the golden check.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from recommendations.exceptions import RefusalReason, VersionRefused
from tracking.deferred import deferred

if TYPE_CHECKING:
    import onnx
else:
    onnx = deferred("onnx")

DENSE_OPERATORS = frozenset(
    {
        "Add",
        "Cast",
        "Concat",
        "Div",
        "Exp",
        "Expand",
        "Gather",
        "GatherElements",
        "Greater",
        "Identity",
        "If",
        "Less",
        "MatMul",
        "Max",
        "Min",
        "Mul",
        "ReduceL1",
        "ReduceMax",
        "Reshape",
        "ScatterElements",
        "Shape",
        "Size",
        "Slice",
        "Sqrt",
        "Squeeze",
        "Sub",
        "TopK",
        "Transpose",
        "Unsqueeze",
        "Where",
    }
)
SPARSE_OPERATORS = frozenset({"Abs", "Equal", "Range"})
ALLOWED_OPERATORS: dict[str, frozenset[str]] = {
    "": DENSE_OPERATORS | SPARSE_OPERATORS,
    "com.microsoft": frozenset({"MatMulNBits"}),
    "ai.onnx.ml": frozenset({"TreeEnsembleRegressor"}),
}

"""Operators with a CUDA kernel for float32 or float16 at our opset, by ONNX Runtime's own table of kernels.

Shape is left out on purpose: it runs on the CPU, and a CUDA graph must not wait for the CPU.
https://github.com/microsoft/onnxruntime/blob/main/docs/OperatorKernels.md
"""


def operators_of(model: onnx.ModelProto) -> set[tuple[str, str]]:
    """Return (domain, operator) of every node, those inside of ``If`` too."""
    return {
        ("" if node.domain == "ai.onnx" else node.domain, node.op_type)
        for graph in _graphs_of(model.graph)
        for node in graph.node
    }


def check_graph(path: Path) -> None:
    """Refuse a graph that names operators or data which are not ours.

    Raises
    ------
    VersionRefused
        The file is no ONNX model, has functions or training steps of its own, keeps tensors outside, or uses
        an operator that no exporter of ours writes.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's decode errors share no base with OSError and differ by its build
        raise VersionRefused(RefusalReason.CORRUPT, f"{path.name} is no ONNX model: {error}") from error
    if len(model.functions) or len(model.training_info):
        raise VersionRefused(
            RefusalReason.CUSTOM_OPERATOR, f"{path.name} brings functions or training steps of its own"
        )
    for tensor in _tensors_of(model.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or len(tensor.external_data):
            where = next((entry.value for entry in tensor.external_data if entry.key == "location"), "?")
            raise VersionRefused(
                RefusalReason.EXTERNAL_DATA,
                f"{path.name} keeps the tensor {tensor.name!r} outside, in {where!r}; store it inside the graph",
            )
    for domain, operator in sorted(operators_of(model)):
        if operator not in ALLOWED_OPERATORS.get(domain, frozenset()):
            raise VersionRefused(
                RefusalReason.CUSTOM_OPERATOR,
                f"{path.name} uses the operator {domain or 'ai.onnx'}.{operator}, which no exporter writes",
            )


def _graphs_of(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs_of(attribute.g)
            for inner in attribute.graphs:
                yield from _graphs_of(inner)


def _tensors_of(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    for inner in _graphs_of(graph):
        yield from inner.initializer
        for sparse in inner.sparse_initializer:
            yield sparse.values
            yield sparse.indices
        for node in inner.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
