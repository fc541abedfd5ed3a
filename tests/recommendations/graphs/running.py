"""Run a graph that a test has built, in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import onnx

from recommendations.inference.runtime import GraphSession, load_session


def loaded(model: onnx.ModelProto, folder: Path, name: str = "graph") -> GraphSession:
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    return load_session(path)
