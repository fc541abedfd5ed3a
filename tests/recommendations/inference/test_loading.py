"""Which provider runs a version, and parts of a folder that do not fit its manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from prometheus_client import REGISTRY

from recommendations.core.manifest import ITEM_IDS_NAME, POPULARITY_RECENT_NAME, read_manifest
from recommendations.exceptions import ModelUnavailable
from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.inference import ModelSet, batching, device, loading, runtime
from recommendations.inference.batching import BatchedScorer
from recommendations.inference.device import Device
from recommendations.inference.loading import load_array, load_item_ids, load_sources
from tests.recommendations import model_worlds

N_ITEMS = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versions") / "v1"
    export_model_set(model_worlds.fitted_model_set(n_items=N_ITEMS, with_ranker=False), folder)
    return folder


def counted(reason: str) -> float:
    return REGISTRY.get_sample_value("recsite_gpu_fallbacks_total", {"reason": reason}) or 0.0


def on_this_machine(
    monkeypatch: pytest.MonkeyPatch, *, gpu: bool, loads: Callable[[str], bool] = lambda name: True
) -> None:
    """Pretend that the device files and libraries are there, or are not."""
    monkeypatch.setattr(device, "gpu_is_present", lambda: gpu)
    monkeypatch.setattr(device, "_loads", loads)
    monkeypatch.setattr(runtime, "_announced", set())


def test_without_a_gpu_auto_takes_the_cpu_counts_it_and_says_so_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    on_this_machine(monkeypatch, gpu=False)
    caplog.set_level("INFO", logger="recommendations.inference.runtime")
    before = counted("no_gpu")
    loaded = [ModelSet.load(folder) for _ in range(2)]
    assert [each.provider for each in loaded] == ["cpu", "cpu"]
    assert counted("no_gpu") == before + 2
    (record,) = caplog.records
    assert record.getMessage().startswith("inference.provider provider=cpu reason=no_gpu")
    shortfall = loaded[0].gpu_shortfall
    assert shortfall is not None
    assert shortfall.remedy in record.getMessage()


def test_who_asks_for_the_cpu_is_told_nothing_of_gpus(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_this_machine(monkeypatch, gpu=False)
    before = counted("no_gpu")
    assert ModelSet.load(folder, providers="cpu").gpu_shortfall is None
    assert counted("no_gpu") == before


@pytest.mark.parametrize(
    ("absent", "reason", "remedy"),
    [
        ("libcuda.so.1", "no_driver", "install an NVIDIA driver"),
        ("libcublas.so.13", "no_libraries", "pip install -r requirements-gpu.txt"),
        ("libcudnn.so.9", "no_libraries", "pip install -r requirements-gpu.txt"),
    ],
)
def test_a_library_that_does_not_load_is_named_with_its_remedy(
    folder: Path, monkeypatch: pytest.MonkeyPatch, absent: str, reason: str, remedy: str
) -> None:
    on_this_machine(monkeypatch, gpu=True, loads=lambda name: name != absent)
    loaded = ModelSet.load(folder)
    shortfall = loaded.gpu_shortfall
    assert loaded.provider == "cpu"
    assert shortfall is not None
    assert (shortfall.reason, absent in shortfall.detail) == (reason, True)
    with pytest.raises(ModelUnavailable, match=f"CUDA does not work here: {reason}.*{remedy}"):
        ModelSet.load(folder, providers="cuda")


@pytest.mark.skipif(device.gpu_is_present(), reason="here CUDA may really work")
def test_a_session_that_the_runtime_gives_on_the_cpu_is_no_gpu(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Device file and libraries are claimed; the real runtime then says that it has no CUDA."""
    on_this_machine(monkeypatch, gpu=True)
    loaded = ModelSet.load(folder)
    assert loaded.provider == "cpu"
    assert loaded.gpu_shortfall is not None
    assert loaded.gpu_shortfall.reason == "no_session"
    with pytest.raises(ModelUnavailable, match="no_session"):
        ModelSet.load(folder, providers="cuda")


def test_a_version_without_a_graph_for_a_gpu_is_to_be_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_this_machine(monkeypatch, gpu=True)
    fitted = model_worlds.fitted_model_set(n_items=N_ITEMS, with_ranker=False)
    export_model_set(fitted, tmp_path / "v1", targets=frozenset({Target.CPU}))
    shortfall = ModelSet.load(tmp_path / "v1").gpu_shortfall
    assert shortfall is not None
    assert (shortfall.reason, "train again" in shortfall.remedy) == ("no_graph", True)


