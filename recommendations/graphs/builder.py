"""Write an ONNX graph in a few readable lines: inputs, constants, operators, outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from recommendations.exceptions import ExportFailed

# 18 is the first opset with ScatterElements(reduction="max"), and the kernels of both targets know it.
OPSET = 18
IR_VERSION = 9
CONTRIB_DOMAIN = "com.microsoft"

# A message of 2 GiB or more is no valid protobuf; some room is left for names and shapes.
MAX_GRAPH_BYTES = 2_000_000_000

HIDDEN = np.float32(-1e38)
"""Added to a score to hide an item. Two of them still are a finite float32, three are not."""

IS_HIDDEN = np.float32(-1e30)
"""A score below this belongs to a hidden item, whatever was added to it."""

Shape = list[int | str]


class GraphBuilder:
    """Collect nodes and constants, then make one checked model of them.

    Values are the names of tensors (str). A builder made by ``branch`` writes the body of an ``If``: it sees
    every value of its parent and has no inputs of its own.
    """

    def __init__(self, name: str, *, parent: GraphBuilder | None = None) -> None:
        self.name = name
        self._parent = parent
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._count = 0

    def input(self, name: str, dtype: type[np.generic], shape: Shape) -> str:
        """Declare an input; a str in ``shape`` is a dimension known when the graph runs."""
        self._inputs.append(helper.make_tensor_value_info(name, _element_type(dtype), shape))
        return name

    def constant(self, values: NDArray[Any], name: str | None = None) -> str:
        """Store an array in the graph; equal unnamed scalars and vectors are not shared, they are tiny."""
        name = name or self._new_name("constant")
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def floats(self, *values: float) -> str:
        """Store a float32 vector, or with one value a vector of length 1 that broadcasts."""
        return self.constant(np.asarray(values, np.float32))

    def ints(self, *values: int) -> str:
        """Store an int64 vector, as shapes, axes and k want them."""
        return self.constant(np.asarray(values, np.int64))

    def op(self, op_type: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add an operator with one output and return that output."""
        return self.ops(op_type, *inputs, outputs=1, domain=domain, **attributes)[0]

    def ops(self, op_type: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any) -> tuple[str, ...]:
        """Add an operator with several outputs and return them."""
        names = tuple(self._new_name(op_type) for _ in range(outputs))
        self._nodes.append(
            helper.make_node(op_type, list(inputs), list(names), name=names[0], domain=domain, **attributes)
        )
        return names

    def lookup(self, table: str, index: str) -> str:
        """Read one value of a vector for each entry of ``index``, of any shape.

        Gather moves each value as a block of its own: 31 µs for 3,000 of them, where GatherElements takes 7.
        """
        found = self.op("GatherElements", table, self.op("Reshape", index, self.ints(-1)), axis=0)
        return self.op("Reshape", found, self.op("Shape", index))

    def branch(self, name: str) -> GraphBuilder:
        """Begin the body of one side of an ``If``."""
        return GraphBuilder(f"{self.name}_{name}", parent=self)

    def choose(self, condition: str, *, then: GraphBuilder, otherwise: GraphBuilder) -> tuple[str, ...]:
        """Add an ``If``: only the side that is asked for runs. Both sides have outputs of the same types."""
        return self.ops(
            "If",
            condition,
            outputs=len(then._outputs),
            then_branch=then._graph(),
            else_branch=otherwise._graph(),
        )

    def output(self, name: str, value: str, dtype: type[np.generic], shape: Shape) -> None:
        """Make ``value`` an output of the graph under ``name``."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name=f"{self.name}_{name}"))
        self._outputs.append(helper.make_tensor_value_info(name, _element_type(dtype), shape))

    def build(self) -> onnx.ModelProto:
        """Return the model, after ONNX's own checker has seen its structure.

        Raises
        ------
        ExportFailed
            The arrays do not fit into one file.
        """
        size_bytes = sum(len(tensor.raw_data) for tensor in self._constants.values())
        if size_bytes > MAX_GRAPH_BYTES:
            raise ExportFailed(
                f"the graph {self.name!r} holds {size_bytes:,} bytes of arrays, more than the "
                f"{MAX_GRAPH_BYTES:,} that one ONNX file can; fit fewer items, factors or neighbours"
            )
        return helper.make_model(
            self._graph(),
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB_DOMAIN, 1)],
            ir_version=IR_VERSION,
            producer_name="recsite",
        )

    def _graph(self) -> onnx.GraphProto:
        return helper.make_graph(self._nodes, self.name, self._inputs, self._outputs, list(self._constants.values()))

    def _new_name(self, stem: str) -> str:
        self._count += 1
        return f"{self.name}_{stem}_{self._count}"


def _element_type(dtype: type[np.generic]) -> int:
    types = {
        np.float32: TensorProto.FLOAT,
        np.float16: TensorProto.FLOAT16,
        np.int64: TensorProto.INT64,
        np.int32: TensorProto.INT32,
        np.bool_: TensorProto.BOOL,
    }
    return int(types[dtype])
