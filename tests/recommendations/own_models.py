"""Small models as a shop might export them: each item's neighbours are looked up in a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

N_ITEMS = 6
NEIGHBOURS = np.array(
    [[0, 0], *[[number % N_ITEMS + 1, (number + 1) % N_ITEMS + 1] for number in range(1, N_ITEMS + 1)]]
)
"""Item 1 → 2, 3; item 2 → 3, 4; and so on, around; nothing goes with padding."""


def write_model(folder: Path, *, ids: list[str] | None = None, **changes: Any) -> tuple[Path, Path]:
    """Write ``model.onnx`` and ``items.txt`` and return both.

    Parameters
    ----------
    changes
        ``table`` (int64, one row an item), ``scores`` (float, one row an item), ``input``, ``outputs``, ``score_type``,
        ``input_type``, ``is_random``: what a shop may get wrong.
    """
    table = np.asarray(changes.get("table", NEIGHBOURS), np.int64)
    scores = np.asarray(changes.get("scores", np.tile([2.0, 1.0], (len(table), 1))), np.float32)
    name = changes.get("input", "session")
    items, values = changes.get("outputs", ("items", "scores"))
    score_type = changes.get("score_type", TensorProto.FLOAT)
    nodes = [
        helper.make_node("Slice", [name, "zero", "one", "axis"], ["newest"]),
        helper.make_node("Squeeze", ["newest", "axis"], ["number"]),
        helper.make_node("Gather", ["table", "number"], [items]),
        helper.make_node("Gather", ["values", "number"], ["plain"]),
    ]
    if changes.get("is_random"):
        nodes += [
            helper.make_node("RandomUniformLike", ["plain"], ["noise"]),
            helper.make_node("Add", ["noise", "first"], ["noisy"]),
            helper.make_node("Cast", ["noisy"], [values], to=score_type),
        ]
    else:
        nodes.append(helper.make_node("Cast", ["plain"], [values], to=score_type))
    constants = {
        "table": table, "values": scores, "zero": np.array([0], np.int64), "one": np.array([1], np.int64),
        "axis": np.array([1], np.int64), "first": np.array([[9.0, 0.0]], np.float32),
    }  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "neighbours",
        [helper.make_tensor_value_info(name, changes.get("input_type", TensorProto.INT64), ["batch", "n"])],
        [
            helper.make_tensor_value_info(items, TensorProto.INT64, ["batch", table.shape[1]]),
            helper.make_tensor_value_info(values, score_type, ["batch", table.shape[1]]),
        ],
        [numpy_helper.from_array(each, key) for key, each in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    (folder / "items.txt").write_text("\n".join(ids or [f"sku{number}" for number in range(N_ITEMS)]) + "\n")
    return folder / "model.onnx", folder / "items.txt"