class OnDevice:
    """A session on the CPU that calls itself one on CUDA: all that stands between here and a GPU."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        on_this_machine(monkeypatch, gpu=True)
        real = runtime.load_session

        def session(path: Path, *, provider: runtime.Provider = "cpu") -> runtime.GraphSession:
            made = real(path)
            made.provider = provider
            return made

        def array(values: Any, *, provider: runtime.Provider) -> runtime.DeviceArray:
            return runtime.DeviceArray(values, provider="cpu")

        def bound(made: runtime.GraphSession, *arguments: Any, **named: Any) -> runtime.BoundRun:
            called, made.provider = made.provider, "cpu"
            try:
                return runtime.BoundRun(made, *arguments, **named)
            finally:
                made.provider = called

        monkeypatch.setattr(loading, "load_session", session)
        monkeypatch.setattr(batching, "DeviceArray", array)
        monkeypatch.setattr(batching, "BoundRun", bound)


def test_a_device_whose_scores_are_the_cpus_is_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    OnDevice(monkeypatch)
    loaded = ModelSet.load(folder, providers="cuda")
    assert (loaded.provider, loaded.gpu_shortfall) == ("cuda", None)


@pytest.mark.parametrize("wrong", [1.01, float("nan")])
def test_a_device_with_other_scores_is_never_asked(folder: Path, monkeypatch: pytest.MonkeyPatch, wrong: float) -> None:
    OnDevice(monkeypatch)
    score = BatchedScorer.score
    closed: list[BatchedScorer] = []

    def off(self: BatchedScorer, request: Any) -> Any:
        index, scores = score(self, request)
        return index, scores * np.float32(wrong)

    def noted(self: BatchedScorer) -> None:
        closed.append(self)
        close(self)

    close = BatchedScorer.close
    monkeypatch.setattr(BatchedScorer, "score", off)
    monkeypatch.setattr(BatchedScorer, "close", noted)
    before = counted("other_scores")
    loaded = ModelSet.load(folder)
    assert loaded.provider == "cpu"
    assert loaded.gpu_shortfall is not None
    assert loaded.gpu_shortfall.reason == "other_scores"
    assert counted("other_scores") == before + 1
    assert len(closed) == 1
    assert not closed[0].is_alive


def test_libraries_are_loaded_before_any_session_of_a_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    OnDevice(monkeypatch)
    order: list[str] = []
    session: Callable[..., Any] = getattr(loading, "load_session")  # noqa: B009  (what OnDevice put there)

    def noted(path: Path, **provider: Any) -> Any:
        order.append("session")
        return session(path, **provider)

    def preload() -> str:
        order.append("preload")
        return ""

    monkeypatch.setattr(device, "preload_cuda", preload)
    monkeypatch.setattr(loading, "load_session", noted)
    ModelSet.load(folder)
    assert order[0] == "preload"
    assert order.count("preload") == 1


def test_tables_of_one_graph_are_one_source_with_their_names_in_the_order_of_its_rows(folder: Path) -> None:
    sources = load_sources(folder, read_manifest(folder), Device("cpu"))
    names = {source.names for source in sources}
    assert names == {("sessions",), ("als",), ("tfidf", "covisitation")}


def test_a_source_of_a_kind_that_this_release_does_not_know_is_refused(folder: Path) -> None:
    manifest = read_manifest(folder)
    strange = msgspec.structs.replace(manifest.sources["als"], kind="transformer")
    manifest = msgspec.structs.replace(manifest, sources={"als": strange})
    with pytest.raises(ModelUnavailable, match="'als' is of the unknown kind 'transformer'; this release is too old"):
        load_sources(folder, manifest, Device("cpu"))


def test_rows_of_a_graph_that_are_not_named_once_each_are_refused(folder: Path) -> None:
    manifest = read_manifest(folder)
    sources = {name: manifest.sources[name] for name in ("covisitation", "sessions")}  # row 1 without row 0
    with pytest.raises(ModelUnavailable, match=r"neighbours_0\.onnx do not name each of its rows once"):
        load_sources(folder, msgspec.structs.replace(manifest, sources=sources), Device("cpu"))


def test_an_array_is_mapped_and_must_have_a_row_for_each_item(folder: Path, tmp_path: Path) -> None:
    path = folder / POPULARITY_RECENT_NAME
    assert isinstance(load_array(path, n_items=N_ITEMS), np.memmap)
    with pytest.raises(ModelUnavailable, match="has 40 rows, the manifest says 41"):
        load_array(path, n_items=N_ITEMS + 1)
    with pytest.raises(ModelUnavailable, match=r"nowhere\.npy cannot be loaded"):
        load_array(tmp_path / "nowhere.npy", n_items=N_ITEMS)


def test_item_ids_must_be_texts_and_as_many_as_the_manifest_says(folder: Path, tmp_path: Path) -> None:
    assert load_item_ids(folder / ITEM_IDS_NAME, N_ITEMS)[:2] == ["", "item-1"]
    with pytest.raises(ModelUnavailable, match="holds 40 item ids, the manifest says 39"):
        load_item_ids(folder / ITEM_IDS_NAME, N_ITEMS - 1)
    numbers = tmp_path / "numbers.json"
    numbers.write_text("[1, 2]")
    with pytest.raises(ModelUnavailable, match="cannot be loaded: Expected `str`, got `int`"):
        load_item_ids(numbers, 2)
