"""A version folder appears complete or not at all, and its manifest is true of every file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommendations.core.manifest import MANIFEST_NAME, read_manifest
from recommendations.exceptions import ExportFailed
from recommendations.graphs.export import export_model_set, sha256_of
from recommendations.graphs.fold_in import Target
from recommendations.training.fitted import FittedModelSet
from tests.recommendations import model_worlds

N_ITEMS = 30


@pytest.fixture(scope="module")
def fitted() -> FittedModelSet:
    return model_worlds.fitted_model_set(n_items=N_ITEMS)


def test_the_manifest_names_every_file_with_its_hash_and_size(fitted: FittedModelSet, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "v1"
    manifest = export_model_set(fitted, folder, plots={"gain.png": b"png"}, feature_views={"user": 3})

    assert read_manifest(folder) == manifest
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(manifest.files) == written - {MANIFEST_NAME}
    assert "plots/gain.png" in written
    for name, entry in manifest.files.items():
        assert (entry.sha256, entry.size_bytes) == (sha256_of(folder / name), (folder / name).stat().st_size)
    assert manifest.n_items == N_ITEMS
    assert manifest.feature_views == {"user": 3}
    assert manifest.ranker is not None
    assert fitted.ranker is not None
    assert manifest.ranker.columns == fitted.ranker.columns
    assert json.loads((folder / "item_ids.json").read_bytes()) == list(fitted.item_ids)


def test_a_version_is_written_once(fitted: FittedModelSet, tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    with pytest.raises(ExportFailed, match="exists already"):
        export_model_set(fitted, tmp_path / "v1")


def test_only_a_target_with_a_gpu_gets_the_graph_of_a_gpu(fitted: FittedModelSet, tmp_path: Path) -> None:
    for targets, graph in ((frozenset({Target.CPU}), None), (frozenset(Target), "als_cuda.onnx")):
        manifest = export_model_set(fitted, tmp_path / str(len(targets)), targets=targets)
        assert manifest.sources["als"].cuda_graph == graph
        assert ("als_cuda.onnx" in manifest.files) is (graph is not None)


def broken(fitted: FittedModelSet) -> dict[str, FittedModelSet]:
    factors = fitted.als.item_factors.copy()
    factors[3, 1] = np.nan
    session_name = replace(fitted.neighbours[0], name="sessions")
    return {
        r"als\.item_factors holds values that are not finite": replace(
            fitted, als=replace(fitted.als, item_factors=factors)
        ),
        r"popularity\.recent has 29 rows, but there are 30 item ids": replace(
            fitted, popularity=replace(fitted.popularity, recent=fitted.popularity.recent[1:])
        ),
        "hold no id twice": replace(fitted, item_ids=(*fitted.item_ids[:-1], fitted.item_ids[1])),
        "must begin with the empty string": replace(fitted, item_ids=("item-0", *fitted.item_ids[1:])),
        "the neighbours' name 'sessions' is taken": replace(fitted, neighbours=(session_name,)),
    }


def test_arrays_that_disagree_are_refused_and_leave_nothing_behind(fitted: FittedModelSet, tmp_path: Path) -> None:
    for message, model_set in broken(fitted).items():
        with pytest.raises(ExportFailed, match=message):
            export_model_set(model_set, tmp_path / "v1")
        assert list(tmp_path.iterdir()) == [], message
