"""Run a graph that a test has built, in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx

from recommendations.graphs.reference import Scores, als_answers
from recommendations.inference.runtime import GraphSession, load_session
from recommendations.training.fitted import AlsFactors


def loaded(model: onnx.ModelProto, folder: Path, name: str = "graph") -> GraphSession:
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    return load_session(path)


def als_scores(factors: AlsFactors, items: Sequence[int], weights: Sequence[float]) -> Scores:
    """Return the reference's scores of one session."""
    return als_answers(factors, [items], [weights])[0]
