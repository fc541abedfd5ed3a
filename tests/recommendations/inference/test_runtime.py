"""ONNX Runtime behind one door: its failures by file, arrays at fixed addresses, one line a state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recommendations.exceptions import ModelUnavailable
from recommendations.graphs.builder import GraphBuilder
from recommendations.graphs.fold_in import Target, build_fold_in
from recommendations.inference import runtime
from recommendations.inference.runtime import (
    BoundRun,
    DeviceArray,
    GraphSession,
    announce_once,
    as_float32,
    load_session,
    operators_by_provider,
)
from tests.recommendations import model_worlds

N_ITEMS = 400


@pytest.fixture(scope="module")
def doubling(tmp_path_factory: pytest.TempPathFactory) -> GraphSession:
    g = GraphBuilder("doubling")
    g.output("twice", g.op("Mul", g.input("value", np.float32, ["N"]), g.floats(2.0)), np.float32, ["N"])
    path = tmp_path_factory.mktemp("graphs") / "doubling.onnx"
    path.write_bytes(g.build().SerializeToString())
    return load_session(path)


def test_a_graph_says_what_it_takes_and_where_it_runs(doubling: GraphSession) -> None:
    assert doubling.provider == "cpu"
    assert doubling.input_shapes == {"value": ["N"]}
    assert doubling.output_shapes == {"twice": ["N"]}


def test_a_failure_of_the_runtime_names_the_file(doubling: GraphSession, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"doubling\.onnx failed while running"):
        doubling.run({"value": np.zeros(3, np.int64)})
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelUnavailable, match=r"broken\.onnx cannot be loaded"):
        load_session(tmp_path / "broken.onnx")


def test_a_bound_run_reads_updated_inputs_and_keeps_earlier_answers(doubling: GraphSession) -> None:
    value = DeviceArray(np.array([1, 2], np.float32), provider="cpu")
    bound = BoundRun(doubling, {"value": value}, {"twice": ((2,), np.float32)}, graph_id=1)
    first = bound.run()["twice"]
    value.update(np.array([5, 6], np.float32))
    assert bound.run()["twice"].tolist() == [10, 12]
    assert first.tolist() == [2, 4]


def test_a_state_is_announced_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(runtime, "_announced", set())
    caplog.set_level("INFO", logger="recommendations.inference.runtime")
    for key in ("one", "one", "other"):
        announce_once(key, "state %s", key)
    assert [record.getMessage() for record in caplog.records] == ["state one", "state other"]


def test_float32_arrays_are_not_copied() -> None:
    values = np.ones(3, np.float32)
    assert as_float32(values) is values
    assert as_float32(np.array([1.5])).dtype == np.float32


def test_the_profile_names_the_operators_that_ran(tmp_path: Path) -> None:
    als = model_worlds.als_factors(n_items=N_ITEMS)
    (tmp_path / "cuda.onnx").write_bytes(build_fold_in(als, target=Target.CUDA).SerializeToString())
    placed = operators_by_provider(tmp_path / "cuda.onnx", provider="cpu")
    assert set(placed) == {"CPUExecutionProvider"}
    assert {"TopK", "ScatterElements", "Gather"} <= set(placed["CPUExecutionProvider"])
    assert not {"Shape", "If", "Slice"} & set(placed["CPUExecutionProvider"]), "a CUDA graph needs one shape"
