"""Which provider runs a version, and parts of a folder that do not fit its manifest."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from recommendations.core.manifest import ITEM_IDS_NAME, POPULARITY_RECENT_NAME, read_manifest
from recommendations.exceptions import ModelUnavailable
from recommendations.graphs.export import export_model_set
from recommendations.inference import ModelSet, loading, runtime
from recommendations.inference.loading import load_array, load_item_ids, load_sources
from tests.recommendations import model_worlds

N_ITEMS = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versions") / "v1"
    export_model_set(model_worlds.fitted_model_set(n_items=N_ITEMS, with_ranker=False), folder)
    return folder


def test_without_a_gpu_auto_takes_the_cpu_and_says_so_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loading, "gpu_is_present", lambda: False)
    monkeypatch.setattr(runtime, "_announced", set())
    caplog.set_level("INFO", logger="recommendations.inference.runtime")
    assert ModelSet.load(folder).provider == "cpu"
    assert ModelSet.load(folder).provider == "cpu"
    assert [record.getMessage() for record in caplog.records] == ["inference.provider provider=cpu reason=no_gpu"]


def test_cuda_asked_for_by_name_and_missing_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "gpu_is_present", lambda: False)
    with pytest.raises(ModelUnavailable, match="no NVIDIA device is visible"):
        ModelSet.load(folder, providers="cuda")


@pytest.mark.skipif(runtime.gpu_is_present(), reason="here CUDA may really work")
def test_a_gpu_whose_cuda_does_not_load_leaves_the_cpu_and_a_hint(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A device file without the libraries: the session says it has no CUDA, whatever the package claims."""
    monkeypatch.setattr(loading, "gpu_is_present", lambda: True)
    monkeypatch.setattr(runtime, "_announced", set())
    caplog.set_level("INFO", logger="recommendations.inference.runtime")
    loaded = ModelSet.load(folder)
    assert loaded.provider == "cpu"
    assert "reason=cuda_failed" in caplog.records[0].getMessage()
    with pytest.raises(ModelUnavailable, match="CUDA"):
        ModelSet.load(folder, providers="cuda")


def test_tables_of_one_graph_are_one_source_with_their_names_in_the_order_of_its_rows(folder: Path) -> None:
    sources = load_sources(folder, read_manifest(folder), "cpu")
    names = {source.names for source in sources}
    assert names == {("sessions",), ("als",), ("tfidf", "covisitation")}


def test_a_source_of_a_kind_that_this_release_does_not_know_is_refused(folder: Path) -> None:
    manifest = read_manifest(folder)
    strange = msgspec.structs.replace(manifest.sources["als"], kind="transformer")
    manifest = msgspec.structs.replace(manifest, sources={"als": strange})
    with pytest.raises(ModelUnavailable, match="'als' is of the unknown kind 'transformer'; this release is too old"):
        load_sources(folder, manifest, "cpu")


def test_rows_of_a_graph_that_are_not_named_once_each_are_refused(folder: Path) -> None:
    manifest = read_manifest(folder)
    sources = {name: manifest.sources[name] for name in ("covisitation", "sessions")}  # row 1 without row 0
    with pytest.raises(ModelUnavailable, match=r"neighbours_0\.onnx do not name each of its rows once"):
        load_sources(folder, msgspec.structs.replace(manifest, sources=sources), "cpu")


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
