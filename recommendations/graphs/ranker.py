"""A LightGBM lambdarank ranker as a graph. Trees have no CUDA kernel: it always runs on the CPU."""

from __future__ import annotations

import lightgbm
import onnx
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from recommendations.exceptions import ExportFailed
from recommendations.graphs.builder import IR_VERSION
from recommendations.training.fitted import Ranker

_OPSET = 15  # the newest that the converter writes; the runtime runs it unchanged


def build_ranker(ranker: Ranker) -> onnx.ModelProto:
    """Build the graph of one ranker: ``matrix`` float32 [n, n_columns] to ``score`` float32 [n, 1].

    Raises
    ------
    ExportFailed
        The booster was not trained on the columns it is said to have been.
    """
    return build_trees(ranker.booster_text, columns=ranker.columns)


def build_trees(booster_text: str, *, columns: tuple[str, ...]) -> onnx.ModelProto:
    """Build the graph of one booster whose prediction is its raw score; see ``build_ranker``."""
    booster = lightgbm.Booster(model_str=booster_text)
    n_columns = len(columns)
    if booster.num_feature() != n_columns:
        raise ExportFailed(
            f"the ranker has {booster.num_feature()} features but names {n_columns} columns; train it again"
        )
    model: onnx.ModelProto = convert_lightgbm(
        booster,
        name="ranker",
        initial_types=[("matrix", FloatTensorType([None, n_columns]))],
        target_opset=_OPSET,
        zipmap=False,
    )
    model.ir_version = IR_VERSION
    # The converter writes them in the order of a set: the same trees would be another file in one of six processes.
    operators = sorted(model.opset_import, key=lambda each: each.domain)
    del model.opset_import[:]
    model.opset_import.extend(operators)
    return model
